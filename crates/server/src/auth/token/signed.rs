//! By which key of which issuer a token was signed: enough to say later, without the token, whether
//! it would be taken still.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use super::Tokens;
use super::issuer::Issuer;

/// What tells keys, and the terms of issuers, from others.
pub(super) type Mark = u64;

/// By whom a token was signed, under which terms, and by which key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(super) issuer: Mark,
    pub(super) key: Mark,
}

/// It is made of secrets, and what could be held against guesses has no place in a log.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed(…)")
    }
}

/// Whether a token that was found good once would be still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Still {
    /// It would, until it expires.
    Good,
    /// Nobody here has the key that signed it.
    Bad,
    /// Its issuer is held to other terms, or has keys that are not known yet: it has to be seen again.
    Unsure,
}

impl Tokens {
    /// Whether a token that was signed so is good still.
    pub(crate) fn still(&self, signed: Signed) -> Still {
        let has_key = |issuer: &Issuer| issuer.keys().has(signed.key);
        let known = self.issuers.iter().find(|issuer| issuer.mark == signed.issuer);
        let somewhere = || self.issuers.iter().any(|it| has_key(it) || it.waits_for_keys());
        match known {
            Some(issuer) if has_key(issuer) => Still::Good,
            _ if somewhere() => Still::Unsure,
            _ => Still::Bad,
        }
    }
}

/// The mark of these parts, in their order.
pub(super) fn mark<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Mark {
    let mut digest = Context::new(&SHA256);
    for part in parts {
        // With its length in front no part can look like the end of one and the begin of another.
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest = digest.finish();
    let first = digest.as_ref().iter().take(size_of::<Mark>());
    first.fold(0, |mark, byte| mark << 8 | Mark::from(*byte))
}

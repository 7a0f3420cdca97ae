//! Publishers' keys: secrets of which only the hash is kept, and what each of them grants.

use std::fmt;
use std::sync::Arc;

use fanfare_core::name::ChannelHash;
use sha2::{Digest, Sha256};

use super::Holder;
use super::grant::Grants;

/// The SHA-256 of a secret. That it is quick to compute is no weakness where secrets are random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a secret.
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Reads a hash as [`fmt::Display`] writes it: `sha256:` and 64 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// It tells nobody's secret, but a log is no place for what could be held against guesses.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// One publisher's key.
#[derive(Debug, Clone)]
pub(crate) struct PublisherKey {
    hash: KeyHash,
    holder: Arc<Holder>,
}

impl PublisherKey {
    /// The key `secret`, which grants everything. Its publisher's name is made of the secret's hash,
    /// so that it stays the same when keys are reordered and gives nothing away.
    pub(crate) fn new(secret: &str) -> Self {
        let publisher = format!("key:{:?}", ChannelHash::of(secret));
        let hash = KeyHash::of(secret.as_bytes());
        let holder = Holder::of_key(publisher.into(), None, hash, Grants::everything());
        Self { hash, holder: Arc::new(holder) }
    }

    /// The key of this name and hash.
    pub(crate) fn named(name: &str, hash: KeyHash, grants: Grants) -> Self {
        let publisher = format!("key:{name}");
        let holder = Holder::of_key(publisher.into(), Some(name.into()), hash, grants);
        Self { hash, holder: Arc::new(holder) }
    }
}

/// Every key of a configuration, by its hash.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(Arc<[PublisherKey]>);

impl Keys {
    pub(super) fn new(keys: impl IntoIterator<Item = PublisherKey>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|key| key.hash);
        Self(keys.into())
    }

    /// Who holds each key.
    pub(super) fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.0.iter().map(|key| &*key.holder)
    }

    /// Who holds this secret. How long it takes says something of the secret's hash alone, from
    /// which nobody comes nearer to a secret.
    pub(super) fn find(&self, secret: &[u8]) -> Option<Arc<Holder>> {
        if self.0.is_empty() {
            return None;
        }
        self.of_hash(KeyHash::of(secret)).map(Arc::clone)
    }

    /// Who holds the secret of this hash.
    pub(super) fn of_hash(&self, hash: KeyHash) -> Option<&Arc<Holder>> {
        let place = self.0.binary_search_by_key(&hash, |key| key.hash).ok()?;
        self.0.get(place).map(|key| &key.holder)
    }
}

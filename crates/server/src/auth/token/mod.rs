//! Tokens (JWT, RFC 7519): who signed them, whether they hold, and what they grant.
//!
//! A token is read within bounds, then held against what its issuer is configured to say, then its
//! signature is checked by a key that the configuration chose, never the token. Whatever holds is
//! remembered by its hash. Nothing here waits: keys that are elsewhere are fetched on the edge
//! ([`fetch`]) and exchanged in one step. It knows no request, and logs no token.

mod algorithm;
mod claims;
mod examine;
mod failure;
pub(crate) mod fetch;
mod figures;
mod issuer;
mod json;
mod jws;
mod keys;
mod remembered;
mod shared;
mod sign;
mod signed;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use fanfare_core::time::UnixMillis;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use algorithm::{Algorithm, Algorithms, KeyKind, SECRET_BYTES_MIN};
pub(crate) use claims::GRANTS;
pub(crate) use examine::Examined;
pub(crate) use failure::Failure;
pub(crate) use figures::Figures;
pub(crate) use issuer::IssuerParts;
pub(crate) use jws::is_token;
pub(crate) use keys::{KeySet, TRIES_MAX};
pub(crate) use sign::SigningKey;
pub(crate) use signed::{Signed, Still};

use super::Holder;
use claims::{CHECKS, Claims};
use issuer::Issuer;
use jws::Jws;
use keys::Checked;
use remembered::{Entry, Remembered, TokenHash};
use shared::SharedGrants;

/// What is to be done with tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    issuers: Box<[Issuer]>,
    token_bytes_max: usize,
    remembered: Remembered,
    shared: SharedGrants,
    figures: ArcSwap<Figures>,
    /// Nobody uses these any more, so that no keys are fetched for them.
    retired: CancellationToken,
    /// Counts the rounds of fetching, so that who waits for keys hears of each.
    rounds: watch::Sender<u64>,
}

/// A token that holds.
struct Held {
    holder: Holder,
    issuer: usize,
    signature: Signature,
    begins: UnixMillis,
}

/// What made a signature.
struct Signature {
    signed: Signed,
    /// The version of the issuer's keys.
    version: u64,
}

impl Tokens {
    /// Tokens of these issuers, up to so many bytes each; so many are remembered.
    pub(crate) fn new(
        issuers: impl IntoIterator<Item = IssuerParts>,
        token_bytes_max: usize,
        remembered_max: usize,
    ) -> Self {
        Self {
            issuers: issuers.into_iter().map(Issuer::new).collect(),
            token_bytes_max,
            remembered: Remembered::new(remembered_max),
            shared: SharedGrants::default(),
            figures: ArcSwap::default(),
            retired: CancellationToken::new(),
            rounds: watch::Sender::new(0),
        }
    }

    /// Who holds this token at this time.
    ///
    /// # Errors
    /// The check that failed.
    pub(crate) fn verify(&self, token: &[u8], now: UnixMillis) -> Result<Arc<Holder>, Failure> {
        let hash = hash(token);
        if let Some(entry) = self.remembered.find(&hash)
            && self.still_holds(&entry, now)
        {
            self.figures.load().remembered();
            return Ok(Arc::clone(&entry.holder));
        }
        match self.check(token, &hash, now) {
            Ok(Held { holder, issuer, signature: Signature { version, .. }, begins }) => {
                self.figures.load().verified();
                let holder = Arc::new(holder);
                let entry = Entry { hash, issuer, version, begins, holder: Arc::clone(&holder) };
                self.remembered.put(entry, now);
                Ok(holder)
            }
            Err(failure) => {
                self.figures.load().refused(&failure);
                Err(failure)
            }
        }
    }

    /// Whether what was found out about a token is true still.
    fn still_holds(&self, entry: &Entry, now: UnixMillis) -> bool {
        let lives = entry.holder.expires().is_none_or(|expires| now < expires);
        let issuer = self.issuers.get(entry.issuer);
        lives
            && now >= entry.begins
            && issuer.is_some_and(|issuer| issuer.keys().version == entry.version)
    }

    fn check(&self, token: &[u8], hash: &TokenHash, now: UnixMillis) -> Result<Held, Failure> {
        let jws = Jws::read(token, self.token_bytes_max)?;
        let (place, issuer) = self.issuer_of(&jws)?;
        let claims = Claims::read(&jws.claims)?;
        for (_, check) in CHECKS {
            check(&claims, issuer, now / 1000)?;
        }
        let signature = check_signature(&jws, issuer, now)?;
        let begins = [claims.not_before, claims.issued].into_iter().flatten().max();
        let begins = begins.unwrap_or(0).saturating_sub(issuer.leeway).saturating_mul(1000);
        let holder = self.holder(claims, (issuer, signature.signed), hash);
        Ok(Held { holder, issuer: place, signature, begins })
    }

    fn issuer_of(&self, jws: &Jws<'_>) -> Result<(usize, &Issuer), Failure> {
        let named = claims::issuer_of(&jws.claims)?;
        let mut issuers = self.issuers.iter().enumerate();
        issuers
            .find(|(_, issuer)| issuer.issuer.as_deref() == named)
            .ok_or_else(|| Failure::IssuerUnknown(named.map(|it| it.chars().take(65).collect())))
    }

    fn holder(
        &self,
        claims: Claims,
        (issuer, signed): (&Issuer, Signed),
        hash: &TokenHash,
    ) -> Holder {
        let Claims { subject, expires, grants, .. } = claims;
        let name = &issuer.name;
        // Who has no subject is nobody else, and so is the holder of another token without one.
        let publisher = match &subject {
            Some(subject) => format!("token:{name}:{subject}"),
            None => {
                let bytes = hash.iter().take(16);
                let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
                format!("token:{name}#{digits}")
            }
        };
        let user = subject.filter(|subject| !subject.is_empty());
        let user = user.map(|subject| match &*self.issuers {
            [_] => subject.into(),
            _ => format!("{name}:{subject}").into(),
        });
        let expires = expires.map(|it| it.saturating_add(issuer.leeway).saturating_mul(1000));
        let grants = self.shared.find(grants);
        Holder::of_token(publisher.into(), user, (expires, signed), grants)
    }

    /// What is counted.
    pub(crate) fn figures(&self) -> Arc<Figures> {
        self.figures.load_full()
    }

    /// Goes on where those before stood: counts on, and has the keys that they had fetched.
    pub(crate) fn take_over(&self, before: &Self) {
        self.figures.store(before.figures());
        for issuer in &self.issuers {
            let known = before.issuers.iter().find(|known| known.name == issuer.name);
            if let Some(known) = known {
                issuer.take_over(known);
            }
        }
    }

    /// Fetches no keys any more.
    pub(crate) fn retire(&self) {
        self.retired.cancel();
    }

    /// Of each issuer whose keys are fetched: its name, how old its keys are, in seconds, and how
    /// often they were had and not.
    pub(crate) fn fetched(
        &self,
        now: UnixMillis,
    ) -> impl Iterator<Item = (&str, Option<u64>, [u64; 2])> {
        self.issuers.iter().filter_map(move |issuer| {
            let remote = issuer.remote.as_ref()?;
            let age = remote.had().map(|had| now.saturating_sub(had) / 1000);
            Some((&*issuer.name, age, remote.outcomes()))
        })
    }

    /// The rounds of fetching from now on.
    pub(crate) fn rounds(&self) -> Rounds {
        Rounds(self.rounds.subscribe())
    }
}

/// The rounds of fetching keys from some moment on, whichever issuer's, for who waits for them.
#[derive(Debug)]
pub(crate) struct Rounds(watch::Receiver<u64>);

impl Rounds {
    /// How long somebody whose token names an unknown key waits for keys to be fetched.
    pub(crate) const WITHIN: Duration = Duration::from_secs(3);

    /// Whether keys have been fetched, or will not be any more.
    pub(crate) fn have_passed(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until keys have been fetched; says whether there may be another round.
    pub(crate) async fn next(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

/// Checks the signature, by a key of the issuer; says which it was.
fn check_signature(jws: &Jws<'_>, issuer: &Issuer, now: UnixMillis) -> Result<Signature, Failure> {
    let name = || issuer.name.clone();
    let refused =
        |why| Failure::AlgorithmRefused { algorithm: jws.algorithm.name(), issuer: name(), why };
    if !issuer.algorithms.has(jws.algorithm) {
        return Err(refused("which its issuer does not sign with"));
    }
    let keys = issuer.keys();
    match keys.check(jws.key.as_deref(), jws.algorithm, jws.message, &jws.signature) {
        Checked::Right(key) => {
            let signed = Signed { issuer: issuer.mark, key };
            Ok(Signature { signed, version: keys.version })
        }
        Checked::Wrong => Err(Failure::SignatureWrong { issuer: name() }),
        Checked::NoKey | Checked::OtherAlgorithm(_) if issuer.waits_for_keys() => {
            let is_looked_for = issuer.look_for_keys(now);
            Err(Failure::KeysMissing { issuer: name(), is_looked_for })
        }
        Checked::OtherAlgorithm(kind) => Err(refused(match kind {
            KeyKind::Secret => "and the issuer's key is a secret, which is for others",
            KeyKind::Rsa => "and the issuer's key is an RSA key, which is for others",
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                "and the issuer's key is an EC key of another curve"
            }
            KeyKind::Ed25519 => "and the issuer's key is an Ed25519 key, which is for EdDSA",
        })),
        Checked::NoKey => Err(Failure::KeyUnknown {
            issuer: name(),
            key: jws.key.as_deref().map(|key| key.chars().take(65).collect()),
            is_looked_for: issuer.look_for_keys(now),
        }),
    }
}

fn hash(token: &[u8]) -> TokenHash {
    let digest = digest(&SHA256, token);
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

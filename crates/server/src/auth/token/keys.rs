//! The keys of an issuer: secrets, PEM files and sets of keys in JSON (RFC 7517), each with the
//! algorithms that it is for. A token chooses among them and nothing else.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use aws_lc_rs::{hmac, signature as algorithms};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use super::algorithm::{Algorithm, Algorithms, KeyKind};
use super::signed::{Mark, mark};

/// Keys of one set at most.
pub(super) const KEYS_MAX: usize = 100;

/// Keys that a token without a `kid` is tried with at most.
pub(crate) const TRIES_MAX: usize = 4;

/// The keys of an issuer, as they are at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
    /// Other keys have another one, so that what was checked by keys that are gone is not taken for
    /// granted.
    pub(super) version: u64,
}

/// A key, with what it checks by each algorithm that it is for.
struct VerifyingKey {
    /// What a token calls it; who has no name is taken for any.
    id: Option<Box<str>>,
    kind: KeyKind,
    /// What tells it from others.
    mark: Mark,
    checkers: Vec<(Algorithm, Checker)>,
}

enum Checker {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

/// What came of a token's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// This key of the set made it.
    Right(Mark),
    /// None of those that the token may mean did.
    Wrong,
    /// There are keys that the token may mean, and none is for its algorithm.
    OtherAlgorithm(KeyKind),
    /// There is no key that the token may mean.
    NoKey,
}

impl KeySet {
    /// The keys of this and of others.
    pub(crate) fn with(mut self, others: Self) -> Self {
        self.keys.extend(others.keys);
        self
    }

    /// Whether there is the key with this mark.
    pub(super) fn has(&self, mark: Mark) -> bool {
        self.keys.iter().any(|key| key.mark == mark)
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// A secret, for those of its algorithms that it is long enough for (RFC 7518 §3.2).
    pub(crate) fn of_secret(secret: &[u8], allowed: Algorithms) -> Self {
        let checkers = [
            (Algorithm::Hs256, hmac::HMAC_SHA256, 32),
            (Algorithm::Hs384, hmac::HMAC_SHA384, 48),
            (Algorithm::Hs512, hmac::HMAC_SHA512, 64),
        ];
        let checkers = checkers.into_iter().filter(|(algorithm, _, bytes_min)| {
            allowed.has(*algorithm) && secret.len() >= *bytes_min
        });
        let checkers = checkers.map(|(algorithm, hash, _)| {
            (algorithm, Checker::Secret(Box::new(hmac::Key::new(hash, secret))))
        });
        let (kind, mark) = (KeyKind::Secret, mark([&b"secret"[..], secret]));
        Self::of(vec![VerifyingKey { id: None, kind, mark, checkers: checkers.collect() }])
    }

    /// The public keys of a PEM file.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn of_pem(pem: &[u8], allowed: Algorithms) -> Result<Self, String> {
        let mut keys = Vec::new();
        for found in SubjectPublicKeyInfoDer::pem_slice_iter(pem).take(KEYS_MAX) {
            let der = found.map_err(|error| format!("it is no PEM: {error}"))?;
            let kinds =
                [KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519];
            let key = kinds.into_iter().find_map(|kind| {
                let large = || PublicEncryptingKey::from_der(&der).is_ok();
                if kind == KeyKind::Rsa && !large() {
                    return None;
                }
                let mark = mark([&b"pem"[..], &*der]);
                VerifyingKey::public(None, (kind, mark), allowed, |algorithm| {
                    ParsedPublicKey::new(algorithm, &*der).ok()
                })
            });
            keys.push(key.ok_or("it has a key that is none of RSA (2048 to 8192 bits), P-256, P-384, P-521 and Ed25519")?);
        }
        if keys.is_empty() {
            return Err("it has no section `PUBLIC KEY`".to_owned());
        }
        Ok(Self::of(keys))
    }

    /// The public keys of a set in JSON that can check signatures; others in it are passed over, as
    /// RFC 7517 §5 asks for.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn of_jwks(json: &[u8], allowed: Algorithms) -> Result<Self, String> {
        let set: Jwks = serde_json::from_slice(json)
            .map_err(|error| format!("it is no set of keys in JSON: {error}"))?;
        let keys = set.keys.iter().take(KEYS_MAX);
        let keys: Vec<_> = keys
            .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok())
            .filter_map(|key| key.read(allowed))
            .collect();
        if keys.is_empty() {
            return Err("none of its keys can check a signature".to_owned());
        }
        Ok(Self::of(keys))
    }

    fn of(keys: Vec<VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().map(Arc::new).collect(), version: 0 }
    }

    /// Checks a signature by the keys that a token may mean.
    pub(super) fn check(
        &self,
        key: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Checked {
        let meant = || {
            self.keys.iter().filter(|known| match (&known.id, key) {
                (Some(id), Some(key)) => **id == *key,
                _ => true,
            })
        };
        let mut checkers = meant()
            .filter_map(|known| known.checker(algorithm).map(|checker| (known.mark, checker)))
            .peekable();
        if checkers.peek().is_none() {
            return meant().next().map_or(Checked::NoKey, |key| Checked::OtherAlgorithm(key.kind));
        }
        let right = checkers.take(TRIES_MAX).find(|(_, key)| key.check(message, signature));
        right.map_or(Checked::Wrong, |(mark, _)| Checked::Right(mark))
    }
}

impl VerifyingKey {
    /// A public key that `parse` reads for each of its algorithms; none if it is for none that is
    /// allowed.
    fn public(
        id: Option<Box<str>>,
        (kind, mark): (KeyKind, Mark),
        allowed: Algorithms,
        parse: impl Fn(&'static dyn algorithms::VerificationAlgorithm) -> Option<ParsedPublicKey>,
    ) -> Option<Self> {
        let mut checkers = Vec::new();
        // One that no algorithm of its kind is allowed for stays, so that a refusal can say so.
        for algorithm in Algorithms::of(kind).iter() {
            let parsed = parse(verification(algorithm)?)?;
            if allowed.has(algorithm) {
                checkers.push((algorithm, Checker::Public(parsed)));
            }
        }
        Some(Self { id, kind, mark, checkers })
    }

    fn checker(&self, algorithm: Algorithm) -> Option<&Checker> {
        self.checkers.iter().find(|(known, _)| *known == algorithm).map(|(_, checker)| checker)
    }
}

impl Checker {
    fn check(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compared in a time that says nothing.
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// How a public key checks; none for an algorithm of secrets.
fn verification(algorithm: Algorithm) -> Option<&'static dyn algorithms::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
        Algorithm::Es256 => &algorithms::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &algorithms::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &algorithms::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa => &algorithms::ED25519,
        rsa => rsa_parameters(rsa)?,
    })
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &algorithms::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &algorithms::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &algorithms::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &algorithms::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &algorithms::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &algorithms::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

/// A key of a set, as it is written (RFC 7518 §6, RFC 8037 §2). Secrets are passed over: what is
/// published is none.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn read(&self, allowed: Algorithms) -> Option<VerifyingKey> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let verifies = |operations: &Vec<String>| operations.iter().any(|it| it == "verify");
        if !self.key_ops.as_ref().is_none_or(verifies) {
            return None;
        }
        let allowed = match &self.alg {
            Some(name) => allowed.and([Algorithm::of(name)?].into_iter().collect()),
            None => allowed,
        };
        let id = self.kid.as_deref().map(Box::from);
        let (kind, coordinate_bytes) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => return self.rsa(id, allowed),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, 32),
            ("EC", Some("P-256")) => (KeyKind::P256, 32),
            ("EC", Some("P-384")) => (KeyKind::P384, 48),
            ("EC", Some("P-521")) => (KeyKind::P521, 66),
            _ => return None,
        };
        let coordinate = |text: &Option<String>| {
            let bytes = URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?;
            (bytes.len() == coordinate_bytes).then_some(bytes)
        };
        let mut point = coordinate(&self.x)?;
        if kind != KeyKind::Ed25519 {
            // A point that is not compressed (SEC 1 §2.3.3).
            point.insert(0, 4);
            point.extend(coordinate(&self.y)?);
        }
        VerifyingKey::public(id, (kind, mark([&b"point"[..], &*point])), allowed, |algorithm| {
            ParsedPublicKey::new(algorithm, &point).ok()
        })
    }

    fn rsa(&self, id: Option<Box<str>>, allowed: Algorithms) -> Option<VerifyingKey> {
        let number = |text: &Option<String>| {
            let bytes = URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes.get(zeros..).map(<[u8]>::to_vec)
        };
        let components = RsaPublicKeyComponents { n: number(&self.n)?, e: number(&self.e)? };
        if !(256..=1024).contains(&components.n.len()) {
            return None;
        }
        let mut checkers = Vec::new();
        for algorithm in Algorithms::of(KeyKind::Rsa).iter() {
            let parsed = components.to_parsed_public_key(rsa_parameters(algorithm)?).ok()?;
            if allowed.has(algorithm) {
                checkers.push((algorithm, Checker::Public(parsed)));
            }
        }
        let mark = mark([&b"rsa"[..], &components.n, &components.e]);
        Some(VerifyingKey { id, kind: KeyKind::Rsa, mark, checkers })
    }
}

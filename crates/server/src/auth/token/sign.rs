//! Signing: the other side of the checks, for `fanfare token new` and the tests.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as algorithms, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::algorithm::{Algorithm, KeyKind};

/// A key to sign with.
pub(crate) struct SigningKey {
    kind: KeyKind,
    material: Material,
}

enum Material {
    Secret(Box<[u8]>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kind.name())
    }
}

impl SigningKey {
    /// A secret.
    pub(crate) fn of_secret(secret: &[u8]) -> Self {
        Self { kind: KeyKind::Secret, material: Material::Secret(secret.into()) }
    }

    /// The private key of a PEM file (PKCS #8, `PRIVATE KEY`).
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| {
            format!("it has no section `PRIVATE KEY`, as `openssl genpkey` writes it: {error}")
        })?;
        let der = der.secret_pkcs8_der();
        let curves = [
            (KeyKind::P256, &algorithms::ECDSA_P256_SHA256_FIXED_SIGNING),
            (KeyKind::P384, &algorithms::ECDSA_P384_SHA384_FIXED_SIGNING),
            (KeyKind::P521, &algorithms::ECDSA_P521_SHA512_FIXED_SIGNING),
        ];
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Self { kind: KeyKind::Rsa, material: Material::Rsa(pair) });
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self { kind: KeyKind::Ed25519, material: Material::Ed25519(pair) });
        }
        for (kind, curve) in curves {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der) {
                return Ok(Self { kind, material: Material::Ec(pair) });
            }
        }
        Err("its key is none of RSA, P-256, P-384, P-521 and Ed25519".to_owned())
    }

    /// The algorithm that is used unless another is asked for.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.kind {
            KeyKind::Secret => Algorithm::Hs256,
            KeyKind::Rsa => Algorithm::Rs256,
            KeyKind::P256 => Algorithm::Es256,
            KeyKind::P384 => Algorithm::Es384,
            KeyKind::P521 => Algorithm::Es512,
            KeyKind::Ed25519 => Algorithm::EdDsa,
        }
    }

    /// A token with these claims, in JSON.
    ///
    /// # Errors
    /// The key is not for the algorithm, or cannot sign.
    pub(crate) fn token(
        &self,
        algorithm: Algorithm,
        key: Option<&str>,
        claims: &str,
    ) -> Result<String, String> {
        let mut header = serde_json::Map::new();
        header.insert("alg".to_owned(), algorithm.name().into());
        header.insert("typ".to_owned(), "JWT".into());
        if let Some(key) = key {
            header.insert("kid".to_owned(), key.into());
        }
        let header = serde_json::Value::Object(header).to_string();
        self.signed(algorithm, &header, claims)
    }

    /// A token with this header and these claims, whatever they are.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub(super) fn signed(
        &self,
        algorithm: Algorithm,
        header: &str,
        claims: &str,
    ) -> Result<String, String> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = self.sign(algorithm, message.as_bytes())?;
        Ok(format!("{message}.{}", encode(&signature)))
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let other = || format!("{} is not for {}", self.kind.name(), algorithm.name());
        if algorithm.kind() != self.kind {
            return Err(other());
        }
        let broken = |_error| "the key does not sign".to_owned();
        match &self.material {
            Material::Secret(secret) => {
                let hash = match algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                Ok(hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec())
            }
            Material::Rsa(pair) => {
                let encoding = match algorithm {
                    Algorithm::Rs256 => &algorithms::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &algorithms::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &algorithms::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &algorithms::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &algorithms::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &algorithms::RSA_PSS_SHA512,
                    _ => return Err(other()),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(broken)?;
                Ok(signature)
            }
            Material::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(broken)?;
                Ok(signature.as_ref().to_vec())
            }
            Material::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

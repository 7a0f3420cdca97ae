//! A token holds only if every check says so, whoever made it and however.

mod algorithms;
mod attacks;
mod checks;
mod fetching;
mod remembering;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::algorithm::{Algorithm, Algorithms, KeyKind};
use super::issuer::IssuerParts;
use super::keys::KeySet;
use super::sign::SigningKey;
use super::{Failure, Tokens};

/// When the tests take place, in Unix milliseconds and seconds.
const NOW: u64 = NOW_SECONDS * 1000;
const NOW_SECONDS: u64 = 1_800_000_000;

/// A secret that is long enough for every algorithm.
const SECRET: &[u8] = b"a secret of sixty-four bytes, which is what HS512 asks for, and so on";

/// A key with all the forms that it is given in.
struct Pair {
    signing: SigningKey,
    public_pem: String,
    jwk: Value,
}

impl Pair {
    fn new(kind: KeyKind) -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (private, public, jwk) = match kind {
            KeyKind::Secret => {
                return Self {
                    signing: SigningKey::of_secret(SECRET),
                    public_pem: String::new(),
                    jwk: json!({"kty": "oct", "k": encode(SECRET)}),
                };
            }
            KeyKind::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();
                let public = pair.public_key();
                // In DER (RFC 8017 A.1.1) it stands behind nine bytes, before the exponent 65537.
                let modulus = &public.as_ref()[9..265];
                let jwk = json!({
                    "kty": "RSA",
                    "n": encode(modulus),
                    "e": "AQAB",
                });
                (private, AsDer::<PublicKeyX509Der<'_>>::as_der(public).unwrap(), jwk)
            }
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let public = pair.public_key();
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(public.as_ref())});
                let private = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
                (private, AsDer::<PublicKeyX509Der<'_>>::as_der(public).unwrap(), jwk)
            }
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                let (curve, name) = match kind {
                    KeyKind::P256 => (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
                    KeyKind::P384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
                    _ => (&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
                };
                let pair = EcdsaKeyPair::generate(curve).unwrap();
                let public = pair.public_key();
                let point = &public.as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let jwk = json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)});
                let private = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
                (private, AsDer::<PublicKeyX509Der<'_>>::as_der(public).unwrap(), jwk)
            }
        };
        let signing = SigningKey::of_pem(pem("PRIVATE KEY", &private).as_bytes()).unwrap();
        Self { signing, public_pem: pem("PUBLIC KEY", public.as_ref()), jwk }
    }

    /// The same key in a set, called so.
    fn named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = kid.into();
        jwk
    }

    /// The keys of an issuer that has this one, by a file of PEM or by its secret.
    fn keys(&self, allowed: Algorithms) -> KeySet {
        if self.public_pem.is_empty() {
            return KeySet::of_secret(SECRET, allowed);
        }
        KeySet::of_pem(self.public_pem.as_bytes(), allowed).unwrap()
    }
}

fn pem(section: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> =
        base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {section}-----\n{}\n-----END {section}-----\n", lines.join("\n"))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::of_jwks(json!({"keys": keys}).to_string().as_bytes(), Algorithms::all()).unwrap()
}

/// An issuer with these keys, whose tokens have no `iss`.
fn issuer(keys: KeySet) -> IssuerParts {
    IssuerParts {
        name: "app".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Algorithms::all(),
        leeway: 30,
        require_expiry: true,
        keys,
        url: None,
    }
}

fn taking(issuers: impl IntoIterator<Item = IssuerParts>) -> Tokens {
    Tokens::new(issuers, 8 * 1024, 64)
}

/// Claims that hold, and these.
fn claims(more: Value) -> String {
    let mut claims = json!({"sub": "ada", "exp": NOW_SECONDS + 600});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.to_string()
}

/// A token with these claims, signed with [`SECRET`].
fn signed(claims: &str) -> String {
    SigningKey::of_secret(SECRET).token(Algorithm::Hs256, None, claims).unwrap()
}

/// A token with this header and claims that hold, signed by a key.
fn headed(signing: &SigningKey, algorithm: Algorithm, header: &str) -> String {
    signing.signed(algorithm, header, &claims(json!({}))).unwrap()
}

/// Why a token does not hold, in words; nothing if it does.
fn told(tokens: &Tokens, token: &str) -> String {
    let failure = tokens.verify(token.as_bytes(), NOW).err();
    failure.map(|failure| failure.to_string()).unwrap_or_default()
}

fn reason(tokens: &Tokens, token: &str) -> &'static str {
    match tokens.verify(token.as_bytes(), NOW) {
        Ok(_) => "holds",
        Err(failure) => Failure::REASONS[failure.reason()],
    }
}

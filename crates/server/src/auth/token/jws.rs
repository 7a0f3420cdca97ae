//! The form of a token: three parts in base64url, a header and claims in JSON (RFC 7515 §7.1), read
//! within bounds before anything is computed with a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::failure::Failure;
use super::json::Value;

/// Bytes of a key's name at most.
const KID_BYTES_MAX: usize = 256;

/// A token taken apart; nothing in it is true yet.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// What it says that it is signed with.
    pub(super) algorithm: Algorithm,
    /// The key that it says to be signed with. It is compared and nothing else.
    pub(super) key: Option<String>,
    /// What it claims.
    pub(super) claims: Value,
    /// What is signed.
    pub(super) message: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// Whether it has the form of a token: three parts in the characters of base64url. It is then taken
/// for nothing else.
pub(crate) fn is_token(secret: &[u8]) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    secret.iter().filter(|byte| **byte == b'.').count() == 2 && secret.iter().all(known)
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn read(token: &'a [u8], bytes_max: usize) -> Result<Self, Failure> {
        if token.len() > bytes_max {
            return Err(Failure::TooLong { bytes: token.len(), max: bytes_max });
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("it does not have three parts"));
        };
        let message = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
        let header = read("header", header)?;
        let algorithm = match header.get("alg").and_then(Value::text) {
            Some(name) => Algorithm::of(name)
                .ok_or_else(|| Failure::AlgorithmUnknown(name.chars().take(65).collect()))?,
            None => return Err(malformed("its header names no algorithm")),
        };
        // Who does not understand one of these must not go on (RFC 7515 §4.1.11).
        if header.get("crit").is_some() {
            return Err(malformed("its header asks for extensions (`crit`) that are not here"));
        }
        let key = match header.get("kid") {
            None => None,
            Some(Value::Text(key)) if key.len() <= KID_BYTES_MAX => Some(key.clone()),
            Some(_) => return Err(malformed("its `kid` is no text of at most 256 bytes")),
        };
        let claims = read("claims", claims)?;
        let signature = decode("signature", signature)?;
        Ok(Self { algorithm, key, claims, message, signature })
    }
}

fn read(part: &str, text: &[u8]) -> Result<Value, Failure> {
    let bytes = decode(part, text)?;
    Value::object(&bytes)
        .map_err(|why| Failure::Malformed(format!("its {part} cannot be read: {why}")))
}

fn decode(part: &str, text: &[u8]) -> Result<Vec<u8>, Failure> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_error| Failure::Malformed(format!("its {part} is no base64url")))
}

fn malformed(why: &str) -> Failure {
    Failure::Malformed(why.to_owned())
}

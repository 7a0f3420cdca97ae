//! Signatures by which a backend knows that a request comes from this server: Standard Webhooks
//! (standardwebhooks.com), for which there are libraries in every language.

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a secret, as the specification has them.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// In front of a secret that is written down.
const PREFIX: &str = "whsec_";

/// A secret that the backend knows too.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Box<[u8]>);

impl Secret {
    /// Reads `whsec_` and base64; none if it is anything else, or has a length that is not allowed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        SECRET_BYTES.contains(&bytes.len()).then(|| Self(bytes.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Signs with every secret there is, so that one can take the place of another.
#[derive(Clone)]
pub(crate) struct Signer(Box<[hmac::Key]>);

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signer({} secrets)", self.0.len())
    }
}

impl Signer {
    /// Signs with these.
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let key = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        Self(secrets.iter().map(key).collect())
    }

    /// The value of `webhook-signature` for a message with this id, sent at this time in Unix
    /// seconds: a signature for each secret, with blanks between them.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut signatures = String::new();
        for key in &self.0 {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{id}.{seconds}.").as_bytes());
            context.update(body);
            if !signatures.is_empty() {
                signatures.push(' ');
            }
            signatures.push_str("v1,");
            STANDARD.encode_string(context.sign(), &mut signatures);
        }
        signatures
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, Signer};

    /// The example of the libraries that the specification comes with.
    #[test]
    fn the_known_example_is_signed_as_others_do() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signer = Signer::new(std::slice::from_ref(&secret));
        let signed =
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = Signer::new(&[secret.clone(), secret]).sign("a", 1, b"");
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn what_is_no_secret_is_none_and_none_is_shown() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_c2hvcnQ=",
        ] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(format!("{:?}", Signer::new(&[secret])), "Signer(1 secrets)");
    }
}

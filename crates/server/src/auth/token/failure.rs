//! Why a token does not hold: the check that failed, in words, and in a word for the metrics.

use std::fmt;

use super::json::shown;

/// Why a token does not hold. None of them holds any part of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is longer than is looked at.
    TooLong { bytes: usize, max: usize },
    /// It cannot be read.
    Malformed(String),
    /// It is signed with what is no algorithm here, `none` for one.
    AlgorithmUnknown(String),
    /// It is signed with what the issuer does not sign with, or no key of it is for.
    AlgorithmRefused { algorithm: &'static str, issuer: Box<str>, why: &'static str },
    /// Nobody knows who issued it.
    IssuerUnknown(Option<String>),
    /// The issuer's keys have not been had yet.
    KeysMissing { issuer: Box<str>, is_looked_for: bool },
    /// The issuer has no such key.
    KeyUnknown { issuer: Box<str>, key: Option<String>, is_looked_for: bool },
    /// The signature is not that of the issuer's key.
    SignatureWrong { issuer: Box<str> },
    /// It does not say when it expires.
    ExpiryMissing { issuer: Box<str> },
    /// It has expired, so many seconds ago.
    Expired { ago: u64 },
    /// It does not hold yet, for so many seconds.
    NotYet { claim: &'static str, ahead: u64 },
    /// It is for somebody else, or for nobody.
    AudienceWrong { audience: Vec<String>, wanted: Box<[String]>, issuer: Box<str> },
    /// A claim is not what it has to be.
    ClaimWrong { claim: String, wanted: String },
}

impl Failure {
    /// The words that metrics know the failures by.
    pub(crate) const REASONS: [&'static str; 11] = [
        "too-long",
        "malformed",
        "algorithm",
        "issuer",
        "keys-missing",
        "key",
        "signature",
        "expired",
        "not-yet",
        "audience",
        "claim",
    ];

    /// Its place among the reasons.
    pub(crate) fn reason(&self) -> usize {
        match self {
            Self::TooLong { .. } => 0,
            Self::Malformed(_) => 1,
            Self::AlgorithmUnknown(_) | Self::AlgorithmRefused { .. } => 2,
            Self::IssuerUnknown(_) => 3,
            Self::KeysMissing { .. } => 4,
            Self::KeyUnknown { .. } => 5,
            Self::SignatureWrong { .. } => 6,
            Self::Expired { .. } => 7,
            Self::NotYet { .. } => 8,
            Self::AudienceWrong { .. } => 9,
            Self::ExpiryMissing { .. } | Self::ClaimWrong { .. } => 10,
        }
    }

    /// The kind of check that failed, in words that tell nothing of what is configured.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "it is too long",
            Self::Malformed(_) => "it cannot be read",
            Self::AlgorithmUnknown(_) | Self::AlgorithmRefused { .. } => {
                "its algorithm is not taken"
            }
            Self::IssuerUnknown(_) => "its issuer is not known",
            Self::KeysMissing { .. } => "the keys of its issuer are not known yet",
            Self::KeyUnknown { .. } => "its key is not known",
            Self::SignatureWrong { .. } => "its signature is wrong",
            Self::ExpiryMissing { .. } => "it does not say when it expires",
            Self::Expired { .. } => "it has expired",
            Self::NotYet { .. } => "it has not begun",
            Self::AudienceWrong { .. } => "it is not for this server",
            Self::ClaimWrong { .. } => "one of its claims is not what it has to be",
        }
    }

    /// Whether the issuer's keys are being fetched, so that it may hold in a moment.
    pub(crate) fn may_pass(&self) -> bool {
        let (Self::KeysMissing { is_looked_for, .. } | Self::KeyUnknown { is_looked_for, .. }) =
            self
        else {
            return false;
        };
        *is_looked_for
    }

    /// What to change, as an order.
    pub(crate) fn change(&self) -> String {
        match self {
            Self::TooLong { .. } => {
                "Put less into the token, or raise `auth.token_bytes_max`.".to_owned()
            }
            Self::Malformed(_) => "Send the token as its issuer made it.".to_owned(),
            Self::AlgorithmUnknown(_) => {
                "Sign with an algorithm that docs/auth.md lists.".to_owned()
            }
            Self::AlgorithmRefused { issuer, .. } => format!(
                "Sign with an algorithm of `issuers.{issuer}.algorithms` that its key is for."
            ),
            Self::IssuerUnknown(_) => {
                "Set `issuer` of one of `issuers` to what the token says in `iss`.".to_owned()
            }
            Self::KeysMissing { issuer, .. } => {
                format!("See why `issuers.{issuer}.jwks` cannot be had: the log says it.")
            }
            Self::KeyUnknown { issuer, .. } => format!(
                "Sign with a key that `issuers.{issuer}` has, or add it there; keys of a URL are \
                 fetched again by themselves."
            ),
            Self::SignatureWrong { issuer } => {
                format!("Sign with the key that `issuers.{issuer}` has.")
            }
            Self::ExpiryMissing { issuer } => format!(
                "Add `exp` to the token, or set `issuers.{issuer}.require_expiry` to false."
            ),
            Self::Expired { .. } => "Ask the issuer for a new token.".to_owned(),
            Self::NotYet { .. } => "Look whether the clocks agree.".to_owned(),
            Self::AudienceWrong { issuer, .. } => {
                format!("Name in `aud` one of `issuers.{issuer}.audience`, or change that.")
            }
            Self::ClaimWrong { claim, .. } => format!("Correct `{claim}` in the token."),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes, max } => {
                write!(f, "it has {bytes} bytes, and {max} are looked at")
            }
            Self::Malformed(why) => f.write_str(why),
            Self::AlgorithmUnknown(name) => {
                write!(f, "it is signed with `{}`, which is no algorithm here", shown(name))
            }
            Self::AlgorithmRefused { algorithm, why, .. } => {
                write!(f, "it is signed with {algorithm}, {why}")
            }
            Self::IssuerUnknown(Some(issuer)) => {
                write!(f, "no issuer `{}` is configured", shown(issuer))
            }
            Self::IssuerUnknown(None) => {
                f.write_str("it names no issuer, and none without a name is configured")
            }
            Self::KeysMissing { issuer, .. } => {
                write!(f, "the keys of the issuer {issuer} have not been fetched yet")
            }
            Self::KeyUnknown { key: Some(key), is_looked_for, .. } => {
                write!(f, "no key with kid {}", shown(key))?;
                f.write_str(if *is_looked_for { "; the keys are fetched again" } else { "" })
            }
            Self::KeyUnknown { key: None, .. } => f.write_str("no key without a kid fits"),
            Self::SignatureWrong { issuer } => {
                write!(f, "the signature is not that of a key of the issuer {issuer}")
            }
            Self::ExpiryMissing { .. } => f.write_str("it does not say when it expires"),
            Self::Expired { ago } => write!(f, "expired {} ago", span(*ago)),
            Self::NotYet { claim: "iat", ahead } => {
                write!(f, "it was issued {} in the future", span(*ahead))
            }
            Self::NotYet { ahead, .. } => write!(f, "it begins in {}", span(*ahead)),
            Self::AudienceWrong { audience, wanted, .. } => match (&**audience, &**wanted) {
                ([], wanted) => write!(f, "it is for nobody, and not for {}", listed(wanted)),
                (audience, []) => {
                    write!(f, "it is for {}, and nobody here is called so", listed(audience))
                }
                (audience, wanted) => {
                    write!(f, "it is for {}, not for {}", listed(audience), listed(wanted))
                }
            },
            Self::ClaimWrong { claim, wanted } => write!(f, "`{claim}` {wanted}"),
        }
    }
}

fn listed(names: &[String]) -> String {
    let told: Vec<_> = names.iter().take(4).map(|name| shown(name)).collect();
    let more = if names.len() > told.len() { " or others" } else { "" };
    format!("{}{more}", told.join(" or "))
}

/// A time for people, in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

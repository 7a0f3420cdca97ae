//! A token explained check by check, for people: every check that can be made is, also those behind
//! one that has failed.

use fanfare_core::time::UnixMillis;

use super::claims::{CHECKS, Claims};
use super::failure::{Failure, span};
use super::issuer::Issuer;
use super::json::shown;
use super::jws::Jws;
use super::{Tokens, check_signature};
use crate::auth::grant::{Grants, Right};

/// What came of each check.
#[derive(Debug)]
pub(crate) struct Examined {
    /// What was checked, and that it is well or why it is not.
    pub(crate) checks: Vec<(&'static str, Result<String, Failure>)>,
    /// What the token grants, if that can be read.
    pub(crate) grants: Option<Grants>,
}

impl Examined {
    /// The first check that failed; none if a server would take the token.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.checks.iter().find_map(|(_, outcome)| outcome.as_ref().err())
    }

    /// The patterns of each right that it grants, in words.
    pub(crate) fn granted(&self) -> Vec<(&'static str, String)> {
        let grants = self.grants.iter();
        let each = grants.flat_map(|grants| {
            Right::ALL.into_iter().map(|right| (right.name(), grants.patterns(right)))
        });
        let given = each.filter(|(_, patterns)| !patterns.is_empty());
        let words = given.map(|(name, patterns)| {
            let patterns = patterns.iter().map(|pattern| match pattern.is_vain() {
                true => format!("{pattern} (nothing: the subject cannot stand in it)"),
                false => pattern.to_string(),
            });
            (name, patterns.collect::<Vec<_>>().join(", "))
        });
        words.collect()
    }
}

impl Tokens {
    /// Explains a token.
    pub(crate) fn examine(&self, token: &[u8], now: UnixMillis) -> Examined {
        let mut checks = Vec::new();
        let jws = match Jws::read(token, self.token_bytes_max) {
            Ok(jws) => jws,
            Err(failure) => {
                checks.push(("form", Err(failure)));
                return Examined { checks, grants: None };
            }
        };
        let key =
            jws.key.as_deref().map_or("no kid".to_owned(), |key| format!("kid {}", shown(key)));
        checks.push(("form", Ok(format!("{}, {key}", jws.algorithm.name()))));
        let claims = Claims::read(&jws.claims);
        match self.issuer_of(&jws) {
            Ok((_, issuer)) => {
                let named = issuer.issuer.as_deref().unwrap_or("none named");
                checks.push(("issuer", Ok(format!("{named} (issuers.{})", issuer.name))));
                let signature = check_signature(&jws, issuer, now)
                    .map(|_signature| format!("of a key of issuers.{}", issuer.name));
                checks.push(("signature", signature));
                if let Ok(claims) = &claims {
                    let each = CHECKS.map(|(name, check)| {
                        let outcome = check(claims, issuer, now / 1000);
                        (name, outcome.map(|()| well(name, claims, issuer, now / 1000)))
                    });
                    checks.extend(each);
                }
            }
            Err(failure) => checks.push(("issuer", Err(failure))),
        }
        let grants = match claims {
            Ok(claims) => {
                let subject = claims.subject.as_deref();
                checks.push(("sub", Ok(subject.map_or("none".to_owned(), shown))));
                Some(claims.grants)
            }
            Err(failure) => {
                checks.push(("claims", Err(failure)));
                None
            }
        };
        Examined { checks, grants }
    }
}

/// What is well about a claim.
fn well(name: &str, claims: &Claims, issuer: &Issuer, now: u64) -> String {
    match name {
        "exp" => match claims.expires {
            Some(expires) if expires > now => format!("expires in {}", span(expires - now)),
            Some(expires) => {
                let (ago, leeway) = (span(now - expires), span(issuer.leeway));
                format!("expired {ago} ago, within the leeway of {leeway}")
            }
            None => "none, which this issuer may leave out".to_owned(),
        },
        "nbf" => claims.not_before.map_or("none".to_owned(), |_| "has begun".to_owned()),
        "iat" => match claims.issued {
            Some(issued) => format!("issued {} ago", span(now.saturating_sub(issued))),
            None => "none".to_owned(),
        },
        _ => match claims.audience.as_slice() {
            [] => "none, and none is asked for".to_owned(),
            audience => format!("for {}", shown(&audience.join(", "))),
        },
    }
}

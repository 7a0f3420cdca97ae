//! What a token claims (RFC 7519 §4.1, and `fanfare`), and the checks that need no key.

use super::failure::Failure;
use super::issuer::Issuer;
use super::json::Value;
use crate::auth::grant::{Grants, PATTERNS_MAX, Pattern, Right};

/// Bytes of a subject at most.
const SUBJECT_BYTES_MAX: usize = 255;

/// The claim that holds what a token grants.
pub(crate) const GRANTS: &str = "fanfare";

/// What a token claims, in its types; times are in Unix seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims {
    pub(super) subject: Option<String>,
    pub(super) expires: Option<u64>,
    pub(super) not_before: Option<u64>,
    pub(super) issued: Option<u64>,
    pub(super) audience: Vec<String>,
    pub(super) grants: Grants,
}

/// A check of what a token claims, at a time in Unix seconds.
pub(super) type Check = fn(&Claims, &Issuer, u64) -> Result<(), Failure>;

/// Every such check, by the claim that it is about.
pub(super) const CHECKS: [(&str, Check); 4] =
    [("exp", expiry), ("nbf", beginning), ("iat", issue), ("aud", audience)];

impl Claims {
    /// Reads them.
    ///
    /// # Errors
    /// The first that is not what it has to be.
    pub(super) fn read(claims: &Value) -> Result<Self, Failure> {
        let subject = match claims.get("sub") {
            None => None,
            Some(Value::Text(subject)) if subject.len() <= SUBJECT_BYTES_MAX => {
                Some(subject.clone())
            }
            Some(_) => return Err(wrong("sub", "is no text of at most 255 bytes")),
        };
        let audience = match claims.get("aud") {
            None => Vec::new(),
            Some(Value::Text(audience)) => vec![audience.clone()],
            Some(Value::List(list)) => texts(list)
                .map(|texts| texts.map(str::to_owned).collect())
                .ok_or_else(|| wrong("aud", "is neither a text nor a list of texts"))?,
            Some(_) => return Err(wrong("aud", "is neither a text nor a list of texts")),
        };
        Ok(Self {
            expires: time(claims, "exp", f64::floor)?,
            not_before: time(claims, "nbf", f64::ceil)?,
            issued: time(claims, "iat", f64::floor)?,
            grants: grants(claims.get(GRANTS), subject.as_deref())?,
            subject,
            audience,
        })
    }
}

/// What the claim `iss` says.
pub(super) fn issuer_of(claims: &Value) -> Result<Option<&str>, Failure> {
    match claims.get("iss") {
        None => Ok(None),
        Some(Value::Text(issuer)) => Ok(Some(issuer)),
        Some(_) => Err(wrong("iss", "is no text")),
    }
}

fn grants(claim: Option<&Value>, subject: Option<&str>) -> Result<Grants, Failure> {
    let members = match claim {
        None => return Ok(Grants::default()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(wrong(GRANTS, "is no object of rights with lists of patterns")),
    };
    let mut grants = Grants::default();
    let mut count = 0;
    for (name, value) in members {
        // A right that is not known is one of a newer version, and grants nothing here.
        let Some(right) = Right::of(name) else { continue };
        let claim = format!("{GRANTS}.{name}");
        let texts = match value {
            Value::List(list) => texts(list),
            _ => None,
        };
        let Some(texts) = texts else { return Err(wrong(&claim, "is no list of patterns")) };
        let mut patterns = Vec::new();
        for text in texts {
            count += 1;
            if count > PATTERNS_MAX {
                return Err(wrong(GRANTS, &format!("has more than {PATTERNS_MAX} patterns")));
            }
            let pattern = Pattern::new(text, subject).map_err(|error| {
                wrong(&claim, &format!("has `{}`: {error}", super::json::shown(text)))
            })?;
            patterns.push(pattern);
        }
        grants = grants.with(right, patterns);
    }
    Ok(grants)
}

/// The texts of a list that has nothing else.
fn texts(list: &[Value]) -> Option<impl Iterator<Item = &str>> {
    let all = list.iter().all(|value| value.text().is_some());
    all.then(|| list.iter().filter_map(Value::text))
}

/// A time of a claim (RFC 7519 §2, NumericDate), in whole seconds.
fn time(claims: &Value, claim: &str, round: fn(f64) -> f64) -> Result<Option<u64>, Failure> {
    /// The year 9999, far below where whole numbers end.
    const LATEST: f64 = 253_402_300_800.0;
    match claims.get(claim) {
        None => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within these bounds"
        )]
        Some(Value::Number(seconds)) if (0.0..=LATEST).contains(seconds) => {
            Ok(Some(round(*seconds) as u64))
        }
        Some(_) => Err(wrong(claim, "is no time in seconds since 1970")),
    }
}

fn wrong(claim: &str, wanted: &str) -> Failure {
    Failure::ClaimWrong { claim: claim.to_owned(), wanted: wanted.to_owned() }
}

fn expiry(claims: &Claims, issuer: &Issuer, now: u64) -> Result<(), Failure> {
    match claims.expires {
        None if issuer.require_expiry => {
            Err(Failure::ExpiryMissing { issuer: issuer.name.clone() })
        }
        Some(expires) if now >= expires.saturating_add(issuer.leeway) => {
            Err(Failure::Expired { ago: now - expires })
        }
        _ => Ok(()),
    }
}

fn beginning(claims: &Claims, issuer: &Issuer, now: u64) -> Result<(), Failure> {
    ahead("nbf", claims.not_before, issuer, now)
}

fn issue(claims: &Claims, issuer: &Issuer, now: u64) -> Result<(), Failure> {
    ahead("iat", claims.issued, issuer, now)
}

fn ahead(claim: &'static str, time: Option<u64>, issuer: &Issuer, now: u64) -> Result<(), Failure> {
    match time {
        Some(time) if time > now.saturating_add(issuer.leeway) => {
            Err(Failure::NotYet { claim, ahead: time - now })
        }
        _ => Ok(()),
    }
}

fn audience(claims: &Claims, issuer: &Issuer, _now: u64) -> Result<(), Failure> {
    let wanted = &issuer.audience;
    let named = claims.audience.iter().any(|audience| wanted.contains(audience));
    // A token for somebody is for nobody else, whoever that would be here.
    if named || wanted.is_empty() && claims.audience.is_empty() {
        return Ok(());
    }
    Err(Failure::AudienceWrong {
        audience: claims.audience.clone(),
        wanted: wanted.clone(),
        issuer: issuer.name.clone(),
    })
}

//! What the backend answers, read within bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::presence::INFO_BYTES_MAX;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Hook;
use crate::auth::grant::{Grants, PATTERNS_MAX, Pattern, Right};
use crate::auth::{Admission, Caller};

/// What is answered to a question.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// It goes on.
    Allowed(T),
    /// Who asks is told this.
    Refused(Problem),
}

/// An answer that has the right types; members that are not known are passed over.
#[derive(Deserialize)]
pub(super) struct Answered {
    allow: bool,
    code: Option<String>,
    reason: Option<String>,
    user: Option<String>,
    info: Option<serde_json::Value>,
    grants: Option<BTreeMap<String, Vec<String>>>,
    expires: Option<f64>,
    message: Option<Box<RawValue>>,
}

impl Answered {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match error.classify() {
                serde_json::error::Category::Data => {
                    format!("it is JSON of another form, at line {line}, column {column}")
                }
                _ => format!("it is no JSON, from line {line}, column {column} on"),
            }
        })
    }

    /// Whether it goes on, with what is read of the answer then.
    ///
    /// # Errors
    /// What of it is not understood.
    pub(super) fn verdict<T>(
        self,
        hook: Hook,
        read: impl FnOnce(Self) -> Result<T, String>,
    ) -> Result<Verdict<T>, String> {
        if self.allow {
            return read(self).map(Verdict::Allowed);
        }
        let code = match (self.code.as_deref(), hook) {
            (Some("unauthorized"), _) | (None, Hook::Connect | Hook::Refresh) => Code::Unauthorized,
            (Some("forbidden"), _) | (None, _) => Code::Forbidden,
            (Some("rate-limited"), _) => Code::RateLimited,
            (Some(_), _) => return Err("`code` is none of those that a refusal has".to_owned()),
        };
        let reason = self.reason.as_deref().map(told).filter(|reason| !reason.is_empty());
        let reason = reason.unwrap_or_else(|| "The application refuses this.".to_owned());
        Ok(Verdict::Refused(Problem::new(code, reason, "The application decides this.")))
    }

    /// What is published in the place of what was.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.get())
    }

    /// What is said of somebody who is let in.
    ///
    /// # Errors
    /// What of it is not understood.
    pub(super) fn admission(self, now: UnixMillis) -> Result<Admission, String> {
        let user = self.user.filter(|user| !user.is_empty());
        if user.as_ref().is_some_and(|user| user.len() > USER_BYTES_MAX) {
            return Err(format!("`user` has more than {USER_BYTES_MAX} bytes"));
        }
        let grants = self.grants.map(|grants| read_grants(grants, user.as_deref())).transpose()?;
        Ok(Admission {
            info: read_info(self.info)?,
            grants: Arc::new(grants.unwrap_or_default()),
            expires: self.expires.map(|expires| read_expiry(expires, now)).transpose()?,
            user: user.map(Into::into),
        })
    }

    /// Who somebody is that may stay: what the answer leaves out is as it was, but for when it
    /// expires.
    ///
    /// # Errors
    /// What of it is not understood.
    pub(super) fn prolonged(self, caller: &Caller, now: UnixMillis) -> Result<Caller, String> {
        let user = caller.user().cloned();
        if self.user.as_deref().is_some_and(|named| Some(named) != user.as_deref()) {
            return Err("`user` is somebody else".to_owned());
        }
        let grants = match self.grants {
            Some(grants) => Arc::new(read_grants(grants, user.as_deref())?),
            None => caller.grants().cloned().unwrap_or_default(),
        };
        let info = match self.info {
            Some(info) => read_info(Some(info))?,
            None => caller.info().cloned(),
        };
        let expires = self.expires.map(|expires| read_expiry(expires, now)).transpose()?;
        Ok(Caller::admitted(Admission { user, info, grants, expires }))
    }
}

fn read_info(info: Option<serde_json::Value>) -> Result<Option<Arc<str>>, String> {
    let info = info.filter(|info| !info.is_null()).map(|info| info.to_string());
    match info {
        Some(info) if info.len() > INFO_BYTES_MAX => {
            Err(format!("`info` has more than {INFO_BYTES_MAX} bytes"))
        }
        info => Ok(info.map(Into::into)),
    }
}

fn read_grants(named: BTreeMap<String, Vec<String>>, user: Option<&str>) -> Result<Grants, String> {
    let mut grants = Grants::default();
    let mut count = 0;
    for (name, texts) in named {
        // As in a token, a right that is not known is one of a newer version, and grants nothing.
        let Some(right) = Right::of(&name) else { continue };
        count += texts.len();
        if count > PATTERNS_MAX {
            return Err(format!("`grants` has more than {PATTERNS_MAX} patterns"));
        }
        let patterns = texts.iter().map(|text| Pattern::new(text, user));
        let patterns = patterns.collect::<Result<Vec<_>, _>>();
        let patterns = patterns.map_err(|error| format!("`grants.{name}`: {error}"))?;
        grants = grants.with(right, patterns);
    }
    Ok(grants)
}

/// Reads a time in Unix seconds, which lies ahead.
fn read_expiry(seconds: f64, now: UnixMillis) -> Result<UnixMillis, String> {
    /// The year 9999, far below where whole numbers end.
    const LATEST: f64 = 253_402_300_800.0;
    if !(0.0..=LATEST).contains(&seconds) {
        return Err("`expires` is no time in seconds since 1970".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within these bounds"
    )]
    let millis = (seconds * 1000.0) as UnixMillis;
    if millis <= now {
        return Err("`expires` has passed already".to_owned());
    }
    Ok(millis)
}

/// Words for a client: on one line, and not too many.
fn told(reason: &str) -> String {
    let line = reason.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    line.take(REASON_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// As the subject of a token.
const USER_BYTES_MAX: usize = 255;

/// Characters of a reason that are told.
const REASON_CHARS_MAX: usize = 500;

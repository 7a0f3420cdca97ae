//! `fanfare token new`: makes a token.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value};

use super::{ConfigFlag, GrantFlags, read};
use crate::auth::grant::Pattern;
use crate::auth::token::{Algorithm, GRANTS, SigningKey};
use crate::command::client::failure::Failure;
use crate::command::output;
use crate::config::settings::{Auth, Issuer};
use crate::edge::unix_millis;
use crate::exit::Exit;

/// What `token new` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Whose token it is: the user.
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
    #[command(flatten)]
    grants: GrantFlags,
    #[command(flatten)]
    config: ConfigFlag,
    /// How long it holds, such as 10m, 1h or 30d.
    #[arg(long, value_name = "TIME", value_parser = crate::command::duration, default_value = "1h")]
    expires_in: Duration,
    /// Which of the configured issuers makes it [default: the only one].
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Whom it is for [default: the first of the issuer's `audience`].
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// A PEM file with the private key to sign with [default: the issuer's secret].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What the key is called in the issuer's set of keys.
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// What to sign with, such as PS256 [default: the usual one of the key].
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
}

/// Prints the token on stdout.
///
/// # Errors
///
/// There is nothing to sign with, or what is asked for makes no token.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let auth = flags.config.settings()?.auth;
    let issuer = issuer(&auth, flags.issuer.as_deref())?;
    let signing = match (&flags.key, issuer.and_then(|issuer| issuer.secrets.first())) {
        (Some(path), _) => SigningKey::of_pem(&read(path)?)
            .map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?,
        (None, Some(secret)) => SigningKey::of_secret(secret),
        (None, None) => return Err(no_key(issuer).into()),
    };
    let algorithm = match &flags.algorithm {
        None => signing.algorithm(),
        Some(name) => Algorithm::of(name)
            .ok_or_else(|| Failure::Usage(format!("{name:?} is no algorithm, such as ES256")))?,
    };
    let claims = flags.claims(issuer)?;
    let token = signing.token(algorithm, flags.kid.as_deref(), &claims.to_string());
    let token = token.map_err(|why| Failure::Usage(format!("cannot sign: {why}")))?;
    output::line(&token)?;
    Ok(Exit::Success)
}

impl Flags {
    fn claims(&self, issuer: Option<&Issuer>) -> Result<Value, Failure> {
        let now = unix_millis() / 1000;
        let mut claims = Map::new();
        if let Some(name) = issuer.and_then(|issuer| issuer.issuer.as_deref()) {
            claims.insert("iss".to_owned(), name.into());
        }
        if let Some(subject) = &self.sub {
            claims.insert("sub".to_owned(), subject.as_str().into());
        }
        let audience = issuer.and_then(|issuer| issuer.audience.first());
        if let Some(audience) = self.audience.as_ref().or(audience) {
            claims.insert("aud".to_owned(), audience.as_str().into());
        }
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(self.expires_in.as_secs()).into());
        let mut grants = Map::new();
        for (right, patterns) in self.grants.each() {
            for text in patterns {
                let wrong = |error| Failure::Usage(format!("--{} {text}: {error}", right.name()));
                Pattern::new(text, self.sub.as_deref()).map_err(wrong)?;
            }
            grants.insert(right.name().to_owned(), patterns.as_slice().into());
        }
        if !grants.is_empty() {
            claims.insert(GRANTS.to_owned(), grants.into());
        }
        Ok(claims.into())
    }
}

/// The issuer that is asked for, or the only one.
fn issuer<'a>(auth: &'a Auth, named: Option<&str>) -> Result<Option<&'a Issuer>, Failure> {
    match (named, auth.issuers.as_slice()) {
        (Some(name), issuers) => match issuers.iter().find(|issuer| issuer.name == name) {
            Some(issuer) => Ok(Some(issuer)),
            None => Err(Failure::Usage(format!("no issuer `{name}` is configured"))),
        },
        (None, []) => Ok(None),
        (None, [issuer]) => Ok(Some(issuer)),
        (None, issuers) => {
            let names: Vec<_> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
            Err(Failure::Usage(format!("say which --issuer makes it: {}", names.join(", "))))
        }
    }
}

fn no_key(issuer: Option<&Issuer>) -> Failure {
    Failure::Usage(match issuer {
        Some(issuer) => {
            let name = &issuer.name;
            format!("`issuers.{name}` has no secret; give its private key with --key FILE")
        }
        None => "no issuer is configured. This makes one:\n\n  export \
                 FANFARE_ISSUERS__APP__SECRET=\"$(openssl rand -hex 32)\""
            .to_owned(),
    })
}

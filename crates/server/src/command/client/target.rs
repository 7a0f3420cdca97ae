//! Where the server is, and the paths of its questions.

use std::path::PathBuf;

use hyper::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::credential::{Credential, CredentialFlags};
use super::failure::Failure;
use crate::config::environment;
use crate::tls::Trust;

/// The server that is asked if nothing names one.
const URL_DEFAULT: &str = "http://127.0.0.1:8300";
/// What stands unescaped in a query value.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The flags of every command that talks to a server.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetFlags {
    /// The server [default: $FANFARE_URL, else http://127.0.0.1:8300].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// For https: believe the certificates that lead to one in this file (PEM), and no others
    /// [default: those that the system believes].
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    credential: CredentialFlags,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As people write it, without a trailing slash.
    pub(crate) url: String,
    /// Name or address to connect to, without brackets.
    pub(crate) host: String,
    /// Port to connect to.
    pub(crate) port: u16,
    /// The value of the `Host` header.
    pub(crate) authority: String,
    prefix: String,
    /// For `https`: whose certificates are believed.
    pub(crate) trust: Option<Trust>,
    /// What shows who asks.
    pub(crate) credential: Option<Credential>,
}

impl TargetFlags {
    /// The server that the flag, else the environment, else the default names.
    ///
    /// # Errors
    ///
    /// A URL that is not `http[s]://host[:port][/prefix]`, or `--ca` for one without TLS.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let url = self.url.clone().or_else(|| environment::client_variable(environment::URL));
        let mut target = Target::read(url.as_deref().unwrap_or(URL_DEFAULT))?;
        target.credential = self.credential.credential();
        match (&self.ca, &mut target.trust) {
            (None, _) => {}
            (Some(file), Some(trust)) => *trust = Trust::File(file.clone()),
            (Some(_), None) => {
                let why = format!("--ca is for https, and {:?} is not", target.url);
                return Err(Failure::Usage(why));
            }
        }
        Ok(target)
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// As [`TargetFlags::target`].
    pub(crate) fn read(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::Usage(format!("{url:?} {why}"));
        let shape = "is no server; write a URL such as http://127.0.0.1:8300";
        let uri: Uri = url.trim().parse().map_err(|_unreadable| wrong(shape))?;
        let (trust, port) = match uri.scheme_str() {
            Some("http" | "ws") => (None, 80),
            Some("https" | "wss") => (Some(Trust::System), 443),
            _ => return Err(wrong(shape)),
        };
        let authority = uri.authority().ok_or_else(|| wrong(shape))?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong(shape));
        }
        Ok(Self {
            url: url.trim().trim_end_matches('/').to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(port),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            trust,
            credential: None,
        })
    }

    /// The path of a question for the members of a channel.
    pub(crate) fn presence(&self, channel: &str, query: &[(&str, String)]) -> String {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        let channel = utf8_percent_encode(channel, QUERY);
        format!("{}/c/{channel}/presence?{}", self.prefix, query.join("&"))
    }

    /// The path of a question about channels. Names go into the query, where every name works.
    pub(crate) fn path(&self, channels: &[String], query: &[(&str, String)]) -> String {
        let channels = channels.iter().map(|channel| ("channel", channel.as_str()));
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs: Vec<_> = channels
            .chain(query)
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        format!("{}/c?{}", self.prefix, pairs.join("&"))
    }
}

#[cfg(test)]
#[path = "target_test.rs"]
mod tests;

//! What a command shows to say who it is: a token or a key, and where that comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;

use super::failure::Failure;
use crate::config::environment;

/// Bytes of a file that are taken for a token at most; no server takes longer ones.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The flags of every command that talks to a server.
#[derive(clap::Args)]
pub(crate) struct CredentialFlags {
    /// The token or key that says who one is; everyone on the machine can read it here
    /// [default: $FANFARE_TOKEN, else $FANFARE_KEY].
    #[arg(long, value_name = "TOKEN", visible_alias = "publisher-key")]
    token: Option<String>,
    /// The same out of a file, which is read for each request, so that it can be renewed.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl fmt::Debug for CredentialFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialFlags(…)")
    }
}

impl CredentialFlags {
    /// What the flags, else the environment have; none, if nothing has.
    pub(super) fn credential(&self) -> Option<Credential> {
        if let Some(path) = &self.token_file {
            return Some(Credential::File(path.clone()));
        }
        let variable = || {
            let token = environment::client_variable(environment::TOKEN);
            token.or_else(|| environment::client_variable(environment::KEY))
        };
        self.token.clone().or_else(variable).map(Credential::Text)
    }
}

/// A token or a key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// As it was given.
    Text(String),
    /// In a file.
    File(PathBuf),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

impl Credential {
    /// The value of `Authorization` that shows it.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`], if the file cannot be read or what is there is nothing to send.
    pub(super) fn header(&self) -> Result<HeaderValue, Failure> {
        match self {
            Self::Text(text) => bearer(text, "the token"),
            Self::File(path) => {
                let place = format!("the token in {}", path.display());
                bearer(read(path)?.trim(), &place)
            }
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let wrong = |why: &dyn fmt::Display| {
        Failure::Usage(format!("cannot read the token in {}: {why}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(wrong(&"it is too long for one"));
    }
    String::from_utf8(bytes).map_err(|_binary| wrong(&"it is no text"))
}

/// What it says must not be in the message: it could be most of a token.
fn bearer(token: &str, place: &str) -> Result<HeaderValue, Failure> {
    if token.is_empty() {
        return Err(Failure::Usage(format!("{place} is empty")));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_unsendable| Failure::Usage(format!("{place} cannot be sent in a header")))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::Credential;

    #[test]
    fn what_cannot_be_sent_is_said_without_saying_what_it_is() {
        let shown = Credential::Text("a-token".to_owned()).header().unwrap();
        assert_eq!(shown, "Bearer a-token");
        assert!(shown.is_sensitive());
        for token in ["canary\nof-two-lines", "canary\0"] {
            let failure = Credential::Text(token.to_owned()).header().unwrap_err().to_string();
            assert!(failure.contains("cannot be sent") && !failure.contains("canary"), "{failure}");
        }
        let missing = Credential::File("/nowhere/token".into()).header().unwrap_err().to_string();
        assert!(missing.contains("/nowhere/token"), "{missing}");
        let told = format!("{:?}", Credential::Text("canary".to_owned()));
        assert!(!told.contains("canary"), "{told}");
    }
}

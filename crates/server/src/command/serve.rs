//! `fanfare serve`: a server for others. It does not start until it is said who may publish and
//! that anyone may read.

use std::ffi::OsString;

use anyhow::Result;

use super::output;
use super::server_flags::ServerFlags;
use crate::config::settings::{Auth, Mode};
use crate::exit::Exit;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Starts a server that asks publishers for a key.
///
/// # Errors
///
/// Wrong settings, or a server that cannot start.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let settings = flags.server.settings(Mode::Serve)?;
    if let Some(refusal) = refusal(&settings.auth, std::env::args_os()) {
        output::note(&refusal);
        return Ok(Exit::Usage);
    }
    crate::serve::run(settings)
}

/// Why a server with this authentication does not start, and the two commands that fix it.
fn refusal(auth: &Auth, line: impl Iterator<Item = OsString>) -> Option<String> {
    let missing = match (auth.publisher_keys.is_empty(), auth.anonymous_subscribe) {
        (false, true) => return None,
        (true, true) => "there is no publisher key, so nobody could publish",
        (false, false) => "it is not said that anyone may read (--anonymous-subscribe)",
        (true, false) => {
            "there is no publisher key, and it is not said that anyone may read \
             (--anonymous-subscribe)"
        }
    };
    Some(format!(
        "fanfare serve does not start: {missing}. These two commands fix it:\n\
         \n  export FANFARE_KEY=\"${{FANFARE_KEY:-$(openssl rand -hex 24)}}\"\
         \n  {}\n\
         \n`fanfare pub` takes its key from FANFARE_KEY. For good, set `auth.publisher_keys` and \
         `auth.anonymous_subscribe` in fanfare.toml (`fanfare init` writes one).",
        corrected(line)
    ))
}

/// The command line as typed, with the two flags it lacked and without any key in clear.
fn corrected(line: impl Iterator<Item = OsString>) -> String {
    let mut words = vec!["fanfare".to_owned()];
    let mut rest = line.skip(1).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = rest.next() {
        if word == "--publisher-key" {
            rest.next();
        } else if word != "--anonymous-subscribe" && !word.starts_with("--publisher-key=") {
            words.push(quoted(&word));
        }
    }
    words.push("--publisher-key \"$FANFARE_KEY\" --anonymous-subscribe".to_owned());
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+[]".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "serve_test.rs"]
mod tests;

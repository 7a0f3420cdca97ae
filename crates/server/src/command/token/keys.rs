//! `fanfare token keys`: makes a publisher's key, of which the configuration holds only the hash.

use std::fmt::Write;

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::GrantFlags;
use crate::auth::grant::Pattern;
use crate::auth::key::KeyHash;
use crate::command::client::failure::Failure;
use crate::command::output;
use crate::config::namespace::check_name;
use crate::config::place::PUBLISHER_KEYS;
use crate::exit::Exit;

/// In front of every key, so that whoever finds one knows what it is.
const KEY_PREFIX: &str = "ffk_";

/// What `token keys` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// What the key is called in the configuration.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    grants: GrantFlags,
}

/// Prints the key on stderr, this once, and its table of the configuration on stdout, so that the
/// key does not come to stand there.
///
/// # Errors
///
/// The name or a pattern is none, or the system has no randomness to give.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let name = &flags.name;
    check_name(name).map_err(|change| Failure::Usage(format!("{name:?} is no name: {change}")))?;
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let mut table =
        format!("[{PUBLISHER_KEYS}.{name}]\nhash = \"{}\"\n", KeyHash::of(key.as_bytes()));
    let mut given = flags.grants.each().peekable();
    if given.peek().is_none() {
        table.push_str("publish = [\"**\"]\n");
    }
    for (right, patterns) in given {
        for text in patterns {
            let wrong = |why: &str| Failure::Usage(format!("--{} {text}: {why}", right.name()));
            let pattern = Pattern::new(text, None).map_err(|error| wrong(&error.to_string()))?;
            if pattern.is_vain() {
                return Err(wrong("a key has no subject").into());
            }
        }
        // Writing to a String cannot fail.
        let _infallible = writeln!(table, "{} = {patterns:?}", right.name());
    }
    output::note(&format!(
        "the key, shown this once; whoever publishes sends it as `Authorization: Bearer …`, and \
         `fanfare pub` takes it from FANFARE_KEY:\n\n  {key}\n\nfor fanfare.toml:\n"
    ));
    output::data(table.as_bytes())?;
    Ok(Exit::Success)
}

//! `fanfare token`: makes tokens and keys, and explains tokens check by check.

mod inspect;
mod keys;
mod make;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::auth::grant::Right;
use crate::config::settings::{Mode, Settings};
use crate::config::source::Source;
use crate::config::{Sources, machine};
use crate::exit::Exit;

/// What can be done with tokens and keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token, signed with the secret of an issuer or with a private key, and print it.
    New(Box<make::Flags>),
    /// Explain a token check by check, as the configuration has it.
    Inspect(inspect::Flags),
    /// Make a publisher's key and print what to write into the configuration.
    Keys(keys::Flags),
}

/// Does it.
///
/// # Errors
///
/// The configuration is wrong, or what it names cannot be read.
pub(crate) fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::New(flags) => make::run(flags),
        Command::Inspect(flags) => inspect::run(flags),
        Command::Keys(flags) => keys::run(flags),
    }
}

/// Patterns of channels, by what may be done with them.
#[derive(Debug, Args)]
struct GrantFlags {
    /// A pattern of channels that may be read; may be repeated, as the others may.
    #[arg(long, value_name = "PATTERN")]
    subscribe: Vec<String>,
    /// A pattern of channels that may be published to.
    #[arg(long, value_name = "PATTERN")]
    publish: Vec<String>,
    /// A pattern of channels whose members may be listed.
    #[arg(long, value_name = "PATTERN")]
    presence: Vec<String>,
    /// A pattern of channels whose history may be asked for.
    #[arg(long, value_name = "PATTERN")]
    history: Vec<String>,
    /// A pattern of channels that may be removed and, where publishing is granted, ended.
    #[arg(long, value_name = "PATTERN")]
    manage: Vec<String>,
}

impl GrantFlags {
    /// The patterns of each right that has some.
    fn each(&self) -> impl Iterator<Item = (Right, &Vec<String>)> {
        let lists = Right::ALL.into_iter().map(|right| {
            let list = match right {
                Right::Subscribe => &self.subscribe,
                Right::Publish => &self.publish,
                Right::Presence => &self.presence,
                Right::History => &self.history,
                Right::Manage => &self.manage,
            };
            (right, list)
        });
        lists.filter(|(_, list)| !list.is_empty())
    }
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFlag {
    /// The configuration file [default: ./fanfare.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFlag {
    /// What the file and the environment say.
    fn settings(&self) -> Result<Settings> {
        let effective = Sources::read(self.config.as_deref())?.overlay(Source::default())?;
        Ok(Settings::build(&effective, Mode::Serve, machine::any())?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

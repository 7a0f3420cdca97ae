//! `fanfare check`: whether a configuration file is right, without starting anything.

use std::path::PathBuf;

use anyhow::Result;

use super::output;
use super::serve::Lacks;
use crate::config::machine;
use crate::config::mistake::Mistakes;
use crate::config::settings::{Mode, Settings};
use crate::config::source::Source;
use crate::config::{FILE, Sources};
use crate::exit::Exit;
use crate::serve;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The file to check [default: ./fanfare.toml, if there is one].
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, as `serve` takes it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints `OK` and the file's name; the environment and the files that are named are checked with it.
/// The limit on open files is not, since the server may run elsewhere.
///
/// # Errors
///
/// Everything that is wrong.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let sources = Sources::read(flags.file.as_deref().or(flags.config.as_deref()))?;
    let path = sources.path.clone();
    let effective = sources.overlay(Source::default())?;
    let settings = Settings::build(&effective, Mode::Serve, machine::any())?;
    let mistakes = serve::mistakes(&settings, &effective);
    if !mistakes.is_empty() {
        return Err(Mistakes(mistakes).into());
    }
    match path {
        Some(path) => output::line(&format!("OK: {}", path.display()))?,
        None => output::line(&format!("OK: there is no {FILE} here, defaults hold"))?,
    }
    if let Some(lacks) = Lacks::of(&settings) {
        let (words, keys) = (lacks.words(), lacks.keys());
        output::note(&format!(
            "note: with this alone `fanfare serve` does not start: {words}; set {keys} in any source"
        ));
    }
    Ok(Exit::Success)
}

//! `fanfare log`: what an operator does with a log beside serving it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use fanfare_core::position::Position;
use fanfare_protocol::native::cursor::position_text;

use super::output;
use super::server_flags::ServerFlags;
use crate::config::settings::{Mode, Settings};
use crate::engine::log::{Files, Opened, Stat, State, backup, dump, repair, stat, verify};
use crate::engine::log_options;
use crate::exit::Exit;

/// What can be done with a log.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read all of it and say what is not as it was written; also while a server has it open.
    Verify(Flags),
    /// Set damaged parts aside and cut off a torn tail, as a server would at its start.
    Repair(Flags),
    /// Count what is in it; also while a server has it open.
    Stat(Flags),
    /// Print every record, a line each; also while a server has it open.
    Dump(Flags),
    /// Copy it to another directory; also while a server has it open.
    Backup(BackupFlags),
}

/// Which log.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Which log, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupFlags {
    /// A directory that does not exist, or is empty.
    directory: PathBuf,
    #[command(flatten)]
    server: ServerFlags,
}

/// Does it.
///
/// # Errors
///
/// It is no log, a newer version made it, or the disk said no.
pub(crate) fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::Verify(flags) => verified(&flags.settings()?),
        Command::Repair(flags) => repaired(&flags.settings()?),
        Command::Stat(flags) => counted(&flags.settings()?),
        Command::Dump(flags) => dumped(&flags.settings()?),
        Command::Backup(flags) => {
            let settings = flags.server.settings(Mode::Dev)?;
            let (from, to) = (&settings.storage.directory, &flags.directory);
            let copied = backup(from, &Files::System, to)?;
            let (segments, bytes) = (copied.segments, copied.bytes);
            let segments = several(segments as u64, "segment");
            output::line(&format!("{segments}, {bytes} bytes in {}", to.display()))?;
            Ok(Exit::Success)
        }
    }
}

impl Flags {
    fn settings(&self) -> Result<Settings> {
        // What only a server needs is not asked for.
        self.server.settings(Mode::Dev)
    }
}

fn verified(settings: &Settings) -> Result<Exit> {
    let mut told = Ok(());
    let verdict = verify(&settings.storage.directory, &Files::System, &mut |segment| {
        let state = match segment.state {
            State::Sealed => "intact".to_owned(),
            State::Active { torn: 0 } => "intact, not yet full".to_owned(),
            State::Active { torn } => {
                format!("intact, not yet full, {torn} bytes behind the last batch")
            }
            State::SetAside => "set aside before".to_owned(),
            State::Damaged => "damaged".to_owned(),
        };
        if told.is_ok() {
            let (number, bytes) = (segment.number, segment.bytes);
            told = output::line(&format!("segment {number:x}: {bytes} bytes, {state}"));
        }
    })?;
    told?;
    for damage in &verdict.damaged {
        output::line(&damage.to_string())?;
    }
    if verdict.intact() {
        return Ok(Exit::Success);
    }
    output::line("damaged: `fanfare log repair`, or the next start, sets it aside")?;
    Ok(Exit::Failure)
}

fn repaired(settings: &Settings) -> Result<Exit> {
    let options = log_options(settings);
    let opened: Opened = repair(options, &settings.storage.directory, Files::System)?;
    for segment in &opened.set_aside {
        output::line(&format!("set aside: {}", segment.damage))?;
    }
    if opened.begins_anew {
        output::line("every channel begins anew: which ones were damaged cannot be known")?;
    }
    let Opened { cut, channels_anew, channels, publications, .. } = opened;
    let (anew, channels) =
        (several(channels_anew as u64, "channel"), several(channels as u64, "channel"));
    let publications = several(publications, "publication");
    output::line(&format!("cut off at the end: {cut} bytes; begin anew: {anew}"))?;
    output::line(&format!("kept: {channels}, {publications}"))?;
    Ok(Exit::Success)
}

/// A number of things.
fn several(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn counted(settings: &Settings) -> Result<Exit> {
    let options = log_options(settings);
    let now = options.clock.unix();
    let counted: Stat = stat(&settings.storage.directory, &Files::System, options.rules, now)?;
    for (name, value) in [
        ("segments", counted.segments as u64),
        ("bytes", counted.bytes),
        ("channels", counted.channels as u64),
        ("publications", counted.publications),
        ("live bytes", counted.live_bytes),
        ("keys", counted.keys as u64),
        ("mark", counted.mark),
        ("damaged segments", counted.damaged as u64),
    ] {
        output::line(&format!("{name:16} {value}"))?;
    }
    // As it stands behind the dot of positions.
    let position = position_text(Position::new(0, counted.generation));
    let generation = position.trim_start_matches("0.");
    output::line(&format!("{:16} {generation}", "generation"))?;
    if let Some((oldest, newest)) = counted.times {
        output::line(&format!("{:16} {oldest} to {newest} (Unix milliseconds)", "published"))?;
    }
    Ok(Exit::Success)
}

fn dumped(settings: &Settings) -> Result<Exit> {
    let mut outcome = Ok(());
    dump(&settings.storage.directory, &Files::System, &mut |record| {
        if outcome.is_ok() {
            outcome = output::line(&record.to_string());
        }
    })?;
    outcome.map(|()| Exit::Success)
}

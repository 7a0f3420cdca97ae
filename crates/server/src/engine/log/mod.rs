//! The log engine: history on disk. `docs/log-format.md` says what stands there, byte by byte.
//!
//! # How it is used
//!
//! 1. [`Log::open`] locks the directory and reads it. Nothing is served yet; [`Opened`] says what was
//!    found, and goes into `ShardSettings` (generation, mark) and to the operator.
//! 2. [`Log::restored`] gives each shard its channels, whatever the number of shards was before.
//! 3. [`Log::start`] starts the writer and the readers. Their answers come through
//!    [`Outlets::deliver`]: one call per shard and batch, in order. [`Outlets::report`] must end the
//!    process on [`Report::Fatal`].
//! 4. Each shard hands its commands to a [`LogHandle`], which never waits for the disk.
//! 5. When the shards have ended, [`Running::stop`] writes what is left and the checkpoint.
//!
//! # What it keeps of the contract of engines
//!
//! - An append is stored only directly after [`Append::after`](fanfare_core::shard::Append), or not at
//!   all, and an end is the last thing that is stored of an epoch. A channel that the log does not
//!   know begins where its first append says.
//! - `Committed` comes once a batch and channel, for its last append. `Failed` carries the code:
//!   `not-applied`, `storage-full` or `payload-too-large`. `Unknown` never comes: when the outcome is
//!   not known, the process ends.
//! - A removal and a mark are answered when they are synced, whatever the channel's durability.
//!   A mark that finds no room is not answered; the owner tries again.
//! - A page may hold what has expired, and what the owner has not yet heard to be committed.
//! - Where a read meets damage, the channel's floor rises above it, and the read is answered as if
//!   retention had removed what is lost.
//!
//! # The rooms
//!
//! - `options`, `outcome`, `figures`: what goes in, what is said, what is counted
//! - `files`: the one way to the disk; `format`: the bytes
//! - `index`: what is stored and where, in memory
//! - `open`: from the directory to the index, and what is done about crashes and damage
//! - `write`: the writer; `read`: the readers; `shared`: what they have in common
//! - `tool`: verifying, counting, showing and copying a log

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[cfg(test)]
mod disk;
mod figures;
mod files;
mod format;
mod index;
mod open;
mod options;
mod outcome;
mod read;
mod shared;
#[cfg(test)]
mod tests;
mod tool;
mod write;

pub(crate) use figures::LogFigures;
pub(crate) use files::Files;
pub(crate) use options::{ChannelRules, Clock, Durability, LogOptions, OnCorruption, RulesOf};
#[cfg(test)]
pub(crate) use outcome::Wrong;
pub(crate) use outcome::{Left, OpenError, Opened, Outlets, Report, SetAside};
#[cfg(test)]
pub(crate) use tool::BackupError;
pub(crate) use tool::{Stat, State, backup, dump, repair, stat, verify};

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, JoinHandle};

use fanfare_core::name::ChannelName;
use fanfare_core::position::Position;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{EngineCommand, Restored};

use open::{Keys, Ready};
use read::Job;
use shared::Shared;
use write::Writer;

/// A log that was opened and not yet started.
#[derive(Debug)]
pub(crate) struct Log {
    shared: Arc<Shared>,
    writer: Writer,
    keys: Keys,
}

/// A log that works.
#[derive(Debug)]
pub(crate) struct Running {
    shared: Arc<Shared>,
    /// Gives the writer back if everything that it was given is stored.
    writer: JoinHandle<Option<Writer>>,
    readers: Vec<JoinHandle<()>>,
}

/// Where commands are handed over. Cheap to clone; one for each shard.
#[derive(Debug, Clone)]
pub(crate) struct LogHandle {
    shared: Arc<Shared>,
}

impl Log {
    /// Opens the log in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`OpenError`] says why it cannot be opened. Nothing was changed then, unless the disk failed in
    /// the middle of it, which the next opening finds as it would find a crash.
    pub(crate) fn open(
        options: LogOptions,
        directory: &Path,
        files: Files,
    ) -> Result<(Self, Opened), OpenError> {
        let (ready, opened) = open::open(options, directory, files)?;
        let Ready { shared, writer, keys } = ready;
        Ok((Self { shared, writer, keys }, opened))
    }

    /// Gives out the channels that somebody wants, each with its keys. To be asked once for each shard.
    pub(crate) fn restored(&mut self, wanted: impl Fn(&ChannelName) -> bool) -> Vec<Restored> {
        let index = self.shared.index();
        let wanted = index.iter().filter(|channel| channel.written() && wanted(&channel.name));
        let mut restored = Vec::new();
        for channel in wanted {
            let keys = self.keys.remove(&channel.name).unwrap_or_default();
            restored.push(Restored {
                name: channel.name.clone(),
                start: Position::new(channel.start, channel.stored.epoch),
                head: channel.stored.head,
                skipped: index.skipped(channel),
                ended: channel.stored.ended,
                newest: channel.newest,
                keys: keys.into_values().collect(),
            });
        }
        restored
    }

    /// Starts the writer and the readers.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(self, outlets: Outlets) -> io::Result<Running> {
        let Self { shared, mut writer, .. } = self;
        shared.connect(outlets);
        let (ours, theirs) = (Arc::clone(&shared), Arc::clone(&shared));
        let write = move || {
            let stored = guarded(&ours, || writer.run()).unwrap_or(false);
            stored.then_some(writer)
        };
        let writer = Builder::new().name("log".to_owned()).spawn(write)?;
        let readers = (0..shared.options.readers.max(1)).map(|number| {
            let shared = Arc::clone(&theirs);
            let read = move || {
                give_way();
                guarded(&shared, || read::run(&shared));
            };
            Builder::new().name(format!("log-read-{number}")).spawn(read)
        });
        let readers = readers.collect::<io::Result<_>>()?;
        Ok(Running { shared, writer, readers })
    }
}

impl Running {
    /// Where commands are handed over.
    pub(crate) fn handle(&self) -> LogHandle {
        LogHandle { shared: Arc::clone(&self.shared) }
    }

    /// Stores what was handed over, ends the threads and writes the checkpoint. Commands that are
    /// handed over later are dropped.
    ///
    /// # Errors
    /// Something could not be stored, or the checkpoint could not: the next start is one after a crash.
    pub(crate) fn stop(self) -> io::Result<()> {
        self.shared.commands.close();
        // A panic was caught and told where it happened.
        let writer = self.writer.join().ok().flatten();
        self.shared.jobs.close();
        for reader in self.readers {
            let _caught = reader.join();
        }
        let failed = || io::Error::other("the log could not store everything");
        let stopped = writer.ok_or_else(failed).and_then(|mut writer| writer.stop());
        self.shared.unlock();
        stopped
    }
}

impl LogHandle {
    /// Hands over commands that change something, all of these. It never waits for the disk.
    pub(crate) fn submit(&self, commands: &mut Vec<(ShardId, EngineCommand)>) {
        self.shared.commands.put_all(commands);
    }

    /// Hands over a question of a shard: a read, a place to be found, or a part of the history.
    pub(crate) fn ask(&self, shard: ShardId, command: EngineCommand) {
        self.shared.jobs.put(Job { shard, command });
    }

    /// What the log has counted, and where it stands.
    pub(crate) fn figures(&self) -> LogFigures {
        figures_of(&self.shared)
    }
}

/// What the log has counted, and where it stands.
fn figures_of(shared: &Shared) -> LogFigures {
    let beside = shared.cells.bytes_beside.load(Relaxed);
    let (commands, reads) = (shared.commands.len(), shared.jobs.len());
    let index = shared.index();
    LogFigures {
        commands_waiting: commands as u64,
        reads_waiting: reads as u64,
        segments: index.segments.len() as u64,
        bytes: index.segments.file_bytes().saturating_add(beside),
        live_bytes: index.segments.live_bytes,
        publications: index.segments.publications,
        channels: index.len() as u64,
        ..shared.cells.figures()
    }
}

/// Has this thread give way to shards and the writer where there are fewer cores than threads: who
/// reads back has waited for the disk, who is live has not.
fn give_way() {
    // Elsewhere it would be the whole process that gives way. Where it may not, it does not.
    #[cfg(target_os = "linux")]
    let _refused = rustix::process::nice(GIVES_WAY);
}

/// How far.
#[cfg(target_os = "linux")]
const GIVES_WAY: i32 = 5;

/// Runs a part of the log. Where it panics nobody knows what is stored, and the process has to end.
fn guarded<T>(shared: &Shared, run: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    if outcome.is_err() {
        shared.report(Report::Fatal(io::Error::other("a thread of the log has panicked")));
    }
    outcome.ok()
}

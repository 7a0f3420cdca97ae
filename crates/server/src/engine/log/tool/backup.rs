//! Copying a log, also while a server has it open.
//!
//! Sealed segments never change, and what lives in one that goes was written again before. So the
//! segments in their order, and of the last one what is whole, are a log that a crash could have left.
//! What says that it is one comes last, and says that it is a copy: by the time it is opened, the log
//! itself may have given out any number of offsets.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Reading, read};
use crate::engine::log::files::{Access, Files};
use crate::engine::log::format::store::{Identity, Store};
use crate::engine::log::open::{Condition, Expected, numbers};
use crate::engine::log::outcome::Damage;
use crate::engine::log::shared::Paths;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backup {
    /// Segments.
    pub segments: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Why no copy was made.
#[derive(Debug, Error)]
pub(crate) enum BackupError {
    /// There is something where the copy should go.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// There is no log, or none that this version knows.
    #[error("{} is no log of this version", .0.display())]
    NoLog(PathBuf),
    /// The log is damaged: a copy would be as well.
    #[error("{0}; repair the log first")]
    Damaged(Damage),
    /// It changes faster than it can be copied.
    #[error("segments go faster than they can be copied")]
    TooFast,
    /// The disk said no.
    #[error("{}: {error}", file.display())]
    Io {
        /// What was read or written.
        file: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// A copy that is being made.
struct Copying<'a> {
    files: &'a Files,
    store: Store,
    from: Paths,
    to: Paths,
    /// The segments that were copied as a whole.
    done: Vec<(u64, u64)>,
}

/// What became of one segment.
enum Copied {
    /// It was sealed, and is there as a whole.
    Whole,
    /// It was the newest one, and is there as far as it was written.
    Newest,
    /// It was gone.
    Gone,
}

/// Copies the log in a directory to another one, which must be empty or not there.
///
/// # Errors
/// [`BackupError`] says why there is no copy; what was written of it stays.
pub(crate) fn backup(directory: &Path, files: &Files, to: &Path) -> Result<Backup, BackupError> {
    let (from, to) = (Paths::new(directory), Paths::new(to));
    let done = Vec::new();
    let mut copying = Copying { files, store: store(files, &from, &to)?, from, to, done };
    let made = files.make_directory(&copying.to.segments());
    made.map_err(failed(copying.to.root()))?;
    for _ in 0..ROUNDS_MAX {
        let found = numbers(files, &copying.from).map_err(failed(copying.from.root()))?;
        let Some(newest) = found.last().copied() else {
            return Err(BackupError::NoLog(directory.to_owned()));
        };
        if let Some(backup) = copying.round(&found, newest)? {
            return Ok(backup);
        }
    }
    Err(BackupError::TooFast)
}

/// What a log is, if there is room for a copy of it.
fn store(files: &Files, from: &Paths, to: &Paths) -> Result<Store, BackupError> {
    let there = files.names(to.root()).map_err(failed(to.root()))?;
    if !there.is_empty() {
        return Err(BackupError::NotEmpty(to.root().to_owned()));
    }
    let file = from.store();
    let bytes = match files.read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        bytes => bytes.map_err(failed(&file))?,
    };
    match Store::of(&bytes) {
        Identity::Intact(store) => Ok(store),
        Identity::Newer(_) | Identity::Broken => Err(BackupError::NoLog(from.root().to_owned())),
    }
}

impl Copying<'_> {
    /// Puts the names of what was copied on the disk, and then what says that it is a log.
    fn finish(&self) -> io::Result<()> {
        self.files.sync_directory(&self.to.segments())?;
        let store = Store { copied: true, ..self.store };
        self.files.replace(&self.to.store(), &store.to_bytes())
    }

    /// Copies the segments that are not yet copied. It is done when the newest one is still the
    /// newest one after it was copied.
    fn round(&mut self, found: &[u64], newest: u64) -> Result<Option<Backup>, BackupError> {
        for number in found.iter().copied() {
            if self.done.last().is_some_and(|(last, _)| number <= *last) {
                continue;
            }
            if self.done.last().is_some_and(|(last, _)| last.saturating_add(1) != number) {
                // What came before it is gone: then what was copied is not needed either.
                self.discard()?;
            }
            let (copied, bytes) = self.copy(number, number == newest)?;
            match copied {
                Copied::Whole => self.done.push((number, bytes)),
                Copied::Gone => self.discard()?,
                Copied::Newest => {
                    let now = numbers(self.files, &self.from).map_err(failed(self.from.root()))?;
                    if now.last() != Some(&number) {
                        return Ok(None);
                    }
                    let segments = self.done.len().saturating_add(1);
                    let whole = self.done.iter().map(|(_, bytes)| *bytes);
                    let bytes = whole.fold(bytes, u64::saturating_add);
                    self.finish().map_err(failed(self.to.root()))?;
                    return Ok(Some(Backup { segments, bytes }));
                }
            }
        }
        Ok(None)
    }

    fn copy(&self, number: u64, newest: bool) -> Result<(Copied, u64), BackupError> {
        let expected = Expected { number, newest, first: None, generation: None, behind: None };
        let file = self.from.segment(number);
        let reading = read(self.files, &self.from, &expected).map_err(failed(&file))?;
        let Some(Reading { bytes, condition }) = reading else { return Ok((Copied::Gone, 0)) };
        let (copied, bytes) = match condition {
            Condition::Sealed { .. } | Condition::SetAside => (Copied::Whole, bytes.as_slice()),
            Condition::Active(end) => {
                let end = usize::try_from(end.position).unwrap_or(usize::MAX);
                (Copied::Newest, bytes.get(..end).unwrap_or_default())
            }
            Condition::Newer(_) => {
                return Err(BackupError::NoLog(self.from.root().to_owned()));
            }
            Condition::Damaged { position, what, .. } => {
                return Err(BackupError::Damaged(Damage { file, position, what }));
            }
        };
        let to = self.to.segment(number);
        let write = || {
            let file = self.files.open(&to, Access::Create)?;
            file.write_at(bytes, 0)?;
            file.sync()
        };
        write().map_err(failed(&to))?;
        Ok((copied, bytes.len() as u64))
    }

    /// Removes what was copied: it has gone in the log as well.
    fn discard(&mut self) -> Result<(), BackupError> {
        for (number, _) in self.done.drain(..) {
            let file = self.to.segment(number);
            self.files.remove(&file).map_err(failed(&file))?;
        }
        Ok(())
    }
}

fn failed(file: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let file = file.to_owned();
    move |error| BackupError::Io { file: file.clone(), error }
}

/// How often the newest segment may be sealed while it is copied.
const ROUNDS_MAX: u32 = 1_000;

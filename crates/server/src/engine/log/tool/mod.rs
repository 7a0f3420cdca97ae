//! What an operator does with a log beside serving it: verify, repair, count, show and copy.
//!
//! Verifying, counting, showing and copying take no lock and change nothing, so that they can be done
//! while a server has the log open; what is being written at that moment is then not seen.

mod backup;
mod dump;
mod stat;
mod verify;

#[cfg(test)]
pub(crate) use backup::BackupError;
pub(crate) use backup::backup;
pub(crate) use dump::dump;
pub(crate) use stat::{Stat, stat};
pub(crate) use verify::{State, verify};

use std::io;
use std::path::Path;

use super::files::Files;
use super::format::segment::Trailer;
use super::open::{Condition, Expected, examine};
use super::options::{LogOptions, OnCorruption};
use super::outcome::{OpenError, Opened};
use super::{Log, open};

/// Sets damaged segments aside, has their channels begin anew, cuts a torn tail off, and leaves the log
/// as a stop would.
///
/// # Errors
/// As [`Log::open`]; or the log could not be left in good order.
pub(crate) fn repair(
    options: LogOptions,
    directory: &Path,
    files: Files,
) -> Result<Opened, OpenError> {
    let options = LogOptions { on_corruption: OnCorruption::Quarantine, ..options };
    let (mut log, opened) = Log::open(options, directory, files)?;
    let file = directory.to_owned();
    log.writer.stop().map_err(|error| OpenError::Io { file, error })?;
    Ok(opened)
}

/// A segment as it was read while it may have been written to.
struct Reading {
    bytes: Vec<u8>,
    condition: Condition,
}

/// Reads a segment until it makes sense: what is written while it is read looks damaged. None if it is
/// not there.
fn read(
    files: &Files,
    paths: &super::shared::Paths,
    expected: &Expected,
) -> io::Result<Option<Reading>> {
    let file = paths.segment(expected.number);
    for attempt in 1.. {
        let bytes = match files.read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let condition = examine(&bytes, expected, &mut |_| Some(()));
        let unsure = expected.newest && matches!(condition, Condition::Damaged { .. });
        // What is sealed does not change any more.
        if !unsure || attempt == ATTEMPTS || Trailer::of(&bytes).is_some() {
            return Ok(Some(Reading { bytes, condition }));
        }
    }
    Ok(None)
}

/// How often a segment is read until it makes sense.
const ATTEMPTS: u32 = 5;

/// The numbers of the segments there are.
fn numbers(files: &Files, paths: &super::shared::Paths) -> Result<Vec<u64>, OpenError> {
    let file = paths.root().to_owned();
    open::numbers(files, paths).map_err(|error| OpenError::Io { file, error })
}

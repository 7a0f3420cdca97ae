//! Verifying: every byte of every segment.

use std::path::Path;

use super::{Reading, numbers, read};
use crate::engine::log::files::Files;
use crate::engine::log::format::store::{Identity, Store};
use crate::engine::log::open::{Condition, Expected};
use crate::engine::log::outcome::{Damage, OpenError, Wrong};
use crate::engine::log::shared::Paths;

/// What verifying has found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// Each segment, the oldest first.
    pub segments: Vec<SegmentVerdict>,
    /// Everything that is not as it was written.
    pub damaged: Vec<Damage>,
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentVerdict {
    /// Its number.
    pub number: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// What it is like.
    pub state: State,
}

/// What a segment is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Sealed and intact.
    Sealed,
    /// The one that is written to; so many bytes behind its last whole batch are what was being
    /// written, or what a crash has left.
    Active {
        /// Those bytes.
        torn: u64,
    },
    /// It stands in the place of one that was set aside.
    SetAside,
    /// It is damaged.
    Damaged,
}

impl Verdict {
    /// Whether everything is as it was written.
    pub(crate) fn intact(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// Verifies the log in a directory. `progress` hears of each segment.
///
/// # Errors
/// It is no log, a newer version made it, or the disk said no.
pub(crate) fn verify(
    directory: &Path,
    files: &Files,
    progress: &mut dyn FnMut(&SegmentVerdict),
) -> Result<Verdict, OpenError> {
    let paths = Paths::new(directory);
    let mut verdict = Verdict::default();
    let store = store(files, &paths, &mut verdict)?;
    let found = numbers(files, &paths)?;
    let newest = found.last().copied();
    let mut first = None;
    let mut before: Option<u64> = None;
    for number in found {
        if before.is_some_and(|before| before.saturating_add(1) != number) {
            let missing = paths.segment(number.saturating_sub(1));
            verdict.damaged.push(Damage { file: missing, position: 0, what: Wrong::Missing });
            first = None;
        }
        let newest = Some(number) == newest;
        let generation = store.map(|store| store.generation);
        let expected = Expected { number, newest, first, generation, behind: None };
        let file = paths.segment(number);
        let reading =
            read(files, &paths, &expected).map_err(|error| OpenError::Io { file, error })?;
        // It may have been removed meanwhile, with all before it.
        let Some(Reading { bytes, condition }) = reading else {
            (first, before) = (None, None);
            continue;
        };
        before = Some(number);
        let (state, next) = judge(condition, &paths, number, &mut verdict)?;
        first = next;
        let segment = SegmentVerdict { number, bytes: bytes.len() as u64, state };
        progress(&segment);
        verdict.segments.push(segment);
    }
    Ok(verdict)
}

/// What a segment is like, and which sequence number comes behind it.
fn judge(
    condition: Condition,
    paths: &Paths,
    number: u64,
    verdict: &mut Verdict,
) -> Result<(State, Option<u64>), OpenError> {
    let file = paths.segment(number);
    Ok(match condition {
        Condition::Sealed { sequence, .. } => (State::Sealed, Some(sequence)),
        Condition::SetAside => (State::SetAside, None),
        Condition::Active(end) => {
            let torn = end.torn.unwrap_or(end.position).saturating_sub(end.position);
            (State::Active { torn }, Some(end.sequence))
        }
        Condition::Damaged { position, what, .. } => {
            verdict.damaged.push(Damage { file, position, what });
            (State::Damaged, None)
        }
        Condition::Newer(version) => return Err(OpenError::Newer { file, version }),
    })
}

/// Reads what the store is.
fn store(files: &Files, paths: &Paths, verdict: &mut Verdict) -> Result<Option<Store>, OpenError> {
    let file = paths.store();
    let bytes = files.read(&file).map_err(|error| OpenError::Io { file: file.clone(), error })?;
    match Store::of(&bytes) {
        Identity::Intact(store) => Ok(Some(store)),
        Identity::Newer(version) => Err(OpenError::Newer { file, version }),
        Identity::Broken => {
            verdict.damaged.push(Damage { file, position: 0, what: Wrong::Header });
            Ok(None)
        }
    }
}

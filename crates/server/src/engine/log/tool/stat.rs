//! Counting: what a log holds.

use std::path::Path;

use fanfare_core::position::{Epoch, Offset};
use fanfare_core::time::UnixMillis;

use crate::engine::log::files::Files;
use crate::engine::log::format::store::{Identity, Store};
use crate::engine::log::index::Index;
use crate::engine::log::open::scan::{self, Known};
use crate::engine::log::options::RulesOf;
use crate::engine::log::outcome::OpenError;
use crate::engine::log::shared::Paths;

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The epoch of every channel that was never removed.
    pub generation: Epoch,
    /// The highest offset that was ever forgotten.
    pub mark: Offset,
    /// Segments.
    pub segments: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// Channels with a state.
    pub channels: usize,
    /// Publications that are kept.
    pub publications: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// When the oldest and the newest publication that is kept were published.
    pub times: Option<(UnixMillis, UnixMillis)>,
    /// Keys that are remembered.
    pub keys: usize,
    /// Damaged segments.
    pub damaged: usize,
}

/// Counts what the log in a directory holds, under the rules that a server would have.
///
/// # Errors
/// It is no log, a newer version made it, or the disk said no.
pub(crate) fn stat(
    directory: &Path,
    files: &Files,
    rules: RulesOf,
    now: UnixMillis,
) -> Result<Stat, OpenError> {
    let paths = Paths::new(directory);
    let file = paths.store();
    let bytes = files.read(&file).map_err(|error| OpenError::Io { file: file.clone(), error })?;
    let (store, generation) = match Store::of(&bytes) {
        Identity::Intact(store) => (store, Some(store.generation)),
        Identity::Newer(version) => return Err(OpenError::Newer { file, version }),
        Identity::Broken => {
            let generation = Epoch::from_bits(1);
            (Store { generation, mark: 0, time: 0, copied: false }, None)
        }
    };
    let index = Index::new(store.generation, store.mark, rules);
    let known = Known { generation, newest: None };
    let scan = scan::scan(files, &paths, index, known, now)?;
    let index = &scan.index;
    let ends = index.iter().filter_map(|channel| {
        let newest = channel.placed(channel.count().checked_sub(1)?)?;
        Some((channel.placed(0)?.time, newest.time))
    });
    let wider =
        |(old, new): (u64, u64), (oldest, newest): (u64, u64)| (old.min(oldest), new.max(newest));
    Ok(Stat {
        generation: index.generation,
        mark: index.mark,
        segments: index.segments.len(),
        bytes: index.segments.file_bytes(),
        channels: index.len(),
        publications: index.segments.publications,
        live_bytes: index.segments.live_bytes,
        times: ends.reduce(wider),
        keys: scan.keys.values().map(|keys| keys.len()).sum(),
        damaged: scan.damaged.len(),
    })
}

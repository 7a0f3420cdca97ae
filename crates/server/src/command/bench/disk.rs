//! The least that storing can cost: one thread that writes to a file that is allocated, syncs it, and
//! does that again.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};

use super::connect::Clock;
use super::crew::Work;
use super::folder::Folder;
use super::histogram::Latencies;

/// Writes so many records at once, of so many bytes each, and syncs them, for some time.
///
/// # Errors
/// What the disk says.
pub(super) fn write_and_sync(
    folder: &Folder,
    (count, bytes): (usize, usize),
    clock: Clock,
    time: Duration,
) -> Result<Work> {
    let path = folder.path().join("floor");
    let file = File::create_new(&path).with_context(|| path.display().to_string())?;
    fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES).context("no room for the floor")?;
    file.sync_all()?;
    let records = vec![b'x'; count * bytes];
    let step = records.len() as u64;
    let mut work = Work { latencies: Latencies::new()?, count: 0, nanos: 0 };
    let (begun, mut position) = (clock.nanos(), 0);
    let until = begun + u64::try_from(time.as_nanos())?;
    let mut sent = begun;
    while sent < until {
        file.write_all_at(&records, position)?;
        file.sync_data()?;
        let now = clock.nanos();
        for _ in 0..count {
            work.latencies.record(now - sent);
        }
        work.count += count as u64;
        position = if position + 2 * step > FILE_BYTES { 0 } else { position + step };
        sent = now;
    }
    work.nanos = sent - begun;
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(work)
}

/// As much as a segment of Fanfare's.
const FILE_BYTES: u64 = 64 << 20;

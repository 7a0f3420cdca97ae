//! Folders of the bench's own, which are gone when it ends, however that happens.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// A folder that is removed at the end.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// Where servers keep what they store.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// Where servers store what is published: a folder on a disk, in which one is made and removed
    /// at the end.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data: PathBuf,
}

impl Place {
    /// A folder for one server.
    ///
    /// # Errors
    /// If it cannot be made, or does not lie on a disk.
    pub(super) fn folder(&self) -> Result<Folder> {
        let data = &self.data;
        let told = || data.display().to_string();
        let kind = rustix::fs::statfs(data).with_context(told)?.f_type;
        if MEMORY.iter().any(|memory| i128::from(kind) == *memory) {
            bail!("{} lies in memory, where nothing is synced: give --data", data.display());
        }
        Folder::within(&data.canonicalize().with_context(told)?)
    }
}

impl Folder {
    /// One for files that need not last.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    fn within(parent: &Path) -> Result<Self> {
        let name = format!("fanfare-bench-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = parent.join(name);
        // Whoever ends the process in between removes nothing that is not there.
        made().insert(path.clone());
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Bytes of the disk that it takes, with everything in it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn bytes(&self) -> Result<u64> {
        bytes_of(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the folder for such things.
        let _left = fs::remove_dir_all(&self.0);
        made().remove(&self.0);
    }
}

/// Removes the folders of this process, wherever in a measurement it is.
pub(super) fn remove_all() {
    for folder in made().iter() {
        // What is left behind lies in the folder for such things.
        let _left = fs::remove_dir_all(folder);
    }
}

fn bytes_of(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        // What goes while it is looked at takes nothing.
        let Ok(entry) = entry else { continue };
        let Ok(found) = entry.metadata() else { continue };
        sum += if found.is_dir() { bytes_of(&entry.path())? } else { found.blocks() * BLOCK };
    }
    Ok(sum)
}

fn made() -> std::sync::MutexGuard<'static, BTreeSet<PathBuf>> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

static MADE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// File systems that are memory: tmpfs and ramfs.
const MEMORY: [i128; 2] = [0x0102_1994, 0x8584_58f6];

/// What the kernel counts the room of a file in.
const BLOCK: u64 = 512;

#[cfg(test)]
#[path = "folder_test.rs"]
mod tests;

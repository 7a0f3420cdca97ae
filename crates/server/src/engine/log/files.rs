//! The one way to the disk: a closed set of operations on files, by the system or, in tests, by a
//! disk in memory that loses what was not synced.

#[cfg(test)]
use super::disk::{SimDisk, SimFile};

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags};

/// Where files come from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Files {
    /// The system.
    #[default]
    System,
    /// A disk in memory.
    #[cfg(test)]
    Simulated(SimDisk),
}

/// One open file.
#[derive(Debug)]
pub(crate) enum File {
    /// The system's.
    System(fs::File),
    /// One of a disk in memory.
    #[cfg(test)]
    Simulated(SimFile),
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It exists and is only read.
    Read,
    /// It exists and is read and written.
    Write,
    /// It is made, empty, in the place of what may be there.
    Create,
}

impl Files {
    /// Opens a file.
    pub(crate) fn open(&self, path: &Path, access: Access) -> io::Result<File> {
        match self {
            Self::System => {
                let mut options = fs::OpenOptions::new();
                options.read(true).write(access != Access::Read);
                options.create(access == Access::Create).truncate(access == Access::Create);
                options.mode(FILE_MODE);
                options.open(path).map(File::System)
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.open(path, access).map(File::Simulated),
        }
    }

    /// Makes a directory, and those above it, unless they are there. Their names are synced.
    pub(crate) fn make_directory(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => {
                if path.is_dir() {
                    return Ok(());
                }
                let above = path.parent().filter(|above| !above.as_os_str().is_empty());
                if let Some(above) = above {
                    self.make_directory(above)?;
                }
                match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => self.sync_directory(above.unwrap_or(Path::new("."))),
                }
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.make_directory(path),
        }
    }

    /// The names of the files in a directory; none if it is not there.
    pub(crate) fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        match self {
            Self::System => {
                let entries = match fs::read_dir(directory) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    entries => entries?,
                };
                // Names that are no UTF-8 are none of the log's.
                entries
                    .map(|entry| Ok(entry?.file_name().into_string().ok()))
                    .filter_map(Result::transpose)
                    .collect()
            }
            #[cfg(test)]
            Self::Simulated(disk) => Ok(disk.names(directory)),
        }
    }

    /// The length of a file; none if it is not there.
    pub(crate) fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match self.open(path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(file?.length()?)),
        }
    }

    /// Gives a file another name, in the place of what may be there.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::rename(from, to),
            #[cfg(test)]
            Self::Simulated(disk) => disk.rename(from, to),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::remove_file(path),
            #[cfg(test)]
            Self::Simulated(disk) => disk.remove(path),
        }
    }

    /// Gives a file a second name, or makes a copy where the file system has no second names.
    pub(crate) fn double(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Self::System => {
                if fs::hard_link(from, to).is_ok() {
                    return Ok(());
                }
                fs::copy(from, to)?;
                self.open(to, Access::Write)?.sync()
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.double(from, to),
        }
    }

    /// Syncs the names in a directory.
    pub(crate) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::File::open(directory)?.sync_all(),
            #[cfg(test)]
            Self::Simulated(disk) => disk.sync_directory(directory),
        }
    }

    /// Reads a whole file.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Access::Read)?;
        let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes a whole small file so that either the old or the new one is there: beside it, synced,
    /// renamed, and the directory synced.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        let file = self.open(&beside, Access::Create)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.rename(&beside, path)?;
        self.sync_directory(path.parent().unwrap_or(Path::new(".")))
    }
}

impl File {
    /// Its length.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self {
            Self::System(file) => Ok(file.metadata()?.len()),
            #[cfg(test)]
            Self::Simulated(file) => Ok(file.length()),
        }
    }

    /// Reads until the buffer is full or the file ends; says how much that was.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Self::System(file) => {
                let mut read = 0;
                while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, position.saturating_add(read as u64)) {
                        Ok(0) => break,
                        Ok(more) => read = read.saturating_add(more),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(read)
            }
            #[cfg(test)]
            Self::Simulated(file) => file.read_at(buffer, position),
        }
    }

    /// Writes all of it.
    pub(crate) fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        match self {
            Self::System(file) => file.write_all_at(bytes, position),
            #[cfg(test)]
            Self::Simulated(file) => file.write_at(bytes, position),
        }
    }

    /// Makes the file this long, with room on the disk for all of it; what is new reads as zeros.
    pub(crate) fn allocate(&self, length: u64) -> io::Result<()> {
        match self {
            Self::System(file) => {
                match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
                    // A file system that cannot: what is written there may find no room later.
                    Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                        fill(file, length)
                    }
                    outcome => Ok(outcome?),
                }
            }
            #[cfg(test)]
            Self::Simulated(file) => file.allocate(length),
        }
    }

    /// Cuts the file, or makes it longer without claiming room.
    pub(crate) fn set_length(&self, length: u64) -> io::Result<()> {
        match self {
            Self::System(file) => file.set_len(length),
            #[cfg(test)]
            Self::Simulated(file) => file.set_length(length),
        }
    }

    /// Syncs what was written, for files whose length stays.
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::System(file) => file.sync_data(),
            #[cfg(test)]
            Self::Simulated(file) => file.sync(),
        }
    }

    /// Syncs everything of the file.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::System(file) => file.sync_all(),
            #[cfg(test)]
            Self::Simulated(file) => file.sync(),
        }
    }

    /// Has the system read ahead.
    pub(crate) fn will_need(&self, position: u64, length: u64) {
        match self {
            Self::System(file) => {
                let length = std::num::NonZeroU64::new(length);
                // It is only advice.
                let _unheard = rustix::fs::fadvise(file, position, length, Advice::WillNeed);
            }
            #[cfg(test)]
            Self::Simulated(_) => {}
        }
    }
}

/// Writes zeros from the end of a file up to `length`.
fn fill(file: &fs::File, length: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut position = file.metadata()?.len();
    while position < length {
        let step =
            usize::try_from(length.saturating_sub(position)).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all_at(zeros.get(..step).unwrap_or(&zeros), position)?;
        position = position.saturating_add(step as u64);
    }
    Ok(())
}

/// Whether an error says that there is no room, which can pass.
pub(crate) fn no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Whether an error says that the process or the system is short of something other than room for the
/// moment: nothing is wrong with the file.
pub(crate) fn passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN))
}

/// A lock on a directory, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) enum Lock {
    /// The system's: the open file that is locked.
    System(#[expect(dead_code, reason = "it is held open, nothing more")] fs::File),
    /// A disk in memory has one process.
    #[cfg(test)]
    Simulated,
}

impl Files {
    /// Locks a file for this process, or says which process holds it.
    pub(crate) fn lock(&self, path: &Path) -> io::Result<Result<Lock, String>> {
        match self {
            Self::System => {
                let mut options = fs::OpenOptions::new();
                options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
                let file = options.open(path)?;
                match file.try_lock() {
                    Ok(()) => {
                        file.set_len(0)?;
                        file.write_all_at(std::process::id().to_string().as_bytes(), 0)?;
                        Ok(Ok(Lock::System(file)))
                    }
                    Err(fs::TryLockError::WouldBlock) => {
                        let holder = fs::read_to_string(path).unwrap_or_default();
                        Ok(Err(holder.trim().to_owned()))
                    }
                    Err(fs::TryLockError::Error(error)) => Err(error),
                }
            }
            #[cfg(test)]
            Self::Simulated(_) => Ok(Ok(Lock::Simulated)),
        }
    }
}

/// What was published is for nobody else on the machine.
const FILE_MODE: u32 = 0o600;

/// The same for directories.
const DIRECTORY_MODE: u32 = 0o700;

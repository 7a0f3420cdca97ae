//! A disk in memory for tests: it remembers what was synced, so that any crash can be imagined, and
//! it can be full or broken.
//!
//! Everything that is done to it is an [`Act`]. A crash after some of them is a replay in which what
//! was synced is there, and of what was not, any choice of pages.

#![expect(clippy::indexing_slicing, reason = "a test that looks beside the mark has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "tests are built with checks")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::Access;

/// A disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<Disk>>);

/// An open file of a disk.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    inode: usize,
}

#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    /// What was done, if it is remembered.
    acts: Option<Vec<Act>>,
    /// How many acts made what was there when it began to be remembered.
    before: usize,
    faults: Faults,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Bytes that fit; none for no bound.
    pub capacity: Option<u64>,
    /// The sync that fails, counted from one, as do all behind it, and with what.
    pub sync_fails: Option<(u32, io::ErrorKind)>,
    /// The write that fails, counted from one, and with what; half of it is written.
    pub write_fails: Option<(u32, io::ErrorKind)>,
}

/// Something that was done.
#[derive(Debug, Clone)]
enum Act {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Double(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncNames(PathBuf),
    Write(usize, u64, Vec<u8>),
    SetLength(usize, u64),
    Sync(usize),
}

/// Decides what of a crash is kept: asked once for each page that was not synced.
pub(crate) type Keep<'a> = &'a mut dyn FnMut() -> bool;

impl SimDisk {
    /// Begins to remember what is done.
    pub(crate) fn remember(&self) {
        self.disk().acts = Some(Vec::new());
    }

    /// Begins to remember what is done to a disk that is not empty; what is there counts as synced.
    pub(crate) fn remember_all(&self) {
        let mut disk = self.disk();
        let mut acts = Vec::new();
        for (path, inode) in disk.names.clone() {
            acts.push(Act::Create(path.clone(), inode));
            acts.push(Act::Write(inode, 0, disk.inodes[inode].clone()));
            acts.push(Act::Sync(inode));
            acts.push(Act::SyncNames(path.parent().unwrap().to_owned()));
        }
        disk.before = acts.len();
        disk.acts = Some(acts);
    }

    /// How much was done since.
    pub(crate) fn acts(&self) -> usize {
        let disk = self.disk();
        disk.acts.as_ref().map_or(0, |acts| acts.len() - disk.before)
    }

    /// Sets what goes wrong from now on.
    pub(crate) fn break_down(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let disk = self.disk();
        disk.inodes.get(*disk.names.get(path)?).cloned()
    }

    /// Every file.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.disk().names.keys().cloned().collect()
    }

    /// Puts a file there.
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut disk = self.disk();
        let inode = disk.inodes.len();
        disk.inodes.push(bytes);
        disk.names.insert(path.to_owned(), inode);
    }

    /// A disk with the same files, all of them synced.
    pub(crate) fn copy(&self) -> Self {
        let disk = self.disk();
        let (inodes, names) = (disk.inodes.clone(), disk.names.clone());
        Self(Arc::new(Mutex::new(Disk { inodes, names, ..Disk::default() })))
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.disk().used()
    }

    /// The disk after a crash behind the first `acts`. It has to be remembered from the time when it
    /// was empty.
    pub(crate) fn crash(&self, acts: usize, keep: Keep<'_>) -> Self {
        let disk = self.disk();
        let done = disk.acts.as_ref().expect("nothing is remembered");
        let mut crash = Crash::default();
        for act in &done[..disk.before + acts] {
            crash.replay(act);
        }
        crash.lose(keep);
        let Crash { inodes, names, .. } = crash;
        Self(Arc::new(Mutex::new(Disk { inodes, names, ..Disk::default() })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, path: &Path, access: Access) -> io::Result<SimFile> {
        let mut disk = self.disk();
        let known = disk.names.get(path).copied();
        let inode = match (known, access) {
            (Some(inode), Access::Read | Access::Write) => inode,
            (None, Access::Read | Access::Write) => return Err(io::ErrorKind::NotFound.into()),
            (_, Access::Create) => {
                let inode = disk.inodes.len();
                disk.inodes.push(Vec::new());
                disk.names.insert(path.to_owned(), inode);
                disk.note(Act::Create(path.to_owned(), inode));
                inode
            }
        };
        Ok(SimFile { disk: self.clone(), inode })
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as the system has it")]
    pub(super) fn make_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn names(&self, directory: &Path) -> Vec<String> {
        let disk = self.disk();
        let within = disk.names.keys().filter(|path| path.parent() == Some(directory));
        within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), inode);
        disk.note(Act::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn double(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = *disk.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), inode);
        disk.note(Act::Double(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        disk.note(Act::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.sync_or_fail()?;
        disk.note(Act::SyncNames(directory.to_owned()));
        Ok(())
    }
}

impl SimFile {
    pub(super) fn length(&self) -> u64 {
        self.disk.disk().inodes[self.inode].len() as u64
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let disk = self.disk.disk();
        let bytes = &disk.inodes[self.inode];
        let position = usize::try_from(position).map_err(io::Error::other)?.min(bytes.len());
        let length = buffer.len().min(bytes.len() - position);
        buffer[..length].copy_from_slice(&bytes[position..position + length]);
        Ok(length)
    }

    pub(super) fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        let broken = disk.faults.write_fails.as_mut().and_then(|(count, kind)| {
            *count = count.saturating_sub(1);
            (*count == 0).then_some(*kind)
        });
        let whole = if broken.is_some() { bytes.len() / 2 } else { bytes.len() };
        let end = position + whole as u64;
        disk.claim(self.inode, end)?;
        disk.apply(Act::Write(self.inode, position, bytes[..whole].to_vec()));
        broken.map_or(Ok(()), |kind| {
            disk.faults.write_fails = None;
            Err(kind.into())
        })
    }

    pub(super) fn allocate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.claim(self.inode, length)?;
        if (disk.inodes[self.inode].len() as u64) < length {
            disk.apply(Act::SetLength(self.inode, length));
        }
        Ok(())
    }

    pub(super) fn set_length(&self, length: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.claim(self.inode, length)?;
        disk.apply(Act::SetLength(self.inode, length));
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.sync_or_fail()?;
        disk.note(Act::Sync(self.inode));
        Ok(())
    }
}

impl Disk {
    fn used(&self) -> u64 {
        let mut inodes: Vec<usize> = self.names.values().copied().collect();
        inodes.sort_unstable();
        inodes.dedup();
        inodes.into_iter().map(|inode| self.inodes[inode].len() as u64).sum()
    }

    /// Whether there is room for a file to be this long.
    fn claim(&self, inode: usize, length: u64) -> io::Result<()> {
        let more = length.saturating_sub(self.inodes[inode].len() as u64);
        match self.faults.capacity {
            Some(capacity) if more > 0 && self.used() + more > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn sync_or_fail(&mut self) -> io::Result<()> {
        let Some((count, kind)) = &mut self.faults.sync_fails else { return Ok(()) };
        *count = count.saturating_sub(1);
        if *count == 0 { Err((*kind).into()) } else { Ok(()) }
    }

    fn apply(&mut self, act: Act) {
        write(&mut self.inodes, &act);
        self.note(act);
    }

    fn note(&mut self, act: Act) {
        if let Some(acts) = &mut self.acts {
            acts.push(act);
        }
    }
}

/// A replay: what is on the disk, and what is on its way there.
#[derive(Debug, Default)]
struct Crash {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    data: Vec<Act>,
    renames: Vec<Act>,
}

impl Crash {
    fn replay(&mut self, act: &Act) {
        match act {
            Act::Create(_, inode) => {
                self.inodes.resize(self.inodes.len().max(inode + 1), Vec::new());
                self.renames.push(act.clone());
            }
            Act::Rename(..) | Act::Double(..) | Act::Remove(_) => self.renames.push(act.clone()),
            Act::Write(..) | Act::SetLength(..) => self.data.push(act.clone()),
            Act::Sync(synced) => {
                let (now, later) = std::mem::take(&mut self.data).into_iter().partition(
                    |act| matches!(act, Act::Write(inode, ..) | Act::SetLength(inode, _) if inode == synced),
                );
                self.data = later;
                let now: Vec<Act> = now;
                now.iter().for_each(|act| write(&mut self.inodes, act));
            }
            Act::SyncNames(directory) => {
                let within = |path: &PathBuf| path.parent() == Some(directory);
                let (now, later) =
                    std::mem::take(&mut self.renames).into_iter().partition(|act| match act {
                        Act::Create(path, _) | Act::Remove(path) => within(path),
                        Act::Rename(from, to) | Act::Double(from, to) => within(from) || within(to),
                        _ => false,
                    });
                self.renames = later;
                let now: Vec<Act> = now;
                now.iter().for_each(|act| name(&mut self.names, act));
            }
        }
    }

    /// Loses what was not synced, but for what is kept: any pages, and the first of the names.
    fn lose(&mut self, keep: Keep<'_>) {
        for act in std::mem::take(&mut self.data) {
            match act {
                Act::Write(inode, position, bytes) => {
                    for part in pages(inode, position, &bytes).into_iter().filter(|_| keep()) {
                        write(&mut self.inodes, &part);
                    }
                }
                act if keep() => write(&mut self.inodes, &act),
                _ => {}
            }
        }
        for act in std::mem::take(&mut self.renames) {
            if !keep() {
                break;
            }
            name(&mut self.names, &act);
        }
    }
}

/// What was written at once, page by page.
fn pages(inode: usize, position: u64, bytes: &[u8]) -> Vec<Act> {
    let (mut done, mut pages) = (0, Vec::new());
    while done < bytes.len() {
        let at = usize::try_from(position).unwrap() + done;
        let step = (PAGE - at % PAGE).min(bytes.len() - done);
        pages.push(Act::Write(inode, at as u64, bytes[done..done + step].to_vec()));
        done += step;
    }
    pages
}

fn write(inodes: &mut [Vec<u8>], act: &Act) {
    match act {
        Act::Write(inode, position, bytes) => {
            let position = usize::try_from(*position).unwrap();
            let file = &mut inodes[*inode];
            file.resize(file.len().max(position + bytes.len()), 0);
            file[position..position + bytes.len()].copy_from_slice(bytes);
        }
        Act::SetLength(inode, length) => {
            inodes[*inode].resize(usize::try_from(*length).unwrap(), 0);
        }
        _ => {}
    }
}

fn name(names: &mut BTreeMap<PathBuf, usize>, act: &Act) {
    match act {
        Act::Create(path, inode) => {
            names.insert(path.clone(), *inode);
        }
        Act::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        Act::Double(from, to) => {
            if let Some(inode) = names.get(from).copied() {
                names.insert(to.clone(), inode);
            }
        }
        Act::Remove(path) => {
            names.remove(path);
        }
        _ => {}
    }
}

/// What is kept or lost as one.
const PAGE: usize = 512;

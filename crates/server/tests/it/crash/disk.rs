//! A file system in memory that forgets what was not synced when its power is cut.
//!
//! Of a file, what was written since its last sync is forgotten page by page at random; of a
//! folder, what was made, renamed or removed since. Nothing is promised that POSIX does not promise.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

/// The file system, which outlives its mounts.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    nodes: HashMap<u64, Node>,
    next: u64,
    /// Whether the power is on.
    on: bool,
}

#[derive(Debug)]
enum Node {
    Folder(Folder),
    File(File),
}

#[derive(Debug, Default)]
struct Folder {
    now: BTreeMap<OsString, u64>,
    synced: BTreeMap<OsString, u64>,
}

#[derive(Debug, Default)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Pages that were written since the last sync.
    dirty: BTreeSet<usize>,
}

const PAGE_BYTES: usize = 4096;
const ROOT: u64 = 1;

impl Disk {
    pub(super) fn new() -> Self {
        let nodes = HashMap::from([(ROOT, Node::Folder(Folder::default()))]);
        Self(Arc::new(Mutex::new(State { nodes, next: ROOT + 1, on: true })))
    }

    /// Mounts it; none if this machine lets nobody.
    pub(super) fn mount(&self, path: &Path) -> io::Result<BackgroundSession> {
        fuser::spawn_mount(self.clone(), path, &Config::default())
    }

    /// From now on everything fails.
    pub(super) fn cut_power(&self) {
        self.state().on = false;
    }

    /// The power is back: what is there is what was synced, and some of the rest.
    pub(super) fn restore_power(&self) {
        let mut state = self.state();
        state.on = true;
        for node in state.nodes.values_mut() {
            match node {
                Node::Folder(folder) => folder.forget(),
                Node::File(file) => file.forget(),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Does something with the file system while the power is on.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut state = self.state();
        if state.on { act(&mut state) } else { Err(Errno::EIO) }
    }
}

impl Folder {
    /// Either all of what was not synced is kept or nothing of it: a rename is never half done.
    fn forget(&mut self) {
        if fastrand::bool() {
            self.now = self.synced.clone();
        }
        self.synced = self.now.clone();
    }
}

impl File {
    fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[at..end].copy_from_slice(data);
        self.dirty.extend(at / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
    }

    fn resize(&mut self, length: usize) {
        let pages =
            self.now.len().min(length) / PAGE_BYTES..=self.now.len().max(length) / PAGE_BYTES;
        self.now.resize(length, 0);
        self.dirty.extend(pages);
    }

    fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            self.keep(page);
        }
        self.synced.resize(self.now.len(), 0);
    }

    /// One page reaches the disk.
    fn keep(&mut self, page: usize) {
        let start = (page * PAGE_BYTES).min(self.now.len());
        let end = (start + PAGE_BYTES).min(self.now.len());
        if self.synced.len() < end {
            self.synced.resize(end, 0);
        }
        self.synced[start..end].copy_from_slice(&self.now[start..end]);
    }

    fn forget(&mut self) {
        // Sometimes nothing of it, sometimes nearly all.
        let kept = fastrand::f64();
        for page in std::mem::take(&mut self.dirty) {
            if fastrand::f64() < kept {
                self.keep(page);
            }
        }
        self.now = self.synced.clone();
    }
}

impl State {
    fn folder(&mut self, number: INodeNo) -> Result<&mut Folder, Errno> {
        match self.nodes.get_mut(&u64::from(number)) {
            Some(Node::Folder(folder)) => Ok(folder),
            Some(Node::File(_)) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn file(&mut self, number: INodeNo) -> Result<&mut File, Errno> {
        match self.nodes.get_mut(&u64::from(number)) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Folder(_)) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn attributes(&self, number: u64) -> Result<FileAttr, Errno> {
        let (kind, size) = match self.nodes.get(&number) {
            Some(Node::Folder(_)) => (FileType::Directory, 0),
            Some(Node::File(file)) => (FileType::RegularFile, file.now.len() as u64),
            None => return Err(Errno::ENOENT),
        };
        Ok(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o755,
            nlink: 1,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn add(&mut self, parent: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        let number = self.next;
        self.folder(parent)?.now.insert(name.to_owned(), number);
        self.next += 1;
        self.nodes.insert(number, node);
        self.attributes(number)
    }
}

impl Filesystem for Disk {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.with(|state| {
            let number = state.folder(parent)?.now.get(name).copied().ok_or(Errno::ENOENT)?;
            state.attributes(number)
        });
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attributes(self.with(|state| state.attributes(u64::from(number))), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.with(|state| {
            if let Some(size) = size {
                state.file(number)?.resize(usize::try_from(size).unwrap());
            }
            state.attributes(u64::from(number))
        });
        attributes(changed, reply);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let folder = Node::Folder(Folder::default());
        entry(self.with(|state| state.add(parent, name, folder)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(
            self.with(|state| {
                state.folder(parent)?.now.remove(name).map(drop).ok_or(Errno::ENOENT)
            }),
            reply,
        );
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.with(|state| {
            let number = state.folder(parent)?.now.remove(name).ok_or(Errno::ENOENT)?;
            state.folder(new_parent)?.now.insert(new_name.to_owned(), number);
            Ok(())
        });
        done(renamed, reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Nothing of it may be cached: the kernel's pages would outlive the power.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.with(|state| {
            let file = state.file(number)?;
            let start = usize::try_from(offset).unwrap().min(file.now.len());
            let end = (start + size as usize).min(file.now.len());
            Ok(file.now[start..end].to_vec())
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.with(|state| {
            state.file(number)?.write(usize::try_from(offset).unwrap(), data);
            Ok(u32::try_from(data.len()).unwrap())
        });
        match written {
            Ok(bytes) => reply.written(bytes),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.with(|state| state.file(number).map(File::sync)), reply);
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let synced = self.with(|state| {
            let folder = state.folder(number)?;
            folder.synced = folder.now.clone();
            Ok(())
        });
        done(synced, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = self.with(|state| {
            let names = state.folder(number)?.now.clone();
            let kind = |number: u64| state.attributes(number).map(|it| (number, it.kind));
            names.into_iter().map(|(name, number)| Ok((name, kind(number)?))).collect()
        });
        let names: Vec<(OsString, (u64, FileType))> = match names {
            Ok(names) => names,
            Err(error) => return reply.error(error),
        };
        for (place, (name, (number, kind))) in
            (1..).zip(names).skip(usize::try_from(offset).unwrap())
        {
            if reply.add(INodeNo(number), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.with(|state| state.add(parent, name, Node::File(File::default()))) {
            Ok(attributes) => reply.created(
                &Duration::ZERO,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_DIRECT_IO,
            ),
            Err(error) => reply.error(error),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        let allocated = self.with(|state| {
            let file = state.file(number)?;
            let end = usize::try_from(offset + length).unwrap();
            if file.now.len() < end {
                file.resize(end);
            }
            Ok(())
        });
        done(allocated, reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}

fn entry(found: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match found {
        Ok(attributes) => reply.entry(&Duration::ZERO, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn attributes(found: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match found {
        Ok(attributes) => reply.attr(&Duration::ZERO, &attributes),
        Err(error) => reply.error(error),
    }
}

fn done(outcome: Result<(), Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

//! What the writer, the readers and those who hand over commands have in common.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fanfare_core::settings::ShardId;
use fanfare_core::shard::{Completion, EngineCommand};

use super::figures::Cells;
use super::files::{Files, Lock};
use super::index::Index;
use super::options::LogOptions;
use super::outcome::{Outlets, Report};
use super::read::Job;

/// What all threads of the log share.
#[derive(Debug)]
pub(super) struct Shared {
    pub options: LogOptions,
    pub paths: Paths,
    pub files: Files,
    outlets: OnceLock<Outlets>,
    pub cells: Cells,
    pub commands: Queue<(ShardId, EngineCommand)>,
    pub jobs: Queue<Job>,
    /// Held until the last thread is done with the directory.
    lock: Mutex<Option<Lock>>,
    index: Mutex<Index>,
}

/// What a log's files are called.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    root: PathBuf,
}

/// A queue that never makes the one who puts something in wait. It has no bound of its own: what can
/// be in it is bounded by the permits of publishes and by the pages that shards have room for.
#[derive(Debug)]
pub(super) struct Queue<T> {
    inner: Mutex<Waiting<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl Shared {
    pub(super) fn new(
        options: LogOptions,
        paths: Paths,
        files: Files,
        lock: Lock,
        index: Index,
    ) -> Self {
        let (commands, jobs) = (Queue::default(), Queue::default());
        let (cells, index) = (Cells::default(), Mutex::new(index));
        let (outlets, lock) = (OnceLock::new(), Mutex::new(Some(lock)));
        Self { options, paths, files, outlets, cells, commands, jobs, lock, index }
    }

    /// Says where answers and news go. Before that nobody is served, and opening tells itself what
    /// there is to tell.
    pub(super) fn connect(&self, outlets: Outlets) {
        // It is started once.
        let _first = self.outlets.set(outlets);
    }

    /// The index. The lock is never held while the disk is waited for.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the directory to the next one.
    pub(super) fn unlock(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Hands completions to their shard.
    pub(super) fn deliver(&self, shard: ShardId, completions: Vec<Completion>) {
        if let Some(outlets) = self.outlets.get().filter(|_| !completions.is_empty()) {
            (outlets.deliver)(shard, completions);
        }
    }

    /// Tells the operator.
    pub(super) fn report(&self, report: Report) {
        if let Some(outlets) = self.outlets.get() {
            (outlets.report)(report);
        }
    }
}

impl Paths {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.root.join("STORE")
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.segments().join(format!("{number:016x}.log"))
    }

    /// A segment that is being made.
    pub(super) fn fresh(&self, number: u64) -> PathBuf {
        self.segments().join(format!("{number:016x}.new"))
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// A segment that was set aside at this time.
    pub(super) fn aside(&self, number: u64, time: u64) -> PathBuf {
        self.quarantine().join(format!("{number:016x}.{time}.log"))
    }

    /// The number in a segment's name.
    pub(super) fn number(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
        let plain = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| u64::from_str_radix(digits, 16).ok())?
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let inner = Mutex::new(Waiting { items: VecDeque::new(), closed: false });
        Self { inner, arrived: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// Puts something in; it is dropped if the queue is closed.
    pub(super) fn put(&self, item: T) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.items.push_back(item);
            self.arrived.notify_one();
        }
    }

    /// Puts all of these in.
    pub(super) fn put_all(&self, items: &mut Vec<T>) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.items.extend(items.drain(..));
            self.arrived.notify_one();
        }
        drop(inner);
        items.clear();
    }

    /// Takes everything, waiting for the first at most this long. Says whether more can come.
    pub(super) fn take_all(&self, into: &mut VecDeque<T>, within: Duration) -> bool {
        let mut inner = self.lock();
        let begun = Instant::now();
        while inner.items.is_empty() && !inner.closed {
            let Some(left) = within.checked_sub(begun.elapsed()) else { break };
            let waited = self.arrived.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if into.is_empty() {
            std::mem::swap(into, &mut inner.items);
        } else {
            into.append(&mut inner.items);
        }
        !inner.closed
    }

    /// Takes one, waiting for it; none when the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            match inner.items.pop_front() {
                None if inner.closed => return None,
                None => inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner),
                item => return item,
            }
        }
    }

    /// Takes one if it is there.
    #[cfg(test)]
    pub(super) fn try_take(&self) -> Option<T> {
        self.lock().items.pop_front()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Nothing more can be put in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

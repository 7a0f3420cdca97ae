//! Reading what is large, away from those who must not wait for it: megabytes of JSON take many
//! milliseconds, in which nobody else of a shard, or of a thread of the edge, would be served.
//!
//! Clerks are a few threads of low priority. Each does one thing at a time, in the order in which
//! things came. Whoever hands something in listens to its client no more until it has been done, so
//! that a client has one thing here at most. It knows nothing of what it does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::oneshot;

use crate::priority;

/// Bytes of a message or a body that is large: reading so many takes some tenths of a millisecond.
pub(crate) const LARGE_BYTES: usize = 64 * 1024;

/// Threads that read, at most: one for every two cores, so that others find a core free.
const CLERKS_MAX: usize = 2;

/// By how much their priority is lower: while a shard has something to do they get a tenth of a core.
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The clerks of a node. There are none until something large comes.
#[derive(Debug, Default)]
pub(crate) struct Clerks {
    tray: Arc<Tray>,
    started: OnceLock<bool>,
    done: AtomicU64,
}

/// What waits to be read.
#[derive(Debug, Default)]
struct Tray {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    closed: bool,
}

impl Clerks {
    /// Has this done. Whatever it finds it has to tell by itself; if it panics, nobody is told.
    pub(crate) fn give(&self, work: impl FnOnce() + Send + 'static) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if !*self.started.get_or_init(|| start(&self.tray)) {
            // Late is better than never.
            work();
            return;
        }
        self.tray.lock().waiting.push_back(Box::new(work));
        self.tray.filled.notify_one();
    }

    /// Has this done, and waits for what comes of it; none if it panicked.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.give(move || {
            // Whoever asked may have gone.
            let _gone = answer.send(work());
        });
        asked.await.ok()
    }

    /// How many things were handed in.
    pub(crate) fn given(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many of them wait.
    pub(crate) fn waiting(&self) -> usize {
        self.tray.lock().waiting.len()
    }
}

impl Drop for Clerks {
    fn drop(&mut self) {
        self.tray.lock().closed = true;
        self.tray.filled.notify_all();
    }
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing; none when there will be no more.
    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                return Some(work);
            }
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn serve(&self) {
        priority::lower(NICENESS);
        while let Some(work) = self.next() {
            // Nothing that it borrowed is left behind; what it owned is gone with it, and so whoever
            // waits for it is told.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("reading something large panicked; its client is sent away");
            }
        }
    }
}

/// Starts the clerks. Says whether there is one.
fn start(tray: &Arc<Tray>) -> bool {
    let mut any = false;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for number in 0..(cores / 2).clamp(1, CLERKS_MAX) {
        let tray = Arc::clone(tray);
        let thread = std::thread::Builder::new().name(format!("clerk-{number}"));
        match thread.spawn(move || tray.serve()) {
            Ok(_detached) => any = true,
            Err(error) => tracing::error!(%error, "a thread for large messages cannot be started"),
        }
    }
    any
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::Clerks;

    #[tokio::test]
    async fn what_is_asked_is_answered_by_another_thread() {
        let clerks = Clerks::default();
        let here = std::thread::current().id();
        let there = clerks.ask(|| std::thread::current().id()).await;
        assert!(there.is_some_and(|there| there != here));
        assert_eq!((clerks.given(), clerks.waiting()), (1, 0));
    }

    #[tokio::test]
    async fn a_panic_ends_one_thing_and_no_clerk() {
        let clerks = Clerks::default();
        for _ in 0..5 {
            assert_eq!(clerks.ask(|| -> u8 { panic!("on purpose") }).await, None);
        }
        assert_eq!(clerks.ask(|| 7).await, Some(7));
    }

    #[test]
    fn what_was_handed_in_is_done_after_the_node_has_gone() {
        let clerks = Clerks::default();
        let (done, told) = sync_channel(100);
        for number in 0..100 {
            let done = done.clone();
            clerks.give(move || done.send(number).unwrap());
        }
        drop((clerks, done));
        let mut numbers: Vec<i32> = told.into_iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}

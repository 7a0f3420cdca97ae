//! How long a connection may take over a request head.
//!
//! hyper's own timer runs while a kept connection is idle too, so that it cannot be both patient
//! with idle clients and strict with dripped heads. This one begins with the first byte of a head.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// What one connection is doing, shared by its socket, its requests and its watch.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    state: Arc<State>,
}

/// A request in work: from its head until the last byte of its answer is handed to hyper.
#[derive(Debug)]
pub(crate) struct Work {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    /// Milliseconds after `began` at which the present head began, plus one; 0 for none.
    head: AtomicU64,
    working: AtomicBool,
    begun: Notify,
    leaving: AtomicBool,
}

impl Pace {
    /// The pace of a connection that begins now.
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(State {
                began: Instant::now(),
                head: AtomicU64::new(0),
                working: AtomicBool::new(false),
                begun: Notify::new(),
                leaving: AtomicBool::new(false),
            }),
        }
    }

    /// Bytes came in. Between requests they begin a head.
    pub(crate) fn received(&self) {
        if !self.state.working.load(Ordering::Acquire)
            && self.state.head.load(Ordering::Acquire) == 0
        {
            self.state.head.store(self.elapsed() + 1, Ordering::Release);
        }
    }

    /// A head was read whole.
    pub(crate) fn work(&self) -> Work {
        self.state.working.store(true, Ordering::Release);
        self.state.head.store(0, Ordering::Release);
        self.state.begun.notify_one();
        Work { state: Arc::clone(&self.state) }
    }

    /// What is in work ends when the client has said everything: a stream, or a poll that waits.
    pub(crate) fn leave_with_client(&self) {
        self.state.leaving.store(true, Ordering::Release);
    }

    /// Whether what is in work ends when the client has said everything.
    pub(crate) fn leaves_with_client(&self) -> bool {
        self.state.leaving.load(Ordering::Acquire)
    }

    /// Returns when a head was read whole since this was last asked.
    pub(crate) async fn begun(&self) {
        self.state.begun.notified().await;
    }

    /// Returns when a head has taken longer than `head_within`.
    pub(crate) async fn overdue(&self, head_within: Duration) {
        let within = u64::try_from(head_within.as_millis()).unwrap_or(u64::MAX);
        loop {
            let left = match self.state.head.load(Ordering::Acquire) {
                0 => within,
                began => (began - 1 + within).saturating_sub(self.elapsed()),
            };
            if left == 0 {
                return;
            }
            sleep(Duration::from_millis(left)).await;
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.state.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.state.leaving.store(false, Ordering::Release);
        self.state.working.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance, timeout};

    use super::Pace;

    const WITHIN: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_never_overdue() {
        let pace = Pace::new();
        drop(pace.work());
        let patient = timeout(Duration::from_secs(3600), pace.overdue(WITHIN));
        assert!(patient.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripped_head_is_overdue_counted_from_its_first_byte() {
        let pace = Pace::new();
        advance(Duration::from_secs(60)).await;
        pace.received();
        let first = Instant::now();
        advance(Duration::from_secs(6)).await;
        pace.received();
        pace.overdue(WITHIN).await;
        assert!(first.elapsed() < WITHIN + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_no_head() {
        let pace = Pace::new();
        pace.received();
        let work = pace.work();
        pace.received();
        let patient = timeout(Duration::from_secs(60), pace.overdue(WITHIN));
        assert!(patient.await.is_err());
        drop(work);
        pace.received();
        pace.overdue(WITHIN).await;
    }
}

//! The task that sends events.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_core::time::{Millis, Now};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::figures::Figures;
use super::outgoing::Outgoing;
use super::{Delivery, FAREWELL, Told};
use crate::edge::unix_millis;
use crate::hooks::Failure;

/// Sends events until the server ends.
#[derive(Debug)]
pub(super) struct Post {
    told: mpsc::UnboundedReceiver<Told>,
    deliveries: watch::Receiver<Delivery>,
    figures: Arc<Figures>,
    ending: CancellationToken,
}

/// One message on its way.
type Attempt = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send>>;

/// What the task knows beside what it hears.
struct Desk {
    outgoing: Outgoing,
    delivery: Delivery,
    figures: Arc<Figures>,
    began: Instant,
    /// When the server has ended and the rest is given up.
    until: Option<Millis>,
    /// Failures since something was taken last.
    failures: u32,
    /// When it was said last that there is no room.
    complained: Option<Instant>,
}

impl Post {
    pub(super) fn new(
        (told, deliveries): (mpsc::UnboundedReceiver<Told>, watch::Receiver<Delivery>),
        figures: Arc<Figures>,
        ending: CancellationToken,
    ) -> Self {
        Self { told, deliveries, figures, ending }
    }

    pub(super) async fn run(self) {
        let Self { mut told, mut deliveries, figures, ending } = self;
        let delivery = deliveries.borrow_and_update().clone();
        let mut desk = Desk::new(delivery, figures);
        let mut attempt = None;
        while !desk.is_over() {
            desk.note_overflow();
            if attempt.is_none() {
                attempt = desk.next_attempt();
            }
            let pause = desk.pause(attempt.is_some());
            tokio::select! {
                Some(event) = told.recv(), if desk.until.is_none() => {
                    let more = std::iter::from_fn(|| told.try_recv().ok()).take(TAKEN_AT_ONCE);
                    desk.take(std::iter::once(event).chain(more));
                }
                outcome = wait_for(&mut attempt) => {
                    attempt = None;
                    desk.settle(outcome);
                }
                () = sleep(pause) => {}
                Ok(()) = deliveries.changed() => {
                    let delivery = deliveries.borrow_and_update().clone();
                    if desk.delivery.endpoint.is_some() && delivery.endpoint.is_none() {
                        attempt = None;
                    }
                    desk.change(delivery);
                }
                () = ending.cancelled(), if desk.until.is_none() => {
                    told.close();
                    desk.take(std::iter::from_fn(|| told.try_recv().ok()));
                    desk.close();
                }
            }
        }
        desk.abandon();
    }
}

impl Desk {
    fn new(delivery: Delivery, figures: Arc<Figures>) -> Self {
        let outgoing = Outgoing::new(fastrand::u64(..), delivery.terms, Arc::clone(&figures));
        let began = Instant::now();
        let (until, failures, complained) = (None, 0, None);
        let mut desk = Self { outgoing, delivery, figures, began, until, failures, complained };
        if desk.delivery.endpoint.is_some() {
            let now = desk.now();
            desk.outgoing.say(Event::Started, now);
        }
        desk
    }

    fn now(&self) -> Now {
        let millis = Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX);
        Now { millis, unix: unix_millis() }
    }

    fn take(&mut self, events: impl Iterator<Item = Told>) {
        let now = self.now();
        for told in events {
            // What shards told before they heard that nobody listens any more.
            if self.delivery.endpoint.is_some() {
                self.outgoing.take(told, now);
            }
        }
    }

    fn next_attempt(&mut self) -> Option<Attempt> {
        let endpoint = self.delivery.endpoint.clone()?;
        let now = self.now();
        let message = self.outgoing.advance(now)?;
        let client = Arc::clone(&self.delivery.client);
        let sending = async move { client.post(&endpoint, &message, ANSWER_BYTES).await };
        Some(Box::pin(sending))
    }

    fn settle(&mut self, outcome: Result<Bytes, Failure>) {
        let Err(failure) = outcome else {
            self.outgoing.delivered();
            if std::mem::take(&mut self.failures) > 0 {
                tracing::info!("the backend takes events again");
            }
            return;
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(%failure, "the backend does not take events: they wait");
        } else {
            tracing::debug!(%failure, failures = self.failures, "the backend takes no events");
        }
        let now = self.now();
        if let Some(dead) = self.outgoing.failed(now, fastrand::u64(..)) {
            let (id, events, tries) = (dead.id, dead.events, dead.tries);
            tracing::warn!(id, events, tries, %failure, "events are given up");
        }
    }

    /// How long there is nothing to do but to wait for others.
    fn pause(&self, on_its_way: bool) -> Duration {
        let next =
            self.outgoing.next_at().filter(|_| !on_its_way && self.delivery.endpoint.is_some());
        let next = next.into_iter().chain(self.until).min();
        let wait = next.map_or(IDLE, |at| at.saturating_sub(self.now().millis).min(IDLE));
        Duration::from_millis(wait)
    }

    fn note_overflow(&mut self) {
        let missing = self.figures.take_overflow();
        if missing == 0 || self.delivery.endpoint.is_none() {
            return;
        }
        let now = self.now();
        self.outgoing.miss(missing, now);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained = Some(Instant::now());
            tracing::warn!(missing, "events are lost: see hooks.events_bytes_max");
        }
    }

    fn change(&mut self, delivery: Delivery) {
        self.delivery = delivery;
        if self.delivery.endpoint.is_none() {
            self.abandon();
        }
        let now = self.now();
        self.outgoing.change(self.delivery.terms, now.millis);
    }

    fn close(&mut self) {
        let now = self.now();
        let farewell = Millis::try_from(FAREWELL.as_millis()).unwrap_or(Millis::MAX);
        self.until = Some(now.millis.saturating_add(farewell));
        if self.delivery.endpoint.is_some() {
            self.outgoing.close(now);
        }
    }

    fn is_over(&self) -> bool {
        let Some(until) = self.until else { return false };
        self.outgoing.is_done() || until <= self.now().millis
    }

    fn abandon(&mut self) {
        match self.outgoing.abandon() {
            0 => {}
            events => tracing::warn!(events, "events are given up: nobody took them in time"),
        }
    }
}

/// Waits for what is on its way, for ever if nothing is.
async fn wait_for(attempt: &mut Option<Attempt>) -> Result<Bytes, Failure> {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

/// Events taken from shards before others have their turn.
const TAKEN_AT_ONCE: usize = 1024;

/// Bytes of an answer at most; nothing in it is looked at.
const ANSWER_BYTES: usize = 64 * 1024;

/// The longest wait, in milliseconds: whoever is to be told of an overflow is told within it.
const IDLE: Millis = 60_000;

/// How often it is said that there is no room.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

//! What goes out: events in their order, in batches of which one is on its way at a time.
//!
//! It reads no clock and sends nothing: who does both asks it what is to be sent now and when to ask
//! again, and says what came of it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::time::{Millis, Now, UnixMillis};

use super::Terms;
use super::event::Event;
use super::figures::{Charge, Figures, Loss};
use super::grace::{Held, Kept};
use crate::hooks::Message;

/// Events that are to be told.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Told apart from those of other starts.
    run: u64,
    /// The number of the event that was queued last.
    number: u64,
    terms: Terms,
    held: Held,
    queue: VecDeque<Queued>,
    flight: Option<Flight>,
    closing: bool,
    figures: Arc<Figures>,
}

#[derive(Debug)]
struct Queued {
    number: u64,
    at: UnixMillis,
    /// When it was queued.
    since: Millis,
    event: Event,
    /// What the queue puts in by itself takes no room: there is little of it.
    charge: Option<Charge>,
}

/// A batch that is being sent, until it is taken or given up.
#[derive(Debug)]
struct Flight {
    message: Message,
    /// Room that its events take.
    _charges: Vec<Charge>,
    /// Those that it has, without the words that some are missing.
    events: u64,
    /// How many it says are missing.
    lost: u64,
    /// Since when the first of them waits.
    at: UnixMillis,
    /// When it was sent first.
    begun: Millis,
    failures: u32,
    /// When it is sent again; none while it is on its way.
    again: Option<Millis>,
}

/// A batch that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadLetter {
    /// Its `webhook-id`.
    pub id: String,
    /// Events in it.
    pub events: u64,
    /// How often it was sent.
    pub tries: u32,
}

impl Outgoing {
    pub(super) fn new(run: u64, terms: Terms, figures: Arc<Figures>) -> Self {
        Self {
            run,
            number: 0,
            terms,
            held: Held::default(),
            queue: VecDeque::new(),
            flight: None,
            closing: false,
            figures,
        }
    }

    /// From now on this holds. What waits to be sent again is sent at once: it may go elsewhere now.
    pub(super) fn change(&mut self, terms: Terms, now: Millis) {
        self.terms = terms;
        if let Some(again) = self.flight.as_mut().and_then(|flight| flight.again.as_mut()) {
            *again = now;
        }
    }

    /// Takes an event that a shard has told.
    pub(super) fn take(&mut self, (event, charge): (Event, Charge), now: Now) {
        let Event::Channel(happening) = event else {
            return self.queue(event, Some(charge), now);
        };
        let due = now.millis.saturating_add(millis(self.terms.grace));
        match self.held.take(happening, charge, due) {
            Ok((happening, charge)) => self.queue(Event::Channel(happening), Some(charge), now),
            Err(Kept::Silenced) => self.figures.silenced(2),
            Err(Kept::Waits) => {}
        }
    }

    /// Says something of the server itself.
    pub(super) fn say(&mut self, event: Event, now: Now) {
        self.queue(event, None, now);
    }

    /// So many events that belong behind those that wait are missing.
    pub(super) fn miss(&mut self, count: u64, now: Now) {
        match self.queue.back_mut().map(|queued| &mut queued.event) {
            Some(Event::Lost(lost)) => *lost += count,
            _ => self.queue(Event::Lost(count), None, now),
        }
    }

    /// What is to be sent now. Whoever sends it has to say what came of it.
    pub(super) fn advance(&mut self, now: Now) -> Option<Message> {
        while let Some((happening, charge)) = self.held.take_due(now.millis) {
            self.queue(Event::Channel(happening), Some(charge), now);
        }
        if self.flight.is_none() && self.batch_at().is_some_and(|at| at <= now.millis) {
            self.flight = self.batch(now.millis);
        }
        let since = self.flight.as_ref().map(|flight| flight.at);
        self.figures.set_oldest(since.or_else(|| self.queue.front().map(|queued| queued.at)));
        let flight = self.flight.as_mut()?;
        flight.again.take_if(|again| *again <= now.millis)?;
        Some(flight.message.clone())
    }

    /// When [`Self::advance`] has something to do.
    pub(super) fn next_at(&self) -> Option<Millis> {
        let next = match &self.flight {
            Some(flight) => flight.again,
            None => self.batch_at(),
        };
        next.into_iter().chain(self.held.next_at()).min()
    }

    /// The batch was taken.
    pub(super) fn delivered(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.figures.delivered(flight.events);
        }
    }

    /// The batch was not taken. It is sent again after a while, which `chance` makes longer or
    /// shorter, or given up when it has been tried for long enough.
    pub(super) fn failed(&mut self, now: Now, chance: u64) -> Option<DeadLetter> {
        self.figures.failed();
        let flight = self.flight.as_mut()?;
        flight.failures += 1;
        let tried = now.millis.saturating_sub(flight.begun);
        if tried < millis(self.terms.retry_for) {
            let wait = pause(flight.failures, chance);
            // The last attempt is made when the time is over, not long after it.
            let left = millis(self.terms.retry_for) - tried;
            flight.again = Some(now.millis + wait.min(left));
            return None;
        }
        let Flight { message, events, lost, failures, .. } = self.flight.take()?;
        self.figures.died(Loss::Expired, events);
        self.miss_before(events + lost, now);
        Some(DeadLetter { id: message.id, events, tries: failures })
    }

    /// The server has stopped. Whoever was to be told to have left is told of by that.
    pub(super) fn close(&mut self, now: Now) {
        self.held.clear();
        self.queue(Event::Stopped, None, now);
        self.closing = true;
        self.change(self.terms, now.millis);
    }

    /// Whether nothing is left to be sent.
    pub(super) fn is_done(&self) -> bool {
        self.flight.is_none() && self.queue.is_empty()
    }

    /// Gives up whatever there is; says how many events that are.
    pub(super) fn abandon(&mut self) -> u64 {
        self.held.clear();
        let flight = self.flight.take().map_or(0, |flight| flight.events);
        let queued = self.queue.drain(..).filter(|queued| !matches!(queued.event, Event::Lost(_)));
        let abandoned = flight + queued.count() as u64;
        self.figures.died(Loss::Stopped, abandoned);
        self.figures.set_oldest(None);
        abandoned
    }

    fn queue(&mut self, event: Event, charge: Option<Charge>, now: Now) {
        self.figures.told(event.kind());
        self.number += 1;
        let (number, at, since) = (self.number, now.unix, now.millis);
        self.queue.push_back(Queued { number, at, since, event, charge });
    }

    /// So many events that belong before those that wait are missing.
    fn miss_before(&mut self, count: u64, now: Now) {
        if let Some(Event::Lost(lost)) = self.queue.front_mut().map(|queued| &mut queued.event) {
            *lost += count;
            return;
        }
        self.figures.told(Event::Lost(count).kind());
        self.number += 1;
        let event = Event::Lost(count);
        let (number, at, since) = (self.number, now.unix, now.millis);
        self.queue.push_front(Queued { number, at, since, event, charge: None });
    }

    /// When the next batch is to go: as soon as it is full, or nothing comes that it could wait for.
    fn batch_at(&self) -> Option<Millis> {
        let first = self.queue.front()?;
        let full = self.closing || self.queue.len() >= self.terms.batch_max;
        Some(if full { first.since } else { first.since + LINGER })
    }

    fn batch(&mut self, now: Millis) -> Option<Flight> {
        let (first, at) = self.queue.front().map(|queued| (queued.number, queued.at))?;
        let mut body = b"{\"type\":\"events\",\"events\":[".to_vec();
        let (mut charges, mut events, mut lost, mut last) = (Vec::new(), 0, 0, first);
        let mut taken = 0;
        while taken < self.terms.batch_max
            && body.len() < BATCH_BYTES
            && let Some(queued) = self.queue.pop_front()
        {
            if taken > 0 {
                body.push(b',');
            }
            taken += 1;
            let id = format!("evt_{:016x}_{}", self.run, queued.number);
            queued.event.append(&id, queued.at, &mut body);
            match queued.event {
                Event::Lost(count) => lost += count,
                _ => events += 1,
            }
            charges.extend(queued.charge);
            last = queued.number;
        }
        body.extend_from_slice(b"]}");
        let id = format!("msg_{:016x}_{first}_{last}", self.run);
        let message = Message { id, body: Bytes::from(body) };
        let (begun, failures, again) = (now, 0, Some(now));
        Some(Flight { message, _charges: charges, events, lost, at, begun, failures, again })
    }
}

/// How long to wait after so many failures in a row: half of it for certain, half by chance.
fn pause(failures: u32, chance: u64) -> Millis {
    let doubled = PAUSE << failures.saturating_sub(1).min(16);
    let half = doubled.min(PAUSE_MAX) / 2;
    half + chance % (half + 1)
}

fn millis(duration: std::time::Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// How long an event waits for others to go with it.
const LINGER: Millis = 10;

/// Bytes of a batch, which its last event may exceed.
const BATCH_BYTES: usize = 256 * 1024;

/// The wait after the first failure, and the longest.
const PAUSE: Millis = 500;
const PAUSE_MAX: Millis = 10_000;

//! The loop of one shard: poll, receive, handle, carry out, deliver.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fanfare_core::settings::ShardId;
use fanfare_core::shard::{Backlog, Completion, ConnectionId, Effect, Input, Shard};
use fanfare_core::time::{Millis, Now};
use mio::{Events, Poll};

use super::awaited::Awaited;
use super::batch::Batches;
use super::change::Changing;
use super::connection::id_of;
use super::http::Judge;
use super::inquiry::Inquiries;
use super::lease::Leases;
use super::options::ShardOptions;
use super::review::Review;
use super::seat::{Parts, Seat, WAKER};
use super::session::Sessions;
use super::sockets::{Flushed, Sockets};
use super::visit::Visits;
use super::wheel::Tick;
use crate::edge::Handoff;
use crate::engine::Engine;
use crate::load::Load;
use crate::node::{Letter, Node, ShardWaker};
use crate::tls::Acceptance;

/// One shard with everything around its core.
#[derive(Debug)]
pub(super) struct EventLoop {
    pub(super) core: Shard,
    pub(super) sockets: Sockets,
    pub(super) shard: ShardId,
    pub(super) judge: Judge,
    /// How TLS connections are begun, if there are any.
    pub(super) acceptance: Option<Acceptance>,
    pub(super) node: Arc<Node>,
    pub(super) load: Arc<Load>,
    pub(super) engine: Engine,
    pub(super) handoff: Handoff,
    pub(super) letters: mpsc::Receiver<Letter>,
    /// Parts of the history that the engine has read: what is live has its turn before them.
    pub(super) read_back: VecDeque<Completion>,
    /// Questions to the application's backend that are not answered.
    pub(super) inquiries: Inquiries,
    /// Publishes that came together and are not all answered.
    pub(super) batches: Batches,
    /// Changes of streams that are not all made, by connection.
    pub(super) changes: std::collections::HashMap<ConnectionId, Changing>,
    /// How long readers may stay whose credentials expire.
    pub(super) leases: Leases,
    /// Refreshes that wait for their issuers' keys.
    pub(super) awaited: Vec<Awaited>,
    /// Who is asked again since the rules have changed.
    pub(super) review: Review,
    /// Readers whose end the application is told.
    pub(super) visits: Visits,
    /// The connection whose visit is under way.
    pub(super) visiting: Option<ConnectionId>,
    pub(super) course: Course,
    /// When everyone is to have been told to leave.
    pub(super) drain_ends: Millis,
    pub(super) read: Vec<u8>,
    /// What was read of a TLS connection, in clear.
    pub(super) plain: Vec<u8>,
    pub(super) out: Vec<u8>,
    poll: Poll,
    waker: Arc<ShardWaker>,
    began: Instant,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    settling: bool,
    random: u64,
    pub(super) sessions: Sessions,
    /// Connections whose deadlines have come, as far as they have not been looked at.
    due: VecDeque<(ConnectionId, Tick)>,
}

/// Where a shard is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Running,
    /// Readers are told to leave; the owners go on answering others until the shard is stopped.
    Draining,
    Stopped,
}

impl EventLoop {
    pub(super) fn new(seat: Seat, parts: Parts) -> io::Result<Self> {
        let began = Instant::now();
        let shard = parts.settings.shard;
        let registry = seat.poll.registry().try_clone()?;
        let load = Arc::clone(&parts.load);
        let mut sessions = Sessions::new();
        let random = sessions.draw_bits() | 1;
        let mut core = Shard::new(parts.settings);
        core.restore(parts.restored, read_clocks(began));
        Ok(Self {
            sockets: Sockets::new(registry, load, shard, read_clocks(began)),
            shard,
            core,
            acceptance: parts.acceptance,
            judge: parts.judge,
            node: parts.node,
            load: parts.load,
            engine: parts.engine,
            handoff: parts.handoff,
            letters: seat.letters,
            read_back: VecDeque::new(),
            inquiries: Inquiries::default(),
            batches: Batches::default(),
            changes: std::collections::HashMap::new(),
            leases: Leases::default(),
            awaited: Vec::new(),
            review: Review::default(),
            visits: Visits::default(),
            visiting: None,
            course: Course::Running,
            drain_ends: 0,
            read: vec![0; READ_BYTES],
            plain: Vec::new(),
            out: Vec::new(),
            poll: seat.poll,
            waker: seat.waker,
            began,
            inputs: VecDeque::new(),
            effects: Vec::new(),
            settling: false,
            random,
            sessions,
            due: VecDeque::new(),
        })
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// If the poll fails, without which nothing goes on.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut idle = Idle::Yes;
        while self.course != Course::Stopped {
            idle = self.turn(&mut events, self.timeout(idle))?;
        }
        Ok(())
    }

    /// One turn: waits for events at most this long, and deals with everything that is there.
    ///
    /// # Errors
    /// If the poll fails.
    pub(super) fn turn(
        &mut self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<Idle> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.sockets.now = read_clocks(self.began);
        for event in &*events {
            self.note(event);
        }
        // Reset first: whoever puts a letter in after this wakes the poll again.
        self.waker.reset();
        let letters = self.open_letters();
        self.lapse_due();
        self.look_at_leases();
        self.look_at_awaited();
        self.look_again();
        self.visit_ready();
        let now = self.sockets.now;
        if self.core.tick_at().is_some_and(|at| at <= now.millis) {
            self.input(Input::Tick);
        }
        self.engine.hand_over();
        let backlog = self.flush();
        let read_back = self.take_read_back();
        self.bury_gone();
        self.engine.hand_over();
        let behind = backlog == Backlog::More || read_back == Idle::No;
        let more = behind || self.review.is_under_way();
        Ok(if more { Idle::No } else { letters })
    }

    /// Hands an input to the core and carries out what it wants, and whatever follows from that.
    pub(super) fn input(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.settle();
    }

    fn settle(&mut self) {
        // Effects are carried out in order, so what they lead to waits until all of them are.
        if self.settling {
            return;
        }
        self.settling = true;
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.carry_out(effect);
            }
            self.effects = effects;
            let Some(input) = self.inputs.pop_front() else {
                break;
            };
            self.core.handle(input, self.sockets.now, &mut self.effects);
        }
        self.settling = false;
    }

    fn flush(&mut self) -> Backlog {
        let now = self.sockets.now;
        let backlog = self.core.flush(&mut self.sockets, now, FLUSH_SENDS, &mut self.effects);
        self.settle();
        backlog
    }

    fn note(&mut self, event: &mio::event::Event) {
        if event.token() == WAKER {
            return;
        }
        let id = id_of(event.token());
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        if event.is_error() {
            self.end(id);
            return;
        }
        if event.is_readable() {
            connection.marks.readable = true;
            connection.marks.ending |= event.is_read_closed();
            // Who leaves is in no hurry; a crowd that leaves keeps nobody waiting.
            match event.is_read_closed() {
                true => self.sockets.queue_later(id),
                false => self.sockets.queue(id),
            }
        }
        if event.is_writable() {
            self.make_room(id);
        }
    }

    /// The socket has room again.
    pub(super) fn make_room(&mut self, id: ConnectionId) {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        let waited = connection.pending.is_some() || connection.link.holds_ciphertext();
        if !waited && !connection.marks.told_full {
            return;
        }
        if self.sockets.flush_pending(id) == Flushed::Waits {
            return;
        }
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        if waited {
            if matches!(connection.state, super::connection::State::Closing) {
                self.sockets.shut_if_drained(id);
            }
            // What the client asked for has gone out; it is listened to again.
            self.sockets.queue(id);
        }
        let told_full = self
            .sockets
            .slab
            .find_mut(id)
            .is_some_and(|connection| std::mem::take(&mut connection.marks.told_full));
        if told_full {
            self.input(Input::Writable(id));
        }
    }

    fn visit_ready(&mut self) {
        let waited = self.sockets.later.len();
        let mut ready = std::mem::take(&mut self.sockets.ready);
        for id in ready.drain(..) {
            self.visit(id);
        }
        // Visits have put others on the new list.
        if self.sockets.ready.is_empty() {
            self.sockets.ready = ready;
        }
        if waited > 0 {
            self.visit_later(waited);
        }
    }

    /// Visits some of those who have just come, leave, or had more to say than one visit takes.
    /// Whoever says little does not wait until each of them has had a visit.
    fn visit_later(&mut self, waited: usize) {
        let until = Instant::now() + LATER_WITHIN;
        for _ in 0..waited {
            let Some(id) = self.sockets.later.pop_front() else {
                return;
            };
            self.visit(id);
            if Instant::now() >= until {
                return;
            }
        }
    }

    fn lapse_due(&mut self) {
        self.sockets.wheel.advance(self.sockets.now.millis, &mut self.due);
        for _ in 0..LAPSES_PER_TURN {
            let Some((id, tick)) = self.due.pop_front() else {
                return;
            };
            self.come_due(id, tick);
        }
    }

    fn bury_gone(&mut self) {
        while let Some(id) = self.sockets.gone.pop() {
            self.end(id);
        }
    }

    fn timeout(&self, idle: Idle) -> Option<Duration> {
        let waits = !self.sockets.ready.is_empty() || !self.sockets.later.is_empty();
        if idle == Idle::No || waits || !self.due.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.sockets.now;
        let lease = self.leases.next().map(|at| now.millis + at.saturating_sub(now.unix));
        let next = [self.sockets.wheel.next(), self.core.tick_at(), lease, self.awaited_at()];
        let next = next.into_iter().flatten().min()?;
        Some(Duration::from_millis(next).saturating_sub(self.began.elapsed()))
    }

    /// A moment between the two ends of the time in which clients come back, so that they do not
    /// come back together.
    pub(super) fn draw_retry(&mut self, retry: Range<Duration>) -> Duration {
        retry.start + self.draw_below(retry.end.saturating_sub(retry.start))
    }

    /// A random time below `end`; for spreading things, not for secrets.
    pub(super) fn draw_below(&mut self, end: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.random % millis)
    }

    pub(super) fn options(&self) -> &ShardOptions {
        &self.judge.options
    }
}

/// Whether the loop may wait for events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    Yes,
    /// There is work that no event will announce.
    No,
}

fn read_clocks(began: Instant) -> Now {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now { millis: millis(began.elapsed()), unix: unix.map_or(0, millis) }
}

/// Events taken from the poll at once.
const EVENTS: usize = 1024;

/// Bytes read with one call, and from one connection in one turn.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Deadlines looked at in one turn. Those of a crowd that came together are due together, and nobody
/// else of the shard is to wait until each of it was sent a heartbeat. What it answers to a ping is
/// read while the processor still knows its socket.
const LAPSES_PER_TURN: usize = 64;

/// How long newcomers, leavers and those who say more than a visit takes are visited in one turn.
const LATER_WITHIN: Duration = Duration::from_micros(250);

/// Sends in one flush, so that those who publish have their turn too. At some microseconds each they
/// keep everyone else of the shard waiting for two or three milliseconds.
const FLUSH_SENDS: usize = 512;

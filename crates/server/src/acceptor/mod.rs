//! The acceptor: one thread that accepts every connection and deals it to a shard.
//!
//! It owns what has to be decided before a connection costs anything: the limits on connections
//! and on pending handshakes, and what happens when file descriptors run out.

mod answer;
mod refusal;
mod socket;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fanfare_protocol::native::cors::OriginPolicy;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;

use crate::limit::{ClientAddress, LimitKey, Limiter, Preface, Terms};
use crate::load::Load;
use crate::node::{Letter, Node};
use crate::tls::Entrance;
use answer::Limit;
use refusal::Refusals;
use socket::Spare;

/// The limits that the acceptor holds.
#[derive(Debug, Clone)]
pub(crate) struct AcceptorOptions {
    /// Connections at most, wherever they are (`limits.connections_max`).
    pub connections_max: usize,
    /// Connections at most whose first request head is not whole yet
    /// (`limits.handshakes_max`); counted among the connections.
    pub handshakes_max: usize,
    /// When a refused client is told to come back, at the earliest and at the latest.
    pub retry: std::ops::Range<Duration>,
    /// How long what is sent may stay without being taken (`limits.write_timeout`).
    pub write_within: Duration,
    /// Which pages of other origins may read why they are refused.
    pub policy: Arc<OriginPolicy>,
    /// What each address may do.
    pub terms: Arc<Terms>,
    /// Who holds them to that.
    pub limiter: Arc<Limiter>,
}

/// A running acceptor.
#[derive(Debug)]
pub(crate) struct Acceptor {
    options: Arc<ArcSwap<AcceptorOptions>>,
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    waker: Waker,
}

struct Loop {
    poll: Poll,
    listeners: Vec<(TcpListener, Entrance)>,
    options: Arc<ArcSwap<AcceptorOptions>>,
    node: Arc<Node>,
    load: Arc<Load>,
    refusals: Refusals,
    spare: Spare,
    stop: Arc<AtomicBool>,
    paused_until: Option<Instant>,
    /// Connections turned away since it was last paused, because there are as many as there may be.
    turned_away: usize,
    told: HashMap<&'static str, Instant>,
}

impl Acceptor {
    /// Begins to accept from these sockets, which listen already.
    ///
    /// # Errors
    /// If the poll cannot be set up or the thread cannot be started.
    pub(crate) fn start(
        listeners: Vec<(std::net::TcpListener, Entrance)>,
        options: AcceptorOptions,
        node: Arc<Node>,
        load: Arc<Load>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut sockets = Vec::new();
        for (place, (listener, entrance)) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true)?;
            if socket::INHERITS {
                socket::prepare(&SockRef::from(&listener), options.write_within)?;
            }
            let mut listener = TcpListener::from_std(listener);
            poll.registry().register(&mut listener, Token(place), Interest::READABLE)?;
            sockets.push((listener, entrance));
        }
        let options = Arc::new(ArcSwap::from_pointee(options));
        let accepting = Loop {
            poll,
            listeners: sockets,
            refusals: Refusals::new(Arc::clone(&options)),
            options: Arc::clone(&options),
            node,
            load,
            spare: Spare::open(),
            stop: Arc::clone(&stop),
            paused_until: None,
            turned_away: 0,
            told: HashMap::new(),
        };
        let thread = std::thread::Builder::new().name("acceptor".into()).spawn(move || {
            // Those who are here go before those who come.
            crate::priority::lower(NICENESS);
            // Nothing is looked at after a panic: the process ends.
            if catch_unwind(AssertUnwindSafe(|| accepting.run())).is_err() {
                tracing::error!("the acceptor has panicked: the process ends");
                crate::shard::end_process();
            }
        })?;
        Ok(Self { options, thread, stop, waker })
    }

    /// Holds the next connections to these limits.
    pub(crate) fn exchange(&self, options: AcceptorOptions) {
        self.options.store(Arc::new(options));
    }

    /// Closes the listening sockets and waits for the thread to end. What was accepted stays.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        // A waker fails only when the poll is gone, and then the thread has ended already.
        let _gone = self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("the acceptor had panicked");
        }
    }
}

/// By how much the priority of accepting is lower.
const NICENESS: i32 = 5;

impl Loop {
    fn run(mut self) {
        let mut events = Events::with_capacity(256);
        while !self.stop.load(Ordering::Acquire) {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    tracing::error!(%error, "the acceptor cannot wait for connections any more");
                    crate::shard::end_process();
                }
                _ => {}
            }
            let now = Instant::now();
            for event in &events {
                self.refusals.ready(event.token(), &self.poll);
            }
            self.refusals.expire(now, &self.poll);
            if self.paused_until.is_none_or(|until| until <= now) {
                self.paused_until = None;
                self.accept_all(now);
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let pause = self.paused_until;
        let next = [pause, self.refusals.next()].into_iter().flatten().min()?;
        // The poll rounds up to whole milliseconds, so this does not spin.
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Accepts from every listener in turn until none has a connection waiting. The listeners are
    /// edge-triggered, so stopping earlier means to come back without being told.
    fn accept_all(&mut self, now: Instant) {
        let mut open: Vec<usize> = (0..self.listeners.len()).collect();
        for _ in 0..TURNS {
            open.retain(|place| self.accept_some(*place, now));
            if open.is_empty() || self.paused_until.is_some() {
                return;
            }
        }
        // The refused have waited long enough for their turn.
        self.paused_until = Some(now);
    }

    /// Accepts so many that the other listeners have their turn too. Says whether there may be
    /// more.
    fn accept_some(&mut self, place: usize, now: Instant) -> bool {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((listener, entrance)) = self.listeners.get(place) else {
                return false;
            };
            let entrance = *entrance;
            match listener.accept() {
                Ok((socket, peer)) => self.deal((socket, entrance), peer, now),
                Err(error) => return self.refused_by_kernel(place, &error, now),
            }
            if self.turned_away >= TURNED_AWAY_AT_ONCE {
                self.turned_away = 0;
                self.paused_until = Some(now + FULL_PAUSE);
                return false;
            }
        }
        true
    }

    /// Says whether the listener is worth another try at once.
    fn refused_by_kernel(&mut self, place: usize, error: &io::Error, now: Instant) -> bool {
        if error.kind() == io::ErrorKind::WouldBlock {
            return false;
        }
        if !socket::is_starvation(error) {
            // The client gave up while it waited, or the network failed: the next one may be fine.
            return true;
        }
        self.load.starve();
        self.tell("files", now, || {
            tracing::error!(%error, "no file descriptor for a new connection: raise the open-file limit (ulimit -n) or lower limits.connections_max");
        });
        if let Some((listener, _)) = self.listeners.get(place) {
            self.spare.turn_away(listener);
        }
        self.paused_until = Some(now + STARVATION_PAUSE);
        false
    }

    fn deal(&mut self, (socket, entrance): (TcpStream, Entrance), peer: SocketAddr, now: Instant) {
        let options = self.options.load_full();
        let full = self.load.connections() >= options.connections_max;
        let crowded = self.load.handshakes() >= options.handshakes_max;
        if full || crowded {
            self.load.refuse();
            self.turned_away += usize::from(full);
            let limit = if full { Limit::Connections } else { Limit::Handshakes };
            let key = limit.key();
            self.tell(key, now, || {
                tracing::warn!(key, "connections are refused: the limit is reached");
            });
            // Words would take the handshake that there is no room for; a client of TLS that finds
            // its connection closed comes back by itself.
            if entrance == Entrance::Plain {
                self.refusals.add(socket, limit, now, &self.poll);
            }
            return;
        }
        // Behind a proxy the client is known later.
        let proxies = &options.terms.proxies;
        let known = proxies.protocol == Preface::Off && !proxies.trusted.contains(peer.ip());
        let address = known.then(|| ClientAddress::of_peer(peer));
        let accepted = address.map(|address| options.limiter.accept(&options.terms, address));
        let address = match accepted.transpose() {
            Ok(address) => address.flatten(),
            Err(limit) => {
                self.load.limit(limit == LimitKey::AddressConnects);
                if entrance == Entrance::Plain {
                    self.refusals.add(socket, Limit::Address(limit), now, &self.poll);
                }
                return;
            }
        };
        if !socket::INHERITS
            && let Err(error) = socket::prepare(&SockRef::from(&socket), options.write_within)
        {
            // The client reset it while it waited in the backlog.
            tracing::debug!(%error, %peer, "a connection was gone before it was accepted");
            return;
        }
        let shard = self.load.lightest();
        let Some(mailbox) = self.node.mailboxes().get(usize::from(shard)) else {
            return;
        };
        self.load.arrive(shard);
        self.load.begin_handshake();
        mailbox.put(Letter::Accepted {
            socket,
            entrance,
            peer,
            counted: self.load.enter_from(address),
        });
    }

    /// Says something in the log, each thing once a minute at most.
    fn tell(&mut self, what: &'static str, now: Instant, say: impl FnOnce()) {
        let due = self.told.get(what).is_none_or(|at| *at + TELL_EVERY <= now);
        if due {
            self.told.insert(what, now);
            say();
        }
    }
}

const WAKER: Token = Token(usize::MAX);
const ACCEPTS_PER_TURN: usize = 64;
const TURNS: usize = 16;
const STARVATION_PAUSE: Duration = Duration::from_millis(200);

/// A full server turns away so many and then pauses: whoever comes would not be let in any sooner,
/// and those who are there are not to pay for a flood of others. The rest waits in the kernel.
const TURNED_AWAY_AT_ONCE: usize = 16;
const FULL_PAUSE: Duration = Duration::from_millis(4);

const TELL_EVERY: Duration = Duration::from_secs(60);

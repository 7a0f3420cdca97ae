//! Where a shard sits: its poll and mailbox, made before its thread, and what it is started with.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use fanfare_core::settings::ShardSettings;
use fanfare_core::shard::Restored;
use mio::{Poll, Token, Waker};

use super::event_loop::EventLoop;
use super::http::Judge;
use crate::edge::Handoff;
use crate::engine::Engine;
use crate::load::Load;
use crate::node::{Letter, Mailbox, Node, ShardWaker};
use crate::tls::Acceptance;

/// A shard's poll and the reading end of its mailbox.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) poll: Poll,
    pub(super) waker: Arc<ShardWaker>,
    pub(super) letters: mpsc::Receiver<Letter>,
}

/// What a shard is started with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The bounds and rules of its core.
    pub settings: ShardSettings,
    /// What requests are judged by.
    pub judge: Judge,
    /// How to reach the other shards and the edge's askers.
    pub node: Arc<Node>,
    /// Where connections are counted.
    pub load: Arc<Load>,
    /// Where its owners store.
    pub engine: Engine,
    /// The channels that the engine found.
    pub restored: Vec<Restored>,
    /// How TLS connections are begun, if there are any.
    pub acceptance: Option<Acceptance>,
    /// Where connections go that the shard does not serve.
    pub handoff: Handoff,
}

impl Seat {
    /// A poll, and the mailbox that wakes it.
    ///
    /// # Errors
    /// If the system gives no poll or waker.
    pub(crate) fn new() -> io::Result<(Mailbox, Self)> {
        let poll = Poll::new()?;
        let waker = Arc::new(ShardWaker::new(Waker::new(poll.registry(), WAKER)?));
        let (mailbox, letters) = Mailbox::new(Arc::clone(&waker));
        let seat = Self { poll, waker, letters };
        Ok((mailbox, seat))
    }

    /// Starts the shard's thread. It ends when the shard is told to stop.
    ///
    /// # Errors
    /// If the thread or its poll cannot be set up.
    pub(crate) fn start(self, parts: Parts) -> io::Result<JoinHandle<()>> {
        let name = format!("shard-{}", parts.settings.shard);
        let event_loop = EventLoop::new(self, parts)?;
        std::thread::Builder::new().name(name).spawn(move || {
            // Nothing is looked at after a panic: the process ends.
            let ended = catch_unwind(AssertUnwindSafe(|| event_loop.run()));
            match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::error!(%error, "a shard cannot poll: the process ends"),
                Err(_) => tracing::error!("a shard has panicked: the process ends"),
            }
            end_process();
        })
    }
}

/// Ends the process because a part of it that nobody can do without is broken.
pub(crate) fn end_process() -> ! {
    std::process::exit(BROKEN_EXIT_CODE)
}

/// The poll's name for the waker; no connection has it, since its index would be [`u32::MAX`].
pub(super) const WAKER: Token = Token(usize::MAX);

/// The exit code of a process whose shard or acceptor broke (`EX_SOFTWARE` of sysexits).
pub(crate) const BROKEN_EXIT_CODE: i32 = 70;

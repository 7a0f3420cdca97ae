//! One shard: the state machine that owns connections' subscriptions and owns channels.

mod interface;

pub use interface::*;

use crate::feed::Run;
use crate::settings::ShardSettings;
use crate::time::{Millis, Now};

/// Where a shard puts frames: sockets and pipes in production, lists in the simulation.
pub trait Sink {
    /// Offers a run of frames to a connection, which takes from the front as many as it has room
    /// for. A frame counts as taken once any byte of it is on its way: the sink keeps its rest.
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery;
}

/// What a connection took of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Frames taken from the front of the run.
    pub taken: usize,
    /// Whether it can take more at once.
    pub room: Room,
}

/// Whether a connection can take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    More,
    /// Not before [`Input::Writable`].
    Full,
}

/// One shard of the hub.
#[derive(Debug)]
pub struct Shard {
    settings: ShardSettings,
    figures: Figures,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(settings: ShardSettings) -> Self {
        Self {
            settings,
            figures: Figures::default(),
        }
    }

    /// Takes one input and appends what has to be done for it to `effects`.
    pub fn handle(&mut self, _input: Input, _now: Now, _effects: &mut Vec<Effect>) {}

    /// Delivers from dirty feeds, round robin, up to `budget` sends. Says whether there is more.
    pub fn flush(
        &mut self,
        _sink: &mut impl Sink,
        _now: Now,
        _budget: usize,
        _effects: &mut Vec<Effect>,
    ) -> Backlog {
        Backlog::Empty
    }

    /// When [`Input::Tick`] is wanted next.
    #[must_use]
    pub fn tick_at(&self) -> Option<Millis> {
        None
    }

    /// The counters and gauges of this shard.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }
}

/// Whether a flush left anything to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing that a connection has room for.
    Empty,
    /// Some feed is still dirty.
    More,
}

/// What a shard counts, in plain cells that a scrape copies.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Publications that this shard's owners committed.
    pub publications: u64,
    /// Bytes of payload in them.
    pub publication_bytes: u64,
    /// Publishes that were refused or failed.
    pub publishes_refused: u64,
    /// Frames taken by connections.
    pub deliveries: u64,
    /// Gaps told, by the number of their reason in [`crate::gap::GapReason::ALL`].
    pub gaps: [u64; 6],
    /// Readers that the ring passed.
    pub slow_readers: u64,
    /// Channels owned.
    pub channels: u64,
    /// Feeds open.
    pub feeds: u64,
    /// Readers attached.
    pub readers: u64,
    /// Bytes that the rings of owned channels hold.
    pub ring_bytes: u64,
    /// Bytes that feeds hold.
    pub feed_bytes: u64,
    /// Bytes of pages on their way.
    pub page_bytes: u64,
    /// Publications between the slowest reader's place and the head of its feed, at the last visit.
    pub lag_max: u64,
}

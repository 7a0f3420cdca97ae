//! What the core is told about its bounds, once, at start.

use std::sync::Arc;
use std::time::Duration;

use crate::frame::Encode;
use crate::namespace::{NamespaceRules, Namespaces};
use crate::position::{Epoch, Offset};
use crate::presence::EncodeNews;

/// The number of a shard, from 0.
pub type ShardId = u16;

/// How much of a channel is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Publications, at least one.
    pub count: usize,
    /// Bytes as [`crate::publication::Publication::weight`] counts them; the newest publication is
    /// always kept.
    pub bytes: usize,
    /// Age of the oldest.
    pub age: Duration,
}

/// What happens to a reader that the ring has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlowReader {
    /// It reads on from history, or is told a gap.
    #[default]
    Recover,
    /// It skips to the newest: whoever reads such a channel has been told that only that matters.
    Latest,
    /// It is disconnected and told.
    Disconnect,
}

/// How far back the engine remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// The ring is all there is.
    #[default]
    Ring,
    /// The engine holds publications that the ring has let go of, and is asked for them.
    Engine,
}

/// The bounds and rules of one shard.
#[derive(Debug, Clone)]
pub struct ShardSettings {
    /// This shard's number.
    pub shard: ShardId,
    /// The number of shards, at least one.
    pub shards: ShardId,
    /// The epoch of every channel that was not deleted since this history began.
    pub generation: Epoch,
    /// The highest offset that was ever forgotten, on any shard, before this start.
    pub mark: Offset,
    /// Seeds what the shard draws at random (new epochs).
    pub seed: u64,
    /// How a feed entry becomes bytes.
    pub encode: Encode,
    /// How news of a channel's members become bytes.
    pub encode_news: EncodeNews,
    /// What holds for the channels of each namespace.
    pub namespaces: Arc<Namespaces>,
    /// What an owner keeps of a channel in memory where the engine keeps the rest; see
    /// [`Depth::Engine`].
    pub ring: Retention,
    /// Bytes of all rings of this shard, in the same case. At the limit the longest untouched give
    /// theirs up.
    pub rings_bytes_max: usize,
    /// What a feed holds for readers that are behind, and a reader may be given at once when it
    /// attaches; older publications come in pages.
    pub feed: Retention,
    /// Bytes of one page; a publication larger than this is a page of its own.
    pub page_bytes: usize,
    /// Bytes of all pages of this shard that are on their way.
    pub pages_bytes_max: usize,
    /// Sends to one feed's readers before the next feed has its turn.
    pub sends_per_visit: usize,
    /// How long the engine may take before an outcome counts as unknown.
    pub engine_timeout: Duration,
    /// How long an idempotency key is remembered.
    pub key_window: Duration,
    /// Idempotency keys that this shard remembers at most.
    pub keys_max: usize,
    /// Channels that this shard owns at most.
    pub channels_max: usize,
    /// Channels that one connection reads at most.
    pub subscriptions_max: usize,
    /// Whether the engine holds more history than the ring.
    pub depth: Depth,
}

impl ShardSettings {
    /// A shard by itself, with the same rules for all channels, an engine that holds no more than the
    /// ring, and room for what tests and measurements do. What they want otherwise they say.
    #[must_use]
    pub fn alone(rules: NamespaceRules, encode: Encode, encode_news: EncodeNews) -> Self {
        let history = rules.history;
        let patience = Duration::from_secs(10);
        Self {
            shard: 0,
            shards: 1,
            generation: Epoch::from_bits(7),
            mark: 0,
            seed: 1,
            encode,
            encode_news,
            namespaces: Arc::new(Namespaces::only(rules)),
            ring: history,
            rings_bytes_max: usize::MAX,
            feed: history,
            page_bytes: 64 << 10,
            pages_bytes_max: 16 << 20,
            sends_per_visit: 256,
            engine_timeout: patience,
            key_window: Duration::from_secs(120),
            keys_max: 1_000,
            channels_max: 1_000,
            subscriptions_max: 64,
            depth: Depth::Ring,
        }
    }
}

//! What owners want of an engine, and what it answers, sooner or later or never.

use std::sync::Arc;

use crate::code::Code;
use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::publication::{End, Publication, Publisher, Stored};
use crate::shard::{HistoryPage, HistoryQuery};
use crate::time::UnixMillis;

/// What an owner wants of its engine.
#[derive(Debug, Clone)]
pub enum EngineCommand {
    /// Store a publication, or an end, or both.
    Append(Append),
    /// Answer with how much is stored of what came after `after`; settles every earlier append of the
    /// channel: what lies beyond the answer will never be stored.
    Resync {
        /// The owner's number for it.
        resync: u64,
        /// The channel.
        channel: ChannelName,
        /// The position that the owner knows to be committed.
        after: Position,
    },
    /// Forget the channel's history and begin this one.
    Remove {
        /// The channel.
        channel: ChannelName,
        /// The new epoch.
        epoch: Epoch,
        /// Where its offsets begin, which is also the owner's new mark.
        mark: Offset,
    },
    /// Raise the owner's mark, so that the channel can be forgotten.
    RaiseMark {
        /// The channel.
        channel: ChannelName,
        /// The mark.
        mark: Offset,
    },
    /// Forget the channel. Has no answer: the mark is stored.
    Forget(ChannelName),
    /// Read a page of what the ring no longer holds.
    Read {
        /// The owner's number for the read.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// After this position.
        after: Position,
        /// Bytes at most; one publication is always given.
        bytes: usize,
    },
    /// Find where a start lies among all that is stored, the ring's part included.
    Locate {
        /// The owner's number for the question.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// The start.
        start: DeepStart,
        /// The committed head: nothing beyond it counts.
        head: Position,
    },
    /// Answer a whole [`HistoryQuery`] from all that is stored, the ring's part included.
    History {
        /// The owner's number for the question.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// The question.
        query: HistoryQuery,
        /// The committed head: nothing beyond it is told.
        head: Position,
    },
}

/// A start that only those can find who know everything that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeepStart {
    /// With the oldest that is kept.
    All,
    /// With the newest so many that are kept; at least one.
    Last(u32),
    /// With the first publication of this time or later.
    Since(UnixMillis),
}

/// One append.
#[derive(Debug, Clone)]
pub struct Append {
    /// The owner's number for it, rising.
    pub append: u64,
    /// The channel.
    pub channel: ChannelName,
    /// The publication; none for an end without one.
    pub publication: Option<Arc<Publication>>,
    /// Whether the channel is closed after it.
    pub end: End,
    /// The position that it follows: an engine stores it there or nowhere.
    pub after: Position,
    /// The idempotency key that it was published under, stored together with it.
    pub key: Option<Box<AppendKey>>,
}

/// An idempotency key as an engine stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendKey {
    /// Whose key it is.
    pub publisher: Publisher,
    /// The key, 1 to 255 bytes.
    pub key: Box<str>,
    /// What was published under it, so that a key that comes again can be told from one used twice.
    pub digest: [u8; 16],
    /// Until when it is remembered at least.
    pub expires_at: UnixMillis,
}

/// What an engine answers.
#[derive(Debug, Clone)]
pub enum Completion {
    /// Every append of the channel up to and including this number is stored.
    Committed {
        /// The channel.
        channel: ChannelName,
        /// The number of the last append that is stored.
        append: u64,
    },
    /// This append and every later one of the channel was certainly not stored.
    Failed {
        /// The channel.
        channel: ChannelName,
        /// The number of the first append that was not stored.
        append: u64,
        /// What its publisher is told.
        code: Code,
    },
    /// Nobody knows whether this append and those after it were stored.
    Unknown {
        /// The channel.
        channel: ChannelName,
        /// The number of the first append in doubt.
        append: u64,
    },
    /// How much is stored of what came after the position that [`EngineCommand::Resync`] named.
    Resynced {
        /// The number of the resync.
        resync: u64,
        /// The channel.
        channel: ChannelName,
        /// The offset of the last publication that was stored, whether it is still kept or not; that
        /// of the position if none was.
        head: Offset,
        /// Whether the channel is stored as ended.
        ended: bool,
    },
    /// The new history has begun; or it has not.
    Removed {
        /// The channel.
        channel: ChannelName,
        /// Its new epoch.
        epoch: Epoch,
        /// Whether it was stored.
        outcome: Result<(), Code>,
    },
    /// The mark is stored.
    MarkRaised {
        /// The channel.
        channel: ChannelName,
        /// The mark.
        mark: Offset,
    },
    /// A page, or why there is none.
    Page {
        /// The number of the read.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// The publications after the position, none if nothing is held up to the head; or why
        /// there is no page.
        page: Result<Vec<Arc<Publication>>, NoPage>,
    },
    /// Where the start of [`EngineCommand::Locate`] lies.
    Located {
        /// The number of the question.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// The position to read after; the head where nothing follows.
        after: Result<Position, NoPage>,
    },
    /// The answer to [`EngineCommand::History`].
    History {
        /// The number of the question.
        read: u64,
        /// The channel.
        channel: ChannelName,
        /// The page.
        page: Result<Box<HistoryPage>, NoPage>,
    },
}

/// A channel as an engine found it at start.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The channel.
    pub name: ChannelName,
    /// Where its offsets begin in its history.
    pub start: Position,
    /// The offset of the last publication that is stored; `start` if there is none.
    pub head: Offset,
    /// Offsets up to here are not given out again, because a crash may have lost what they stood
    /// for; at least the head.
    pub skipped: Offset,
    /// Whether it is closed.
    pub ended: bool,
    /// When the newest of what is stored was published, or the channel ended.
    pub newest: UnixMillis,
    /// The idempotency keys that are still remembered.
    pub keys: Vec<RestoredKey>,
}

/// An idempotency key as an engine found it at start.
#[derive(Debug, Clone)]
pub struct RestoredKey {
    /// The key.
    pub key: AppendKey,
    /// The place of its publication, or the head where nothing was stored.
    pub position: Position,
    /// Whether `position` is the place of its publication.
    pub stored: Stored,
}

/// Why an engine has no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPage {
    /// What follows the position was trimmed up to and including this offset.
    Trimmed(Offset),
    /// The position's history has given way to another one, of which the owner is about to hear.
    OtherHistory,
}

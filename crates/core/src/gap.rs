//! Gaps: what a reader is told when it cannot be given everything it missed.

use crate::name::ChannelName;
use crate::position::Position;

/// Publications that a reader did not get, told at the place where they would have stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The channel with the hole.
    pub channel: ChannelName,
    /// The position that the reader had; none if it could not be read.
    pub from: Option<Position>,
    /// The position before the oldest publication that is kept; the head if none is.
    pub to: Position,
    /// Why the publications between cannot be given.
    pub reason: GapReason,
}

/// Why a position cannot be caught up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapReason {
    /// Retention removed what followed the position.
    Trimmed,
    /// The position belongs to another history.
    Epoch,
    /// The position lies ahead of the head in its own epoch.
    Future,
    /// The position could not be read.
    Unreadable,
    /// The channel was deleted while it was read.
    Removed,
    /// The ring passed a connected reader.
    Slow,
}

impl GapReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Trimmed, Self::Epoch, Self::Future, Self::Unreadable, Self::Removed, Self::Slow];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Epoch => "epoch",
            Self::Future => "future",
            Self::Unreadable => "unreadable",
            Self::Removed => "removed",
            Self::Slow => "slow",
        }
    }
}

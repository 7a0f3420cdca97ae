//! Where a reader wants to start.

use crate::cursor::CursorEntry;
use crate::name::ChannelName;
use crate::position::Position;
use crate::presence::Notices;
use crate::time::UnixMillis;

/// Where in a channel a reader starts. Only [`Start::After`], [`Start::AfterEnd`] and
/// [`Start::Unreadable`] can lead to a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the next publication.
    #[default]
    Now,
    /// With the oldest publication that is kept.
    All,
    /// With the newest so many that are kept; at least one.
    Last(u32),
    /// With the first publication of this time or later.
    Since(UnixMillis),
    /// After this position.
    After(Position),
    /// After this position, having been told that the channel ended there.
    AfterEnd(Position),
    /// From a position that could not be read: a gap, then the oldest that is kept.
    Unreadable,
}

/// What decides where a channel starts that is added to a stream which stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Later {
    /// The start of its subscription.
    #[default]
    Said,
    /// The entry that its reader's cursor carries; only without one the start of its subscription.
    Carried,
}

/// One channel of a request, and where it is read from.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelName,
    /// Where its reader starts.
    pub start: Start,
    /// Whether its reader is told who else comes and goes.
    pub notices: Notices,
}

impl Subscription {
    /// A channel whose publications alone are read.
    #[must_use]
    pub fn new(channel: ChannelName, start: Start) -> Self {
        Self { channel, start, notices: Notices::Off }
    }
}

impl Start {
    /// The start that a cursor's entry stands for.
    #[must_use]
    pub fn of_entry(entry: CursorEntry) -> Self {
        if entry.ended { Self::AfterEnd(entry.position) } else { Self::After(entry.position) }
    }

    /// The position that the reader claims, if it claims one.
    #[must_use]
    pub fn position(self) -> Option<Position> {
        match self {
            Self::After(position) | Self::AfterEnd(position) => Some(position),
            _ => None,
        }
    }
}

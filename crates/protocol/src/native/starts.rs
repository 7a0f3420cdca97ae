//! Where readers start: `since=`, `Last-Event-ID`, cursors, and what each channel gets of them.

use fanfare_core::cursor::Cursor;
use fanfare_core::name::ChannelName;
use fanfare_core::position::Position;
use fanfare_core::start::{Start, Subscription};
use fanfare_core::time::UnixMillis;

use crate::native::cursor::ReadCursor;
use crate::native::problem::Problem;

/// Where to start, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// For every channel the same; never a gap.
    Start(Start),
    /// `offset.epoch`, of the one channel that is asked for.
    Position(Position),
    /// A cursor.
    Cursor(ReadCursor),
}

/// Where each channel starts and what is carried through.
#[derive(Debug, Clone, Default)]
pub struct Starts {
    /// The channels, each once, in the order of the request.
    pub subscriptions: Vec<Subscription>,
    /// Entries for other channels, and the mark.
    pub carried: Cursor,
}

/// Reads a `since`.
///
/// # Errors
/// A problem that names the forms that can be read.
pub fn parse_since(text: &str, now: UnixMillis) -> Result<Since, Problem> {
    let _ = (text, now);
    Ok(Since::Start(Start::Now))
}

/// Where a channel starts that is added to a connection later: from `since`, else from the entry
/// that the connection carries for it, else now.
#[must_use]
pub fn start_later(channel: &ChannelName, since: Option<&Since>, carried: &Cursor) -> Start {
    let _ = (channel, since, carried);
    Start::Now
}

//! What happens around channels that the application may want to be told: who begins to read them
//! and who stops.
//!
//! Nothing of it is made for a channel whose namespace does not want it.

use std::sync::Arc;

use crate::name::ChannelName;
use crate::presence::Member;

/// What the application is told of the channels of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Whether anybody reads them.
    pub occupancy: bool,
    /// Who their members are, where they have members.
    pub members: bool,
}

/// Something that happened to a channel.
///
/// Of one channel, `Occupied` and `Vacated` take turns, as `Joined` and `Left` do of one member, and
/// members come and go only between an `Occupied` and the `Vacated` after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// The channel.
    pub channel: ChannelName,
    /// What happened to it.
    pub what: What,
}

/// What happened to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody reads it, and nobody did before.
    Occupied,
    /// Nobody reads it any more, and it has no members.
    Vacated,
    /// It has one member more.
    Joined(Arc<Member>),
    /// It has one member less.
    Left(Arc<Member>),
}

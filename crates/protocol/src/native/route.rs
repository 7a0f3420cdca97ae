//! From a request head to what is asked for: the first thing that happens to every request.

use std::time::Duration;

use fanfare_core::name::ChannelName;
use fanfare_core::time::UnixMillis;

use crate::native::batch::BatchRequest;
use crate::native::head::Head;
use crate::native::history::HistoryRequest;
use crate::native::problem::Problem;
use crate::native::publish::Publishing;
use crate::native::reading::Reading;

/// What requests are read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of a payload, at most.
    pub payload_bytes_max: usize,
    /// The heartbeat of who does not ask for another.
    pub heartbeat: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { payload_bytes_max: 1 << 20, heartbeat: Duration::from_secs(15) }
    }
}

impl Rules {
    /// Bytes of the body of `/publish` and of a `fanfare.v1` frame, at most.
    #[must_use]
    pub fn batch_bytes_max(&self) -> usize {
        self.payload_bytes_max.saturating_mul(8)
    }
}

/// What a request asks for.
#[derive(Debug)]
pub enum Route {
    /// To read channels.
    Read(Box<Reading>),
    /// To publish the body.
    Publish(Box<Publishing>),
    /// To start new histories.
    Remove(Vec<ChannelName>),
    /// To read a part of a history once.
    History(Box<HistoryRequest>),
    /// To publish a list of items.
    Batch(BatchRequest),
    /// Whether a browser may ask something else (`OPTIONS`).
    Preflight,
    /// A page that shows channels to a person.
    ChannelPage(Vec<ChannelName>),
    /// Something that is not under `/c` and `/publish`: the edge knows.
    Other,
}

impl Route {
    /// Bytes of body that the request may have, at most.
    #[must_use]
    pub fn body_bytes_max(&self, rules: &Rules) -> usize {
        match self {
            Self::Publish(_) => rules.payload_bytes_max,
            Self::Batch(_) => rules.batch_bytes_max(),
            _ => 0,
        }
    }
}

/// Reads a request head. [`super::cors::check`] comes before it.
///
/// # Errors
/// The problem to answer with.
pub fn route(head: &Head<'_>, rules: &Rules, now: UnixMillis) -> Result<Route, Problem> {
    let _ = (head, rules, now);
    Ok(Route::Other)
}

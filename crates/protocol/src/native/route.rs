//! From a request head to what is asked for: the first thing that happens to every request.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::time::UnixMillis;

use crate::native::batch::{self, BatchRequest};
use crate::native::change::CHANGE_BYTES_MAX;
use crate::native::channels::{self, Named, Target};
use crate::native::head::Head;
use crate::native::history::{self, HistoryRequest};
use crate::native::negotiate::read;
use crate::native::presence::{self, PresenceRequest};
use crate::native::problem::Problem;
use crate::native::publish::{self, Publishing};
use crate::native::reading::Reading;
use crate::native::session::Session;

/// What requests are read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of a payload, at most.
    pub payload_bytes_max: usize,
    /// The heartbeat of who does not ask for another.
    pub heartbeat: Duration,
    /// What is compressed for readers who say that they can take it.
    pub compression: Compression,
}

/// What is compressed for readers who say that they can take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression {
    /// WebSockets, by permessage-deflate.
    pub websocket: bool,
    /// Streams, by gzip or Zstandard.
    pub streams: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            payload_bytes_max: 1 << 20,
            heartbeat: Duration::from_secs(15),
            compression: Compression::default(),
        }
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
    Remove(Vec<Named>),
    /// To read a part of a history once.
    History(Box<HistoryRequest>),
    /// To list the members of a channel.
    Presence(Box<PresenceRequest>),
    /// To publish a list of items.
    Batch(BatchRequest),
    /// To change the channels of a live stream.
    Change(Session),
    /// Whether a browser may ask something else (`OPTIONS`).
    Preflight,
    /// A page that shows channels to a person.
    ChannelPage(Vec<ChannelName>),
    /// Something that is not under `/c`, `/publish` and `/sessions`: the edge knows.
    Other,
}

impl Route {
    /// Bytes of body that the request may have, at most.
    #[must_use]
    pub fn body_bytes_max(&self, rules: &Rules) -> usize {
        match self {
            Self::Publish(_) => rules.payload_bytes_max,
            Self::Batch(_) => rules.batch_bytes_max(),
            Self::Change(_) => CHANGE_BYTES_MAX,
            _ => 0,
        }
    }
}

/// Reads a request head. [`super::cors::check`] comes before it.
///
/// # Errors
/// The problem to answer with.
pub fn route(head: &Head<'_>, rules: &Rules, now: UnixMillis) -> Result<Route, Problem> {
    let target = channels::target(head.path, head.query());
    if head.method == "OPTIONS" && !matches!(target, Ok(Target::Other)) {
        return Ok(Route::Preflight);
    }
    match (target?, head.method) {
        (Target::Other, _) => Ok(Route::Other),
        (Target::Session(session), "POST") => {
            session.map(Route::Change).ok_or_else(|| Problem::of(Code::SessionGone))
        }
        (Target::Session(_), _) => Err(not_allowed(head, "POST, OPTIONS")),
        (Target::Batch, "POST" | "PUT") => batch::request(head).map(Route::Batch),
        (Target::Batch, _) => Err(not_allowed(head, "POST, PUT, OPTIONS")),
        (Target::History(channels), "GET" | "HEAD") => {
            history::request(channels::all(channels)?, head, now)
                .map(|request| Route::History(Box::new(request)))
        }
        (Target::Presence(channels), "GET" | "HEAD") => {
            presence::request(channels::all(channels)?, head)
                .map(|request| Route::Presence(Box::new(request)))
        }
        (Target::History(_) | Target::Presence(_), _) => {
            Err(not_allowed(head, "GET, HEAD, OPTIONS"))
        }
        (Target::Channels(channels), "GET" | "HEAD") => {
            read(channels::all(channels)?, head, rules, now)
        }
        (Target::Channels(channels), "CONNECT") if head.connects_to().is_some() => {
            read(channels::all(channels)?, head, rules, now)
        }
        (Target::Channels(channels), "POST" | "PUT") => {
            let channels = channels::several(channels)?;
            publish::publishing(channels, head).map(|asked| Route::Publish(Box::new(asked)))
        }
        (Target::Channels(channels), "DELETE") => channels::several(channels).map(Route::Remove),
        (Target::Channels(_), _) => Err(not_allowed(head, "GET, HEAD, POST, PUT, DELETE, OPTIONS")),
    }
}

fn not_allowed(head: &Head<'_>, allow: &'static str) -> Problem {
    let headers: &'static [(&'static str, &'static str)] = match allow {
        "POST, PUT, OPTIONS" => &[("Allow", "POST, PUT, OPTIONS")],
        "POST, OPTIONS" => &[("Allow", "POST, OPTIONS")],
        "GET, HEAD, OPTIONS" => &[("Allow", "GET, HEAD, OPTIONS")],
        _ => &[("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS")],
    };
    let method: String = head.method.chars().take(32).collect();
    Problem::new(
        Code::MethodNotAllowed,
        format!("This path does not take {}.", method.escape_debug()),
        format!("Use one of {allow}."),
    )
    .with_headers(headers)
}

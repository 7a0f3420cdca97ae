//! One event, and the JSON that it is told in.

use std::sync::Arc;

use fanfare_core::happening::{Happening, What};
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Member;
use fanfare_core::time::UnixMillis;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::limit::ClientAddress;
use crate::metrics::Transport;

/// Something that the backend is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// This server has started: nobody reads anything on it.
    Started,
    /// It has stopped: nobody reads anything on it any more.
    Stopped,
    /// So many events that belong here are missing.
    Lost(u64),
    /// Something has happened to a channel.
    Channel(Happening),
    /// A stream or a WebSocket has ended.
    Disconnected(Box<Departure>),
}

/// The end of a stream or a WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Departure {
    /// What `open` called it.
    pub session: String,
    /// Whose it was.
    pub user: Option<Arc<str>>,
    /// The id that the client had given itself.
    pub client: Option<Arc<str>>,
    /// Where it came from.
    pub address: ClientAddress,
    /// What it was.
    pub transport: Transport,
    /// What it read at last.
    pub channels: Vec<ChannelName>,
    /// How long it was open, in milliseconds.
    pub lasted: u64,
    /// Why it ended.
    pub parting: Parting,
}

/// Why a stream or a WebSocket has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The client closed it, or its connection broke.
    Client,
    /// The client answered no ping, or took nothing for too long.
    Timeout,
    /// It read too slowly for its channels.
    Slow,
    /// Its credentials had expired.
    Expired,
    /// What it may do was taken away from it.
    Revoked,
    /// Its channels had ended.
    Ended,
    /// It was closed for what it had sent.
    Refused,
    /// The server was leaving.
    Drain,
}

/// What kinds of events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Started,
    Stopped,
    Lost,
    Occupied,
    Vacated,
    Joined,
    Left,
    Disconnect,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub(super) const ALL: [Self; 8] = [
        Self::Started,
        Self::Stopped,
        Self::Lost,
        Self::Occupied,
        Self::Vacated,
        Self::Joined,
        Self::Left,
        Self::Disconnect,
    ];

    /// What it is called.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
            Self::Occupied => "occupied",
            Self::Vacated => "vacated",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Disconnect => "disconnect",
        }
    }
}

impl Event {
    /// What it is.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Started => Kind::Started,
            Self::Stopped => Kind::Stopped,
            Self::Lost(_) => Kind::Lost,
            Self::Channel(Happening { what, .. }) => match what {
                What::Occupied => Kind::Occupied,
                What::Vacated => Kind::Vacated,
                What::Joined(_) => Kind::Joined,
                What::Left(_) => Kind::Left,
            },
            Self::Disconnected(_) => Kind::Disconnect,
        }
    }

    /// How many bytes it takes while it waits, more or less.
    pub(super) fn weight(&self) -> usize {
        let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        OVERHEAD
            + match self {
                Self::Started | Self::Stopped | Self::Lost(_) => 0,
                Self::Channel(Happening { channel, what }) => {
                    let member = match what {
                        What::Joined(member) | What::Left(member) => {
                            let id = &member.id;
                            id.client.len() + length(&id.user) + length(&member.info)
                        }
                        What::Occupied | What::Vacated => 0,
                    };
                    channel.as_str().len() + member
                }
                Self::Disconnected(departure) => {
                    let channels = departure.channels.iter();
                    let channels =
                        channels.map(|name| name.as_str().len() + size_of::<usize>() * 4);
                    let named = length(&departure.user) + length(&departure.client);
                    channels.sum::<usize>() + named + departure.session.len()
                }
            }
    }

    /// Appends its JSON.
    pub(super) fn append(&self, id: &str, time: UnixMillis, out: &mut Vec<u8>) {
        let line = Line { id, kind: self.kind().as_str(), time, ..Line::default() };
        let line = match self {
            Self::Started | Self::Stopped => line,
            Self::Lost(count) => Line { count: Some(*count), ..line },
            Self::Channel(Happening { channel, what }) => {
                let member = match what {
                    What::Joined(member) | What::Left(member) => Some(Named::of(member)),
                    What::Occupied | What::Vacated => None,
                };
                Line { channel: Some(channel.as_str()), member, ..line }
            }
            Self::Disconnected(departure) => Line {
                session: Some(&departure.session),
                user: departure.user.as_deref(),
                client: departure.client.as_deref(),
                address: Some(departure.address.to_string()),
                transport: Some(departure.transport.as_str()),
                channels: Some(departure.channels.iter().map(ChannelName::as_str).collect()),
                lasted: Some(departure.lasted),
                reason: Some(departure.parting.as_str()),
                ..line
            },
        };
        // Strings and numbers become JSON whatever they are, and a vector takes every write.
        let _written = serde_json::to_writer(out, &line);
    }
}

impl Parting {
    /// Every reason.
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Client,
        Self::Timeout,
        Self::Slow,
        Self::Expired,
        Self::Revoked,
        Self::Ended,
        Self::Refused,
        Self::Drain,
    ];

    /// What it is called.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Timeout => "timeout",
            Self::Slow => "slow",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
            Self::Refused => "refused",
            Self::Drain => "drain",
        }
    }
}

/// An event as it is written.
#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// A member as it is written.
#[derive(Debug, Serialize)]
struct Named<'a> {
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
}

impl<'a> Named<'a> {
    fn of(member: &'a Member) -> Self {
        let info = member.info.as_deref();
        Self {
            client: &member.id.client,
            user: member.id.user.as_deref(),
            // It was found to be JSON before it became the member's.
            info: info.and_then(|info| serde_json::from_str(info).ok()),
        }
    }
}

/// Bytes that an event takes beside what it says.
const OVERHEAD: usize = 256;

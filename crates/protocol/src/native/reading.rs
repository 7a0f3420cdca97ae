//! What a reader asked for: everything the shard or the edge needs to serve it.

use std::borrow::Cow;
use std::time::Duration;

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Attendance;
use fanfare_core::rate::{Pace, Rate};
use fanfare_core::shard::Echo;
use fanfare_core::start::Subscription;

use crate::native::head::Version;
use crate::native::packing::ContentCoding;
use crate::native::problem::Problem;
use crate::websocket::{DeflateAnswer, Subprotocol};

/// A request to read channels.
#[derive(Debug)]
pub struct Reading {
    /// What carries the publications.
    pub transport: Transport,
    /// How they are encoded. A poll reads [`Format::Ndjson`] and joins the lines.
    pub format: Format,
    /// The channels, each once, at most 64; empty only for `fanfare.v1` on `/c`.
    pub subscriptions: Vec<Subscription>,
    /// Entries for channels that were not asked for, and the mark.
    pub carried: Cursor,
    /// Where it starts, in the words of its reader: `since=` as it was written, or `a cursor`.
    pub from: Cow<'static, str>,
    /// How a stream's body is coded, as the format is.
    pub coding: ContentCoding,
    /// Whether the reader gets its own publications back.
    pub echo: Echo,
    /// As whom the reader comes, where it is known who reads. A poller that gives no id is no member.
    pub attendance: Attendance,
    /// How often it is given what is newest (`max_rate=`); none if it did not ask for that.
    pub max_rate: Option<Rate>,
    /// What is sent when nothing else is.
    pub heartbeat: Heartbeat,
    /// Whether the stream begins with an opening event.
    pub opening: OpeningEvent,
    /// Whether only the headers are wanted.
    pub body: BodyWanted,
    /// The version of HTTP that the request came over.
    pub version: Version,
    /// On a WebSocket, what has to be told by close code 4002 after the handshake: `since=` could
    /// not be read. The subscriptions then start now and are not to be attached.
    pub refusal: Option<Problem>,
}

impl Reading {
    /// Whether the reader gets everything or only what is newest, and how often. A poll gets
    /// everything: it is one answer, and has no words for what it left out.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self.transport {
            Transport::Poll { .. } => Pace::Every,
            _ => self.max_rate.map_or(Pace::Usual, Pace::AtMost),
        }
    }

    /// The channels, in the order in which they were asked for.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> + Clone {
        self.subscriptions.iter().map(|subscription| &subscription.channel)
    }
}

/// What carries publications to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Server-Sent Events.
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// One payload a line (`as=raw`).
    Text,
    /// One answer, at the latest after this long (0 to 60 s).
    Poll {
        /// How long to wait for a publication.
        wait: Duration,
    },
    /// WebSocket.
    WebSocket(Socket),
}

/// What was asked of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Which language its frames are in; raw if none was offered.
    pub language: Subprotocol,
    /// The subprotocol to answer with; none if none was offered.
    pub subprotocol: Option<&'static str>,
    /// The value of `Sec-WebSocket-Accept`; empty over HTTP/2, which has none.
    pub accept: String,
    /// The offer of permessage-deflate that is accepted; its format is then compressed.
    pub deflate: Option<DeflateAnswer>,
    /// How a text frame `ping` is answered on a raw socket.
    pub pong: Pong,
}

/// How a text frame `ping` is answered on a raw WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pong {
    /// It is a publication like any other (`ping=off`).
    Off,
    /// With `pong`.
    Usual,
    /// With this text (`pong=`).
    Text(Box<str>),
}

impl Pong {
    /// The text that answers; none if nothing does.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::Usual => Some("pong"),
            Self::Text(text) => Some(text),
        }
    }
}

/// What is sent when nothing else is, so that both ends notice a dead connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// 5 to 60 s.
    pub every: Duration,
    /// What it looks like on SSE.
    pub form: HeartbeatForm,
}

/// What a heartbeat looks like on SSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeartbeatForm {
    /// A comment, which pages do not see.
    #[default]
    Comment,
    /// `event: fanfare.heartbeat`, which pages can watch.
    Event,
}

/// Whether a stream begins with an opening event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpeningEvent {
    /// It does.
    #[default]
    Told,
    /// It does not (`open=0`); the lines before it and the header stay.
    Silent,
}

/// Whether an answer's body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyWanted {
    /// `GET`.
    #[default]
    Yes,
    /// `HEAD`: the headers alone.
    No,
}

//! Reads channels over any of the four transports.

use std::collections::VecDeque;

use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use super::failure::Failure;
use super::frame::Frame;
use super::http::{Connection, Question};
use super::ndjson::NdjsonReader;
use super::poll::PollReader;
use super::sse::SseReader;
use super::target::Target;
use super::websocket::WebSocketReader;

/// How often the server is asked for a sign of life.
const HEARTBEAT: &str = "10s";

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// WebSocket, subprotocol fanfare.v1.
    Ws,
    /// Server-Sent Events, with envelopes as data.
    Sse,
    /// One JSON object a line.
    Ndjson,
    /// Long-polling.
    Poll,
}

/// What is read, and from where.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The channels, at least one.
    pub(crate) channels: &'a [String],
    /// Where to begin, as typed.
    pub(crate) since: Option<&'a str>,
    /// As whom to come, and whether to be told of others, as parameters of the query.
    pub(crate) presence: &'a [(&'static str, String)],
    /// Where a former stream ended; wins over `since`.
    pub(crate) cursor: Option<String>,
    /// How often to be given what is newest, as typed; not for polls.
    pub(crate) max_rate: Option<&'a str>,
}

/// A stream that is being read.
#[derive(Debug)]
pub(crate) struct Stream {
    first: VecDeque<Frame>,
    reader: Reader,
    /// Keeps the connection of a body alive.
    _connection: Option<Connection>,
}

#[derive(Debug)]
enum Reader {
    WebSocket(Box<WebSocketReader>),
    Sse(Box<SseReader>),
    Ndjson(Box<NdjsonReader>),
    Poll(Box<PollReader>),
    Finished,
}

impl Stream {
    /// Connects and asks.
    ///
    /// # Errors
    ///
    /// The server cannot be reached or refuses.
    pub(crate) async fn open(
        target: &Target,
        transport: Transport,
        plan: &Plan<'_>,
    ) -> Result<Self, Failure> {
        let reader = match transport {
            Transport::Ws => {
                Reader::WebSocket(Box::new(WebSocketReader::open(target, plan).await?))
            }
            Transport::Poll => Reader::Poll(Box::new(PollReader::open(target, plan).await?)),
            Transport::Sse => return Self::streaming(target, plan, "envelope").await,
            Transport::Ndjson => return Self::streaming(target, plan, "ndjson").await,
        };
        Ok(Self { first: VecDeque::new(), reader, _connection: None })
    }

    /// The next frame; `None` when the stream ends without having said that all is finished.
    ///
    /// # Errors
    ///
    /// The connection breaks, the server refuses, or what comes is not the protocol.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        if let Some(frame) = self.first.pop_front() {
            return Ok(Some(frame));
        }
        match &mut self.reader {
            Reader::WebSocket(reader) => reader.next().await,
            Reader::Sse(reader) => reader.next().await,
            Reader::Ndjson(reader) => reader.next().await,
            Reader::Poll(reader) => reader.next().await,
            Reader::Finished => Ok(Some(Frame::Finished)),
        }
    }

    async fn streaming(
        target: &Target,
        plan: &Plan<'_>,
        form: &'static str,
    ) -> Result<Self, Failure> {
        let mut connection = Connection::open(target).await?;
        let mut question = Question::get(target.path(plan.channels, &plan.query(Some(form))));
        question.headers.extend(plan.cursor.clone().map(|cursor| ("last-event-id", cursor)));
        let answer = connection.ask(question).await?;
        let first = cursor_of(&answer).into_iter().collect();
        let reader = if answer.status() == StatusCode::NO_CONTENT {
            Reader::Finished
        } else if form == "ndjson" {
            Reader::Ndjson(Box::new(NdjsonReader::new(answer.into_body())))
        } else {
            Reader::Sse(Box::new(SseReader::new(answer.into_body())))
        };
        Ok(Self { first, reader, _connection: Some(connection) })
    }
}

/// The cursor in the head of an answer, where the channels are read from.
pub(super) fn cursor_of(answer: &Response<Incoming>) -> Option<Frame> {
    let cursor = answer.headers().get("fanfare-cursor")?.to_str().ok()?;
    Some(Frame::Cursor(cursor.to_owned()))
}

impl Plan<'_> {
    /// The query of a stream in the given form.
    pub(super) fn query(&self, form: Option<&str>) -> Vec<(&'static str, String)> {
        let mut query = vec![("heartbeat", HEARTBEAT.to_owned())];
        query.extend(form.map(|form| ("as", form.to_owned())));
        query.extend(self.since.map(|since| ("since", since.to_owned())));
        query.extend(self.presence.iter().cloned());
        query.extend(self.max_rate.map(|rate| ("max_rate", rate.to_owned())));
        query
    }
}

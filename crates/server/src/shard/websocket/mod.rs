//! A WebSocket of a shard: what the client says, decoded to steps, and what it is told beside its
//! publications.
//!
//! Commands of one client run in order, one at a time: while one waits for its answer nothing
//! more is decoded, and nothing more is read.

mod message;
mod told;

pub(super) use told::Reply;

use bytes::{Buf, Bytes};
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Publisher, SessionId};
use fanfare_core::shard::Echo;
use fanfare_core::start::Subscription;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{Pong, Reading, Transport};
use fanfare_protocol::native::route::Rules;
use fanfare_protocol::native::v1::CommandId;
use fanfare_protocol::websocket::{
    CloseCode, Decoder, Event, Frame, Role, Violation, append_frame,
};

use std::time::Duration;

use super::http::Judge;
use super::request::SocketRequest;
use super::step::Step;
use super::wheel::Tick;
use fanfare_core::time::UnixMillis;

/// One WebSocket.
#[derive(Debug)]
pub(super) struct Session {
    decoder: Decoder,
    id: SessionId,
    publisher: Result<Publisher, Code>,
    language: Language,
    echo: Echo,
    /// Seconds between pings; 5 to 60.
    beat_secs: u8,
    /// When the first ping was sent that nothing has come back for.
    pinged: Option<Tick>,
    stage: Stage,
    /// Bytes read and not decoded yet.
    leftover: Option<Box<Bytes>>,
    next_request: u64,
}

/// The language of a WebSocket's messages.
#[derive(Debug)]
enum Language {
    Raw(Box<Raw>),
    /// With the cursor entries that the connection carries.
    V1(Box<Cursor>),
}

/// What payloads both ways need.
#[derive(Debug)]
struct Raw {
    /// The one channel that messages are published to; none if the URL has several.
    channel: Option<ChannelName>,
    pong: Pong,
}

#[derive(Debug)]
enum Stage {
    /// The handshake is not answered yet.
    Upgrading(Box<Upgrade>),
    /// It will be answered, and then closed for this reason.
    Refused(Box<(Upgrade, Problem)>),
    /// The edge has answered the handshake, the core has not opened it yet.
    Adopted,
    Open,
    /// A command waits for its answer.
    Busy(Box<Busy>),
    /// Our close frame is on its way; the client's is awaited.
    Closing,
}

/// A command that waits for its answer.
#[derive(Debug)]
struct Busy {
    request: u64,
    /// The client's number for it; none on a raw socket.
    command: Option<CommandId>,
}

/// What the answer to a handshake needs.
#[derive(Debug)]
pub(super) struct Upgrade {
    accept: String,
    subprotocol: Option<&'static str>,
    origin: AllowedOrigin,
}

impl Upgrade {
    /// The answer to the handshake of `reading`.
    pub(super) fn new(reading: &Reading, origin: AllowedOrigin) -> Self {
        let (accept, subprotocol) = match &reading.transport {
            Transport::WebSocket(socket) => (socket.accept.clone(), socket.subprotocol),
            _ => (String::new(), None),
        };
        Self { accept, subprotocol, origin }
    }
}

impl Session {
    /// The session of a request whose handshake the edge has answered. `subscriptions` are those
    /// of the URL.
    pub(super) fn new(
        request: SocketRequest,
        subscriptions: &[Subscription],
        rules: &Rules,
    ) -> Self {
        let message_bytes_max = match request.format {
            Format::WebSocketV1 => rules.batch_bytes_max(),
            _ => rules.payload_bytes_max,
        };
        let language = match request.format {
            Format::WebSocketV1 => Language::V1(Box::new(request.carried)),
            _ => Language::Raw(Box::new(Raw {
                channel: match subscriptions {
                    [only] => Some(only.channel.clone()),
                    _ => None,
                },
                pong: request.pong,
            })),
        };
        Self {
            decoder: Decoder::new(
                Role::Server,
                u32::try_from(message_bytes_max).unwrap_or(u32::MAX),
            ),
            id: request.session,
            publisher: request.publisher,
            language,
            echo: request.echo,
            beat_secs: u8::try_from(request.heartbeat.every.as_secs()).unwrap_or(u8::MAX),
            pinged: None,
            stage: Stage::Adopted,
            leftover: None,
            next_request: 0,
        }
    }

    /// The same, with the handshake still to be answered.
    pub(super) fn upgrading(mut self, upgrade: Upgrade) -> Self {
        self.stage = Stage::Upgrading(Box::new(upgrade));
        self
    }

    /// The same, to be closed for this reason as soon as the handshake is answered.
    pub(super) fn refused(mut self, upgrade: Upgrade, problem: Problem) -> Self {
        self.stage = Stage::Refused(Box::new((upgrade, problem)));
        self
    }

    /// The identity of the connection.
    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    /// Which frames it is sent.
    pub(super) fn format(&self) -> Format {
        match self.language {
            Language::Raw(_) => Format::WebSocketRaw,
            Language::V1(_) => Format::WebSocketV1,
        }
    }

    /// The time between pings.
    pub(super) fn beat_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.beat_secs.max(1)))
    }

    /// Whether the client is listened to.
    pub(super) fn listens(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing)
    }

    /// Whether its close frame is on its way.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing)
    }

    /// Whether bytes were read that are not decoded yet.
    #[cfg(test)]
    fn has_more(&self) -> bool {
        self.leftover.is_some()
    }

    /// Takes note that something was received: the client is alive.
    pub(super) fn heard(&mut self) {
        self.pinged = None;
    }

    /// When the first ping was sent that nothing has come back for.
    pub(super) fn pinged(&self) -> Option<Tick> {
        self.pinged
    }

    /// Sends a ping.
    pub(super) fn ping(&mut self, now: Tick, out: &mut Vec<u8>) {
        append_frame(out, &Frame::Ping(&[]), None);
        self.pinged.get_or_insert(now);
    }

    /// Keeps bytes that were read and cannot be decoded yet.
    pub(super) fn keep(&mut self, bytes: Bytes) {
        self.leftover = (!bytes.is_empty()).then(|| Box::new(bytes));
    }

    /// Goes on with what was kept.
    pub(super) fn resume(&mut self, judge: &Judge, now: UnixMillis, out: &mut Vec<u8>) -> Step {
        let Some(mut kept) = self.leftover.take() else {
            return Step::Wait;
        };
        let mut input = kept.as_ref().as_ref();
        let step = self.decode(&mut input, judge, now, out);
        let rest = input.len();
        if rest > 0 {
            let decoded = kept.len() - rest;
            kept.advance(decoded);
            self.leftover = Some(kept);
        }
        step
    }

    /// Decodes what was received until there is something to do, and keeps the rest.
    pub(super) fn receive(
        &mut self,
        mut input: &[u8],
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        #[cfg(feature = "fault-injection")]
        super::fault::strike_codec(input);
        let step = self.decode(&mut input, judge, now, out);
        if !input.is_empty() {
            self.leftover = Some(Box::new(Bytes::copy_from_slice(input)));
        }
        step
    }

    fn decode(
        &mut self,
        input: &mut &[u8],
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        loop {
            if out.len() >= OUTPUT_BYTES_MAX {
                return Step::Yield;
            }
            let event = match self.decoder.decode(input) {
                Ok(Some(event)) => event,
                Ok(None) => return Step::Wait,
                Err(_) if self.is_closing() => return Step::Finish,
                Err(violation) => {
                    let reason = self.reason(violation);
                    return self.close(violation.close_code(), &reason, out);
                }
            };
            let step = match event {
                Event::Close { code, .. } => {
                    if !self.is_closing() {
                        self.stage = Stage::Closing;
                        append_frame(out, &Frame::Close(code.map(|code| (code, ""))), None);
                    }
                    Step::Finish
                }
                _ if self.is_closing() => Step::Wait,
                Event::Ping(payload) => {
                    append_frame(out, &Frame::Pong(&payload), None);
                    Step::Wait
                }
                Event::Pong(_) => Step::Wait,
                Event::Message { kind, data } => self.hear(kind, data, judge, now, out),
            };
            if !matches!(step, Step::Wait) {
                return step;
            }
        }
    }

    /// What a client is told about its mistake; for one that is too large, the key to change.
    fn reason(&self, violation: Violation) -> String {
        match (violation, &self.language) {
            (Violation::MessageTooBig { .. }, Language::Raw(_)) => {
                format!("{violation}: limits.payload_bytes_max")
            }
            (Violation::MessageTooBig { .. }, Language::V1(_)) => {
                format!("{violation}: 8 times limits.payload_bytes_max")
            }
            _ => violation.to_string(),
        }
    }

    /// Sends a close frame; what the client still says is not listened to.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str, out: &mut Vec<u8>) -> Step {
        if self.is_closing() {
            return Step::Wait;
        }
        append_frame(out, &Frame::Close(Some((code, reason))), None);
        self.stage = Stage::Closing;
        Step::AwaitClose
    }

    /// Takes note that a command waits, under a number of its own.
    fn wait_for(&mut self, command: Option<CommandId>) -> u64 {
        self.next_request += 1;
        let request = self.next_request;
        self.stage = Stage::Busy(Box::new(Busy { request, command }));
        request
    }
}

/// Bytes of answers to one client after which others have their turn.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;

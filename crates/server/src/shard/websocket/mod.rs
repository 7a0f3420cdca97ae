//! A WebSocket of a shard: what the client says, decoded to steps, and what it is told beside its
//! publications.
//!
//! Commands of one client run in order, one at a time: while one waits for its answer nothing
//! more is decoded, and nothing more is read.

mod large;
mod message;
mod told;

pub(super) use large::Large;
pub(crate) use large::Read;
pub(crate) use message::close_code_of;
pub(super) use told::Reply;

use bytes::{Buf, Bytes};
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::{Coding, Format};
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{End, SessionId};
use fanfare_core::shard::Echo;
use fanfare_core::start::Subscription;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{Pong, Reading, Transport};
use fanfare_protocol::native::v1::CommandId;
use fanfare_protocol::websocket::{
    CloseCode, Decoder, DeflateAnswer, Event, Frame, Role, Violation, append_frame,
};

use std::time::Duration;

use super::http::Judge;
use super::options::ShardOptions;
use super::request::SocketRequest;
use super::step::Step;
use super::wheel::Tick;
use crate::auth::{self, Access, Caller};
use crate::clerk::LARGE_BYTES;
use crate::limit::{Sender, Stake};
use fanfare_core::time::UnixMillis;

/// One WebSocket.
#[derive(Debug)]
pub(super) struct Session {
    decoder: Decoder,
    id: SessionId,
    caller: Caller,
    /// Whom it counts for; none if no limit holds for them.
    sender: Option<Box<Sender>>,
    language: Language,
    echo: Echo,
    /// Seconds between pings; 5 to 60.
    beat_secs: u8,
    /// When the first ping was sent that nothing has come back for.
    pinged: Option<Tick>,
    stage: Stage,
    /// What there is of a message that is not whole.
    arriving: Option<Box<Arriving>>,
    /// Bytes read and not decoded yet.
    leftover: Option<Box<Bytes>>,
    /// Bytes that came of inflating in the visit under way.
    inflated: u32,
    next_request: u64,
}

/// How fast a message comes, seen with every heartbeat.
#[derive(Debug, Default)]
struct Arriving {
    /// When it was seen first, or last seen to have come far enough.
    since: Option<Tick>,
    /// What has come since.
    bytes: usize,
    /// What it holds while it is large.
    stake: Option<Stake>,
}

/// The language of a WebSocket's messages.
#[derive(Debug)]
enum Language {
    Raw(Box<Raw>),
    V1(Option<Box<Known>>),
}

/// What is known of a connection that speaks `fanfare.v1`; of most there is nothing to know.
#[derive(Debug, Default)]
struct Known {
    /// The cursor entries that it carries.
    carried: Cursor,
    /// The channel that it published to last, which is often the next one too.
    last: Option<ChannelName>,
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
    Closing {
        /// Bytes that came since then.
        discarded: u32,
    },
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
    deflate: Option<DeflateAnswer>,
    subprotocol: Option<&'static str>,
    origin: AllowedOrigin,
}

impl Language {
    /// Whether frames may publish, to any channel that they could name.
    fn may_send(&self, caller: &Caller, access: &Access) -> Result<(), Problem> {
        match self {
            Self::Raw(raw) => match &raw.channel {
                Some(channel) => access.may_send(caller, channel, End::Open),
                // That it only reads is told when it sends something.
                None => access.may_send_somewhere(caller),
            },
            Self::V1(_) => access.may_send_somewhere(caller),
        }
    }
}

impl Upgrade {
    /// The answer to the handshake of `reading`.
    pub(super) fn new(reading: &Reading, origin: AllowedOrigin) -> Self {
        let (accept, deflate, subprotocol) = match &reading.transport {
            Transport::WebSocket(socket) => {
                (socket.accept.clone(), socket.deflate, socket.subprotocol)
            }
            _ => (String::new(), None, None),
        };
        Self { accept, deflate, subprotocol, origin }
    }
}

impl Session {
    /// The session of a request whose handshake the edge has answered. `subscriptions` are those
    /// of the URL.
    pub(super) fn new(
        request: SocketRequest,
        subscriptions: &[Subscription],
        judge: &Judge,
    ) -> Self {
        let language = match request.format.plain() {
            Format::WebSocketV1 => {
                let carries = !request.carried.is_empty();
                let known = |carried| Box::new(Known { carried, last: None });
                Language::V1(carries.then(|| known(request.carried)))
            }
            _ => Language::Raw(Box::new(Raw {
                channel: match subscriptions {
                    [only] => Some(only.channel.clone()),
                    _ => None,
                },
                pong: request.pong,
            })),
        };
        let message_bytes_max = match language {
            Language::V1(_) => judge.rules.batch_bytes_max(),
            Language::Raw(_) => judge.rules.payload_bytes_max,
        };
        // What is not to be published need not be kept until it is whole.
        let message_bytes_max = match language.may_send(&request.caller, &judge.access) {
            Ok(()) => message_bytes_max,
            Err(_) => message_bytes_max.min(COMMAND_BYTES_MAX),
        };
        let message_bytes_max = u32::try_from(message_bytes_max).unwrap_or(u32::MAX);
        let decoder = Decoder::new(Role::Server, message_bytes_max);
        let decoder = match request.format.coding() {
            Some(_) => decoder.with_deflate(),
            None => decoder,
        };
        Self {
            decoder,
            id: request.session,
            caller: request.caller,
            sender: (request.sender != Sender::default()).then(|| Box::new(request.sender)),
            language,
            echo: request.echo,
            beat_secs: u8::try_from(request.heartbeat.every.as_secs()).unwrap_or(u8::MAX),
            pinged: None,
            stage: Stage::Adopted,
            arriving: None,
            leftover: None,
            inflated: 0,
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
        let plain = match self.language {
            Language::Raw(_) => Format::WebSocketRaw,
            Language::V1(_) => Format::WebSocketV1,
        };
        if self.decoder.deflates() { plain.compressed(Coding::Deflate) } else { plain }
    }

    /// The time between pings.
    pub(super) fn beat_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.beat_secs.max(1)))
    }

    /// Whether the client is listened to.
    pub(super) fn listens(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing { .. })
    }

    /// Whether its close frame is on its way.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing { .. })
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

    /// Whether a message has come more slowly than the limits allow; to be asked with every
    /// heartbeat. Gives the refusal to close with.
    pub(super) fn is_too_slow(&mut self, now: Tick, options: &ShardOptions) -> Option<Problem> {
        let listens = self.listens();
        let arriving = self.arriving.as_mut()?;
        let within = super::deadline::ticks(options.body_within);
        match arriving.since {
            Some(since) if listens && now.saturating_sub(since) < within => return None,
            Some(_) if listens && arriving.bytes < options.body_progress_bytes => {
                return Some(Problem::new(
                    Code::RequestTimeout,
                    "a message came too slowly",
                    "see limits.request_body_progress_timeout",
                ));
            }
            // Who is not listened to cannot be too slow.
            _ => (arriving.since, arriving.bytes) = (Some(now), 0),
        }
        None
    }

    /// Closes because of [`Self::is_too_slow`].
    pub(super) fn give_up(&mut self, problem: &Problem, out: &mut Vec<u8>) -> Step {
        let reason = format!("{}: {}", problem.detail(), problem.hint());
        self.close_for(problem.code(), (CloseCode::POLICY_VIOLATION, &reason), out)
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
        let (came, closed) = (input.len(), self.is_closing());
        let mut step = self.decode(&mut input, judge, now, out);
        if closed {
            step = self.discard(step, came);
        } else if self.decoder.pinned_bytes() > 0 {
            self.arriving.get_or_insert_default().bytes += came;
            if matches!(step, Step::Wait)
                && let Err(problem) = self.admit_large(judge)
            {
                return self.turn_away(&problem, out);
            }
        }
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
            if out.len() >= OUTPUT_BYTES_MAX || self.inflated as usize >= LARGE_BYTES {
                return Step::Yield;
            }
            let event = match self.decoder.decode(input) {
                Ok(Some(event)) => event,
                Ok(None) => return Step::Wait,
                Err(_) if self.is_closing() => return Step::Finish,
                Err(violation) => return self.violated(violation, judge, out),
            };
            let step = match event {
                Event::Close { code, .. } => {
                    if !self.is_closing() {
                        self.stage = Stage::Closing { discarded: 0 };
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
                Event::Message { kind, data } => {
                    let arrived = self.arriving.take();
                    large::keep(self.hear(kind, data, judge, now, out), arrived)
                }
                Event::Deflated { kind, data } => {
                    let arrived = self.arriving.take();
                    large::keep(self.inflate((kind, data), judge, now, out), arrived)
                }
            };
            if !matches!(step, Step::Wait) {
                return step;
            }
        }
    }

    fn violated(&mut self, violation: Violation, judge: &Judge, out: &mut Vec<u8>) -> Step {
        self.arriving = None;
        let told = self.reason(violation);
        let may_send = self.language.may_send(&self.caller, &judge.access);
        match (violation, may_send) {
            (Violation::MessageTooBig { .. }, Err(problem)) => {
                let problem = auth::told(problem);
                let told = (CloseCode::POLICY_VIOLATION, &*problem.close_reason());
                self.close_for(problem.code(), told, out)
            }
            (Violation::MessageTooBig { .. } | Violation::DeflateRatio { .. }, Ok(())) => {
                self.close_for(Code::PayloadTooLarge, (violation.close_code(), &told), out)
            }
            _ => self.close(violation.close_code(), &told, out),
        }
    }

    /// As [`Self::close`], for a refusal that is counted.
    fn close_for(&mut self, code: Code, told: (CloseCode, &str), out: &mut Vec<u8>) -> Step {
        match self.close(told.0, told.1, out) {
            Step::AwaitClose => Step::AwaitCloseFor(code),
            step => step,
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
        self.stage = Stage::Closing { discarded: 0 };
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

/// Bytes of a message at most from a client that may not publish, enough for any other command.
const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Bytes of answers to one client after which others have their turn.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;

//! A connection that sends requests: what a shard reads of HTTP/1.
//!
//! A request is looked at when it is whole. A small publish is answered here; a stream or a
//! WebSocket begins here; everything else, mistakes included, goes to the edge with all bytes
//! still unread, so that every problem is told in one place.

mod judge;

use std::net::SocketAddr;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::publication::Content;
use fanfare_core::shard::Request;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::head::HTTP2_PREFACE;
use fanfare_protocol::native::problem::{MALFORMED, Problem};
use fanfare_protocol::native::response::{Persistence, append_problem};

use super::step::Step;
use crate::auth::Caller;
pub(super) use judge::Given;
pub(crate) use judge::Judge;
use judge::{Decision, Refused};

/// A connection between its accept and what it becomes.
#[derive(Debug)]
pub(super) struct Http {
    peer: SocketAddr,
    buffer: Vec<u8>,
    /// Bytes of the buffer that belong to requests already answered.
    used: usize,
    /// Bytes of the buffer that hold no end of a head.
    scanned: usize,
    /// Bytes of the buffer that the present request is known to need.
    needed: usize,
    stage: Stage,
    /// The stage whose deadline is set.
    timed: Timed,
    next_request: u64,
    /// Who sends the present request, if the backend was asked.
    admitted: Option<Box<Caller>>,
}

/// Which deadline a connection is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timed {
    /// The first request head has to be whole in time from the accept.
    First,
    Idle,
    Head,
    Body,
    Working,
}

/// How far a request is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing of it has come.
    Idle,
    /// A part of its head.
    Head,
    /// Its head and a part of its body.
    Body,
    /// It waits for its answer.
    Working(Exchange),
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub request: u64,
    pub origin: AllowedOrigin,
    pub persistence: Persistence,
}

impl Http {
    /// A connection just accepted, or one that has been answered before.
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            buffer: Vec::new(),
            used: 0,
            scanned: 0,
            needed: 0,
            stage: Stage::Idle,
            timed: Timed::First,
            next_request: 0,
            admitted: None,
        }
    }

    /// Where the client is.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Which deadline holds from now on; none if that has not changed.
    pub(super) fn new_deadline(&mut self) -> Option<Timed> {
        let timed = match self.stage {
            Stage::Idle => Timed::Idle,
            Stage::Head => Timed::Head,
            Stage::Body => Timed::Body,
            Stage::Working(_) => Timed::Working,
        };
        let first = self.timed == Timed::First && matches!(timed, Timed::Idle | Timed::Head);
        if first || timed == self.timed {
            return None;
        }
        self.timed = timed;
        Some(timed)
    }

    /// Whether the first request head is still awaited.
    pub(super) fn is_first(&self) -> bool {
        self.next_request == 0 && matches!(self.stage, Stage::Idle | Stage::Head)
    }

    /// The exchange with this number, if it is the one that waits; it is answered then.
    pub(super) fn finish_exchange(&mut self, request: u64) -> Option<Exchange> {
        match &self.stage {
            Stage::Working(exchange) if exchange.request == request => {}
            _ => return None,
        }
        let Stage::Working(exchange) = std::mem::replace(&mut self.stage, Stage::Idle) else {
            return None;
        };
        if !self.has_more() {
            // An idle connection keeps no buffer of its last request.
            self.buffer = Vec::new();
            self.used = 0;
        }
        Some(exchange)
    }

    /// Whether the client is listened to: one request is in work at a time.
    pub(super) fn listens(&self) -> bool {
        !matches!(self.stage, Stage::Working(_))
    }

    /// Whether something is there that was not looked at.
    pub(super) fn has_more(&self) -> bool {
        self.used < self.buffer.len()
    }

    /// Takes note of who sends the request that is to be judged again.
    pub(super) fn admit(&mut self, caller: Caller) {
        self.admitted = Some(Box::new(caller));
    }

    /// Takes what was read.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The bytes that no answer was given to, for whoever goes on with the connection.
    pub(super) fn take_unread(&mut self) -> Bytes {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.drain(..self.used);
        self.used = 0;
        buffer.into()
    }

    /// The answer to a request that did not arrive in time; none if nothing of one has come.
    pub(super) fn timed_out(&self) -> Option<Problem> {
        self.has_more().then(|| Problem::of(Code::RequestTimeout))
    }

    /// Looks at what has come.
    pub(super) fn decode(&mut self, judge: &Judge, given: Given, out: &mut Vec<u8>) -> Step {
        if matches!(self.stage, Stage::Working(_)) {
            return Step::Wait;
        }
        let unread = self.buffer.get(self.used..).unwrap_or_default();
        if unread.is_empty() || unread.len() < self.needed {
            return Step::Wait;
        }
        #[cfg(feature = "fault-injection")]
        super::fault::strike_codec(unread);
        if self.next_request == 0 && begins_http2(unread) {
            // The edge gets it when it is whole, so that the deadline of a first head holds for it.
            return match unread.len() >= HTTP2_PREFACE.len() {
                true => Step::HandOver,
                false => self.wait_for_head(judge, out),
            };
        }
        if self.scanned > 0 && !ends_head(unread, self.scanned) {
            return self.wait_for_head(judge, out);
        }
        let admitted = self.admitted.take().map(|caller| *caller);
        let decision = judge.judge(unread, given, admitted);
        self.carry_out(judge, decision, out)
    }

    /// Does what was decided about the request at the front of the buffer.
    fn carry_out(&mut self, judge: &Judge, decision: Decision, out: &mut Vec<u8>) -> Step {
        match decision {
            Decision::PartialHead => self.wait_for_head(judge, out),
            Decision::PartialBody(bytes) => {
                self.needed = bytes;
                self.stage = Stage::Body;
                Step::Wait
            }
            Decision::Malformed => {
                if self.buffer.get(self.used) == Some(&TLS_HANDSHAKE) {
                    append_wrong_scheme(out, "http");
                    return Step::Refuse(Code::RequestMalformed);
                }
                out.extend_from_slice(MALFORMED);
                Step::Finish
            }
            Decision::HeadTooLarge => refuse_head(out),
            Decision::HandOver => Step::HandOver,
            Decision::Inquire(inquiry) => Step::Inquire(inquiry),
            Decision::Become(becoming, bytes) => {
                self.consume(bytes);
                self.stage = Stage::Idle;
                Step::Become(becoming)
            }
            Decision::Refuse(refused) => {
                let Refused { problem, origin, persistence, bytes } = *refused;
                self.consume(bytes);
                self.next_request += 1;
                // It is idle as one that was answered is.
                (self.stage, self.timed) = (Stage::Idle, Timed::Working);
                append_problem(out, &problem, &origin, persistence);
                match persistence {
                    Persistence::KeepAlive => Step::Told(problem.code()),
                    Persistence::Close => Step::Refuse(problem.code()),
                }
            }
            Decision::Publish(post) => {
                self.consume(post.bytes);
                self.next_request += 1;
                self.stage = Stage::Working(Exchange {
                    request: self.next_request,
                    origin: post.origin,
                    persistence: post.persistence,
                });
                Step::Ask {
                    request: self.next_request,
                    channel: post.channel,
                    bytes: post.draft.content.as_ref().map_or(0, Content::weight),
                    question: Request::Publish(post.draft),
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.buffer.len());
        self.scanned = 0;
        self.needed = 0;
    }

    fn wait_for_head(&mut self, judge: &Judge, out: &mut Vec<u8>) -> Step {
        let unread = self.buffer.len() - self.used;
        if unread >= judge.options.head_bytes_max {
            return refuse_head(out);
        }
        self.scanned = unread;
        self.stage = Stage::Head;
        Step::Wait
    }
}

/// The answer to who speaks TLS on a plain port, or the other way round: `scheme` is the right one.
pub(super) fn append_wrong_scheme(out: &mut Vec<u8>, scheme: &str) {
    let (detail, hint) = if scheme == "https" {
        ("This port speaks TLS, and the request came without.", "Use https:// or wss://.")
    } else {
        ("This port speaks plain HTTP, and a TLS handshake came.", "Use http:// or ws://.")
    };
    let problem = Problem::new(Code::RequestMalformed, detail, hint);
    append_problem(out, &problem, &AllowedOrigin::None, Persistence::Close);
}

fn refuse_head(out: &mut Vec<u8>) -> Step {
    // Whoever it comes from is not known yet, so no origin is allowed to read it.
    let problem = Problem::of(Code::HeadTooLarge);
    append_problem(out, &problem, &AllowedOrigin::None, Persistence::Close);
    Step::Refuse(Code::HeadTooLarge)
}

/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 22;

/// Whether a head may end in `bytes`, of which the first `scanned` hold no end. Saves parsing a
/// head again for each of its bytes when they are dripped.
fn ends_head(bytes: &[u8], scanned: usize) -> bool {
    // An end is at most four bytes long and may have begun among those scanned.
    let fresh = bytes.get(scanned.saturating_sub(3)..).unwrap_or_default();
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

/// Whether a client may be about to speak HTTP/2, or does. Methods of HTTP/1 that begin alike are
/// told apart by the `*` behind `PRI`; until then there is no whole head to look at either.
fn begins_http2(unread: &[u8]) -> bool {
    let common = unread.len().min(HTTP2_PREFACE.len());
    unread.get(..common) == HTTP2_PREFACE.get(..common)
}

#[cfg(test)]
mod tests;

//! What a refused client is told: RFC 9457 problem documents.

use std::borrow::Cow;

use fanfare_core::code::{Code, Retry};
use fanfare_core::cursor::CursorEntry;
use fanfare_core::name::{ChannelName, NAME_BYTES_MAX};
use fanfare_core::shard::Refusal;

use crate::native::{cursor, json};

/// A refusal in words: what is wrong, where, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    hint: Cow<'static, str>,
    place: Option<Box<Place>>,
    after: Option<u32>,
    headers: &'static [(&'static str, &'static str)],
    logged: Option<Box<Logged>>,
}

/// What the log has of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Logged {
    /// This is to be written.
    Soon(Untold),
    /// A line with this number.
    Under(u64),
}

/// What is for the log of who refuses, and not for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Which check failed, with what it looked at.
    pub why: Box<str>,
    /// What to change, as an order.
    pub change: Box<str>,
}

/// The channel that a refusal is about, and its head where the code is about the head.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    channel: Box<str>,
    head: Option<CursorEntry>,
}

/// Bytes of a WebSocket close frame's reason (RFC 6455 §5.5).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// The answer to what cannot be read as HTTP at all: status 400, no body, then the connection ends.
pub const MALFORMED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n\
      Connection: close\r\n\r\n";

impl Problem {
    /// A refusal in words of its own.
    #[must_use]
    pub fn new(
        code: Code,
        detail: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            detail: detail.into(),
            hint: hint.into(),
            place: None,
            after: None,
            headers: &[],
            logged: None,
        }
    }

    /// A refusal in the general words of its code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self::new(code, code.row().sentence, general_hint(code))
    }

    /// What the hub refused, about one channel.
    #[must_use]
    pub fn refused(channel: &ChannelName, refusal: Refusal) -> Self {
        Self::of(refusal.code).about(channel, refusal.head)
    }

    /// The same, about a channel and, if the code is about it, its head.
    #[must_use]
    pub fn about(mut self, channel: &ChannelName, head: Option<CursorEntry>) -> Self {
        self.place = Some(Box::new(Place { channel: channel.as_str().into(), head }));
        self
    }

    /// The same, about what was given as a channel's name; cut to the bytes that a name may have.
    #[must_use]
    pub(crate) fn about_name(mut self, name: &str) -> Self {
        let mut end = name.len().min(NAME_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let channel = name.get(..end).unwrap_or_default().into();
        self.place = Some(Box::new(Place { channel, head: None }));
        self
    }

    /// The same, where it is known after how many seconds the request may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.after = Some(seconds);
        self
    }

    /// The same, with headers that its status demands.
    #[must_use]
    pub fn with_headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    /// The same, with what is for the log.
    #[must_use]
    pub fn keeping(mut self, untold: Untold) -> Self {
        self.logged = Some(Box::new(Logged::Soon(untold)));
        self
    }

    /// Takes what is for the log, for who writes it there.
    pub fn take_untold(&mut self) -> Option<Untold> {
        match *self.logged.take_if(|logged| matches!(**logged, Logged::Soon(_)))? {
            Logged::Soon(untold) => Some(untold),
            Logged::Under(_) => None,
        }
    }

    /// The same, with the number under which the log says more; of it the lower 48 bits count.
    #[must_use]
    pub fn with_trace(mut self, trace: u64) -> Self {
        self.logged = Some(Box::new(Logged::Under(trace)));
        self
    }

    fn trace(&self) -> Option<u64> {
        match self.logged.as_deref()? {
            Logged::Under(trace) => Some(*trace),
            Logged::Soon(_) => None,
        }
    }

    /// Such a number as clients and the log have it.
    #[must_use]
    pub fn shown_trace(trace: u64) -> String {
        format!("{:012x}", trace & 0xffff_ffff_ffff)
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The channel that it is about, by the name that was given for it.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.place.as_ref().map(|place| &*place.channel)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// What is wrong, and where.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to change.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Headers that the status demands, `Retry-After` left out.
    #[must_use]
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        self.headers
    }

    /// The seconds of `Retry-After`: with 429 and 503 only. An EventSource, which would give up at
    /// any status but 200, gets [`super::sse::append_refusal`] instead.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self.status(), 429 | 503).then_some(self.after.unwrap_or(RETRY_AFTER_SECONDS))
    }

    /// Whether the same request may succeed later, so that an EventSource should come back.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.code.row().retry
    }

    /// The reason of a WebSocket close frame: code and detail, cut to what fits, and the trace.
    #[must_use]
    pub fn close_reason(&self) -> String {
        let mut reason = format!("{}: {}", self.code.name(), self.detail);
        let trace = self.trace().map(|trace| format!(" (trace {})", Self::shown_trace(trace)));
        let trace = trace.unwrap_or_default();
        let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX - trace.len());
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason.truncate(end);
        reason + &trace
    }

    /// Appends the problem document, as the body of an answer or inside of one.
    pub fn append_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(TYPE_BASE.as_bytes());
        out.extend_from_slice(self.code.name().as_bytes());
        out.extend_from_slice(b"\",\"title\":");
        json::append_string(out, self.code.row().sentence);
        out.extend_from_slice(b",\"status\":");
        json::append_number(out, u64::from(self.status()));
        out.extend_from_slice(b",\"code\":\"");
        out.extend_from_slice(self.code.name().as_bytes());
        out.push(b'"');
        self.append_words(out);
        out.push(b'}');
    }

    /// The problem document.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.append_body(&mut out);
        out
    }

    /// Appends `,"detail":…,"hint":…`, the trace and the members of the channel.
    pub(crate) fn append_words(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"detail\":");
        json::append_string(out, &self.detail);
        out.extend_from_slice(b",\"hint\":");
        json::append_string(out, &self.hint);
        if let Some(trace) = self.trace() {
            out.extend_from_slice(b",\"trace\":\"");
            out.extend_from_slice(Self::shown_trace(trace).as_bytes());
            out.push(b'"');
        }
        let Some(place) = &self.place else { return };
        out.extend_from_slice(b",\"channel\":");
        json::append_string(out, &place.channel);
        let Some(head) = place.head else { return };
        out.extend_from_slice(b",\"offset\":");
        json::append_number(out, head.position.offset);
        out.extend_from_slice(b",\"epoch\":\"");
        cursor::append_epoch(out, head.position.epoch);
        out.extend_from_slice(b"\",\"cursor\":\"");
        cursor::append_entry(out, head);
        out.push(b'"');
    }
}

/// What to change, where nothing more is known than the code.
fn general_hint(code: Code) -> &'static str {
    match code {
        Code::ExpectFailed => {
            "Read the channel from its head, given here, and publish again with that as `expect`."
        }
        Code::ChannelEnded => "DELETE the channel to start a new one, or publish to another.",
        Code::KeyReused => {
            "Use a new `Idempotency-Key` for another publication; a repetition has the same body, \
             content type, event, tags, ttl and end."
        }
        Code::ChannelsFull => "Publish to fewer channels, or DELETE some that nobody reads.",
        Code::StorageFull => {
            "Nothing was published; publish again when there is room on the disk of `log.directory`, \
             or below `log.bytes_max`."
        }
        Code::ConnectionsFull => "Come back later, or raise `limits.connections_max`.",
        Code::OutcomeUnknown => {
            "Repeat the request with the same `Idempotency-Key`; without one it may be published \
             twice."
        }
        Code::Overloaded | Code::NotApplied | Code::Draining | Code::AuthorityTimeout => {
            "Repeat the request after `Retry-After` seconds."
        }
        Code::HeadTooLarge => {
            "Send fewer or shorter headers, or raise `limits.request_head_bytes_max`."
        }
        Code::RequestTimeout => "Send the request head at once and the body without long pauses.",
        Code::PayloadTooLarge => {
            "Send less than `limits.payload_bytes_max` bytes, or raise that limit."
        }
        Code::NotFound => "Channels are read and written under `/c/{channel}`.",
        Code::AlreadySubscribed => "Unsubscribe from the channel first to read it from elsewhere.",
        Code::NotSubscribed => "Subscribe to the channel first.",
        Code::SessionGone => {
            "Send the `session` of the stream's opening event, with the credentials that opened it; \
             if the stream is gone, open it again."
        }
        Code::PresenceOff => {
            "Set `presence = true` at the top of the configuration or for the channel's namespace, or \
             leave out `presence=1`."
        }
        Code::Internal => "Repeat the request; if it fails again, the server's log says why.",
        _ => "See the protocol's documentation for what this request takes.",
    }
}

/// In front of a code's name in `type`.
const TYPE_BASE: &str = "docs/protocol.md#";

/// How long a client that cannot be served now should wait.
const RETRY_AFTER_SECONDS: u32 = 2;

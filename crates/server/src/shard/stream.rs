//! A stream over HTTP/1: what it says beside its publications.

use std::borrow::Cow;
use std::time::Duration;

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::SessionId;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::chunk::{Framing, LAST_CHUNK, append_part};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::head::Version;
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::packing::{ContentCoding, Packing};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{HeartbeatForm, OpeningEvent, Reading};
use fanfare_protocol::native::response::{
    BodyLength, Media, Persistence, ResponseHead, append_head, append_problem, stream_length,
};
use fanfare_protocol::native::{ndjson, sse};

use super::step::Step;
use crate::auth::{Caller, Identity};

/// A reader of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub session: SessionId,
    pub format: Format,
    pub version: Version,
    /// Who opened it, and alone may change it.
    pub opener: Caller,
    /// Seconds between heartbeats; 5 to 60.
    beat_secs: u8,
    beat_form: HeartbeatForm,
    stage: Stage,
    /// How its body is packed, as far as it has gone.
    pub packing: Packing,
}

#[derive(Debug)]
enum Stage {
    /// Its head is not written yet.
    Opening(Box<Unopened>),
    Open,
}

/// What the head and the opening event need.
#[derive(Debug)]
struct Unopened {
    origin: AllowedOrigin,
    coding: ContentCoding,
    opening: OpeningEvent,
    from: Cow<'static, str>,
}

impl Stream {
    /// The stream that `reading` asks for.
    pub(super) fn new(
        reading: &Reading,
        origin: AllowedOrigin,
        session: SessionId,
        opener: &Caller,
    ) -> Self {
        Self {
            session,
            format: reading.format,
            version: reading.version,
            opener: opener.clone(),
            beat_secs: u8::try_from(reading.heartbeat.every.as_secs()).unwrap_or(u8::MAX),
            beat_form: reading.heartbeat.form,
            stage: Stage::Opening(Box::new(Unopened {
                origin,
                coding: reading.coding,
                opening: reading.opening,
                from: reading.from.clone(),
            })),
            packing: Packing::of(reading.format),
        }
    }

    /// When the credentials of its reader expire.
    pub(super) fn expires(&self) -> Option<UnixMillis> {
        self.opener.expires()
    }

    /// Whether its head is written.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether it may be changed by who shows this secret and these credentials. Bare payloads do
    /// not say which channel they are of.
    pub(super) fn is_changed_by(&self, secret: SessionId, asker: &Identity) -> bool {
        let owned = self.session.matches(secret) && self.opener.is(asker);
        owned && self.is_open() && self.format.plain() != Format::Text
    }

    /// The time between heartbeats.
    pub(super) fn beat_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.beat_secs.max(1)))
    }

    /// How the parts of its body are framed.
    pub(super) fn framing(&self) -> Framing {
        match self.version {
            Version::Http10 => Framing::Bare,
            Version::Http11 | Version::Http2 => Framing::Chunked,
        }
    }

    /// Writes the head and the opening event.
    pub(super) fn open(&mut self, open: &Open<'_>, retry: Duration, out: &mut Vec<u8>) {
        let Stage::Opening(unopened) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return;
        };
        let head = ResponseHead::new(200, self.media(), &unopened.origin)
            .with_cursor(open.cursor)
            .with_coding(unopened.coding);
        append_head(out, &head, stream_length(self.version), Persistence::KeepAlive);
        let mut part = Vec::new();
        if self.is_sse() {
            let open = Open { from: &unopened.from, ..*open };
            sse::append_open(&mut part, &open, retry, unopened.opening);
        } else if self.is_ndjson() && unopened.opening == OpeningEvent::Told {
            ndjson::append_open(&mut part, open);
        }
        let mut packed = Vec::new();
        self.packing.begin(&mut packed);
        self.packing.append(&mut packed, &part);
        append_part(out, &packed, self.framing());
    }

    /// Tells a part of its body that is no publication.
    pub(super) fn tell(&mut self, part: &[u8], out: &mut Vec<u8>) {
        if self.packing == Packing::Plain {
            return append_part(out, part, self.framing());
        }
        let mut packed = Vec::new();
        self.packing.append(&mut packed, part);
        append_part(out, &packed, self.framing());
    }

    /// The answer to a reader that has seen the end of everything it asks for.
    pub(super) fn over(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        let Stage::Opening(unopened) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return;
        };
        let head = ResponseHead::new(204, Media::None, &unopened.origin).with_cursor(cursor);
        append_head(out, &head, BodyLength::Absent, Persistence::Close);
    }

    /// The answer to a reader that cannot be attached. One that would give up for ever at any
    /// status but 200 is asked to come back instead, if that can help.
    ///
    /// Gives [`Step::Gone`] if the body is then to be broken off.
    pub(super) fn refuse(&mut self, problem: &Problem, retry: Duration, out: &mut Vec<u8>) -> Step {
        let Stage::Opening(unopened) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return Step::Gone;
        };
        let may_pass = problem.retry() != fanfare_core::code::Retry::Never;
        if self.is_sse() && may_pass {
            let head = ResponseHead::new(200, Media::EventStream, &unopened.origin)
                .with_coding(unopened.coding.plain());
            append_head(out, &head, stream_length(self.version), Persistence::Close);
            let mut part = Vec::new();
            sse::append_refusal(&mut part, problem, retry);
            append_part(out, &part, self.framing());
            Step::Gone
        } else {
            append_problem(out, problem, &unopened.origin, Persistence::Close);
            Step::Finish
        }
    }

    /// Tells a gap.
    pub(super) fn tell_gap(&mut self, gap: &Gap, cursor: &Cursor, out: &mut Vec<u8>) {
        let mut part = Vec::new();
        if self.is_sse() {
            sse::append_gap(&mut part, gap, cursor);
        } else if self.is_ndjson() {
            ndjson::append_gap(&mut part, gap, cursor);
        }
        self.tell(&part, out);
    }

    /// Tells that a channel has ended.
    pub(super) fn tell_end(&mut self, channel: &ChannelName, cursor: &Cursor, out: &mut Vec<u8>) {
        let mut part = Vec::new();
        if self.is_sse() {
            sse::append_end(&mut part, channel, cursor);
        } else if self.is_ndjson() {
            ndjson::append_end(&mut part, channel, cursor);
        }
        self.tell(&part, out);
    }

    /// Tells that its reader's credentials expire.
    pub(super) fn tell_expiring(&mut self, left: Duration, out: &mut Vec<u8>) {
        let mut part = Vec::new();
        if self.is_sse() {
            sse::append_expiring(&mut part, left);
        } else if self.is_ndjson() {
            ndjson::append_expiring(&mut part, left);
        }
        if self.is_open() && !part.is_empty() {
            self.tell(&part, out);
        }
    }

    /// Says that the server is still there; nothing where the format has no words for it.
    pub(super) fn beat(&mut self, out: &mut Vec<u8>) {
        if self.is_sse() {
            self.tell(sse::heartbeat(self.beat_form), out);
        } else if self.is_ndjson() {
            self.tell(ndjson::KEEPALIVE, out);
        }
    }

    /// Ends the body cleanly.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        if !self.is_open() {
            return;
        }
        let mut end = Vec::new();
        self.packing.finish(&mut end);
        append_part(out, &end, self.framing());
        if self.framing() == Framing::Chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
    }

    /// Says when to come back, before the stream is aborted.
    pub(super) fn drain(&mut self, retry: Duration, out: &mut Vec<u8>) {
        if self.is_sse() && self.is_open() {
            let mut part = Vec::new();
            sse::append_retry(&mut part, retry);
            self.tell(&part, out);
        }
    }

    fn is_sse(&self) -> bool {
        matches!(self.format.plain(), Format::Sse | Format::SseChannel | Format::SseEnvelope)
    }

    fn is_ndjson(&self) -> bool {
        self.format.plain() == Format::Ndjson
    }

    fn media(&self) -> Media {
        match self.format.plain() {
            Format::Ndjson => Media::Ndjson,
            Format::Text => Media::TextStream,
            _ => Media::EventStream,
        }
    }
}

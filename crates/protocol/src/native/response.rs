//! The heads of answers: status line and headers, for the shard as bytes and for the edge as a list.

use std::borrow::Cow;

use fanfare_core::cursor::Cursor;

use crate::native::cors::{self, AllowedOrigin};
use crate::native::cursor::cursor_text;
use crate::native::head::Version;
use crate::native::json::append_number;
use crate::native::packing::ContentCoding;
use crate::native::problem::Problem;

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Nothing (204, HEAD of nothing, preflights).
    None,
    /// `text/event-stream`, which no proxy may buffer.
    EventStream,
    /// `application/x-ndjson`, which no proxy may buffer.
    Ndjson,
    /// `text/plain; charset=utf-8`, which no proxy may buffer (`as=raw`).
    TextStream,
    /// `application/json`.
    Json,
    /// `application/problem+json`.
    Problem,
    /// `text/html; charset=utf-8`.
    Html,
    /// `text/css; charset=utf-8`.
    Css,
    /// `text/javascript; charset=utf-8`.
    JavaScript,
    /// `image/svg+xml`.
    Svg,
    /// `text/plain; charset=utf-8`, all of it at once.
    PlainText,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none and the status says so (204, 101): no header.
    Absent,
    /// So many bytes.
    Known(usize),
    /// Chunks until the last one.
    Chunked,
    /// Until the connection is closed: HTTP/1.0.
    UntilClose,
}

/// Whether the connection serves another request after this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It does.
    KeepAlive,
    /// It is closed.
    Close,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: u16,
    /// What the body is.
    pub media: Media,
    /// How the body is coded.
    pub coding: ContentCoding,
    /// The value of `Fanfare-Cursor`.
    pub cursor: Option<&'a Cursor>,
    /// Who asked.
    pub origin: &'a AllowedOrigin,
    /// Whatever else this answer needs.
    pub extra: &'a [(&'static str, &'a str)],
}

impl<'a> ResponseHead<'a> {
    /// The head of an answer without a cursor and without further headers.
    #[must_use]
    pub fn new(status: u16, media: Media, origin: &'a AllowedOrigin) -> Self {
        Self { status, media, coding: ContentCoding::Fixed, cursor: None, origin, extra: &[] }
    }

    /// The same with a cursor.
    #[must_use]
    pub fn with_cursor(mut self, cursor: &'a Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// The same with the coding of its body.
    #[must_use]
    pub fn with_coding(mut self, coding: ContentCoding) -> Self {
        self.coding = coding;
        self
    }

    /// Every header but those of the connection and the body's length, in a fixed order.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, Cow<'a, str>)> {
        let mut headers = Vec::with_capacity(10);
        let fixed = media_headers(self.media).iter().chain(always(self.coding));
        headers.extend(fixed.map(|(name, value)| (*name, Cow::Borrowed(*value))));
        if let Some(coding) = self.coding.name() {
            headers.push(("Content-Encoding", Cow::Borrowed(coding)));
        }
        if let Some(cursor) = self.cursor {
            headers.push(("Fanfare-Cursor", Cow::Owned(cursor_text(cursor))));
        }
        let origin = cors::headers(self.origin).into_iter();
        let rest = origin.chain(self.extra.iter().copied());
        headers.extend(rest.map(|(name, value)| (name, Cow::Borrowed(value))));
        headers
    }

    /// Appends the same as lines, without a list of them: each publish is answered by this.
    fn append_headers(&self, out: &mut Vec<u8>) {
        for (name, value) in media_headers(self.media).iter().chain(always(self.coding)) {
            append_header(out, name, value);
        }
        if let Some(coding) = self.coding.name() {
            append_header(out, "Content-Encoding", coding);
        }
        if let Some(cursor) = self.cursor {
            append_header(out, "Fanfare-Cursor", &cursor_text(cursor));
        }
        let origin = cors::headers(self.origin).into_iter();
        for (name, value) in origin.chain(self.extra.iter().copied()) {
            append_header(out, name, value);
        }
    }
}

/// Appends the head of an HTTP/1 answer with the empty line behind it.
pub fn append_head(
    out: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    length: BodyLength,
    persistence: Persistence,
) {
    append_status_line(out, head.status);
    head.append_headers(out);
    match length {
        BodyLength::Absent | BodyLength::UntilClose => {}
        BodyLength::Known(bytes) => {
            out.extend_from_slice(b"Content-Length: ");
            append_number(out, bytes as u64);
            out.extend_from_slice(b"\r\n");
        }
        BodyLength::Chunked => append_header(out, "Transfer-Encoding", "chunked"),
    }
    if persistence == Persistence::Close {
        append_header(out, "Connection", "close");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole answer that refuses a request over HTTP/1.
pub fn append_problem(
    out: &mut Vec<u8>,
    problem: &Problem,
    origin: &AllowedOrigin,
    persistence: Persistence,
) {
    let body = problem.body();
    let retry_after = problem.retry_after().map(|seconds| seconds.to_string());
    let mut extra: Vec<(&'static str, &str)> = problem.headers().to_vec();
    if let Some(seconds) = &retry_after {
        extra.push(("Retry-After", seconds));
    }
    let head = ResponseHead {
        extra: &extra,
        ..ResponseHead::new(problem.status(), Media::Problem, origin)
    };
    append_head(out, &head, BodyLength::Known(body.len()), persistence);
    out.extend_from_slice(&body);
}

/// Appends one header line.
pub fn append_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends the status line of HTTP/1.1, which is what HTTP/1.0 clients are answered with too.
pub fn append_status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    append_number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Which framing a stream's body has towards this version of HTTP.
#[must_use]
pub fn stream_length(version: Version) -> BodyLength {
    match version {
        Version::Http10 => BodyLength::UntilClose,
        Version::Http11 | Version::Http2 => BodyLength::Chunked,
    }
}

/// The words behind a status (RFC 9110 §15).
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Status",
    }
}

fn media_headers(media: Media) -> &'static [(&'static str, &'static str)] {
    match media {
        Media::None => &[("Cache-Control", "no-store")],
        Media::EventStream => &[
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store, no-transform"),
            ("X-Accel-Buffering", "no"),
        ],
        Media::Ndjson => &[
            ("Content-Type", "application/x-ndjson"),
            ("Cache-Control", "no-store, no-transform"),
            ("X-Accel-Buffering", "no"),
        ],
        Media::TextStream => &[
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store, no-transform"),
            ("X-Accel-Buffering", "no"),
        ],
        Media::Json => &[("Content-Type", "application/json"), ("Cache-Control", "no-store")],
        Media::Problem => {
            &[("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
        }
        Media::Html => {
            &[("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
        }
        Media::Css => &[("Content-Type", "text/css; charset=utf-8"), ("Cache-Control", "no-store")],
        Media::JavaScript => {
            &[("Content-Type", "text/javascript; charset=utf-8"), ("Cache-Control", "no-store")]
        }
        Media::Svg => &[("Content-Type", "image/svg+xml"), ("Cache-Control", "no-store")],
        Media::PlainText => {
            &[("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        }
    }
}

/// The headers of every answer.
fn always(coding: ContentCoding) -> &'static [(&'static str, &'static str)] {
    match coding {
        ContentCoding::Fixed => {
            &[("Vary", "Accept, Origin"), ("X-Content-Type-Options", "nosniff")]
        }
        ContentCoding::Chosen(_) => {
            &[("Vary", "Accept, Accept-Encoding, Origin"), ("X-Content-Type-Options", "nosniff")]
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::cursor::Cursor;
    use fanfare_core::frame::Coding;

    use super::{ContentCoding, Media, ResponseHead, append_header};
    use crate::native::cors::AllowedOrigin;

    #[test]
    fn shard_and_edge_send_the_same_headers() {
        let (cursor, origin) = (Cursor::new(), AllowedOrigin::Origin("http://localhost".into()));
        let extra = [("Allow", "GET")];
        let head = ResponseHead::new(200, Media::EventStream, &origin).with_cursor(&cursor);
        let head = ResponseHead { extra: &extra, ..head };
        let head = head.with_coding(ContentCoding::Chosen(Some(Coding::Gzip)));
        let (mut lines, mut listed) = (Vec::new(), Vec::new());
        head.append_headers(&mut lines);
        for (name, value) in head.headers() {
            append_header(&mut listed, name, &value);
        }
        assert_eq!(String::from_utf8(lines), String::from_utf8(listed));
        assert_eq!(head.headers().len(), 11);
    }
}

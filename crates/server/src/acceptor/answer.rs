//! What a connection over a limit is answered.
//!
//! An event stream gets its `retry:` and is aborted, everyone else the problem. Both say what CORS
//! asks for, so that a page of another origin sees the refusal and not a riddle.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_protocol::native::chunk::{Framing, append_part};
use fanfare_protocol::native::cors::{self, AllowedOrigin, OriginPolicy};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::{
    Media, Persistence, ResponseHead, append_head, append_problem, stream_length,
};
use fanfare_protocol::native::sse;

use crate::limit::{LimitKey, Terms, turned_away};

/// The limit that a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// `limits.connections_max`.
    Connections,
    /// `limits.handshakes_max`.
    Handshakes,
    /// One of its address.
    Address(LimitKey),
}

impl Limit {
    /// Its key in the configuration.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Connections => "limits.connections_max",
            Self::Handshakes => "limits.handshakes_max",
            Self::Address(limit) => limit.name(),
        }
    }

    fn problem(self, terms: &Terms) -> Problem {
        if let Self::Address(limit) = self {
            return turned_away(terms, limit);
        }
        let code = Code::ConnectionsFull;
        let hint = format!("Raise `{}`, or come back later.", self.key());
        Problem::new(code, code.row().sentence, hint)
    }
}

/// What was seen of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    whole: bool,
    wants_events: bool,
    version: Version,
    origin: AllowedOrigin,
}

/// How the connection ends after its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a FIN.
    Close,
    /// With a reset: to a reader that knows no chunks a FIN is the regular end of a stream.
    Reset,
}

impl Seen {
    /// Looks at the first bytes of a request.
    pub(super) fn of(request: &[u8], policy: &OriginPolicy) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(request) {
            Ok(httparse::Status::Complete(_)) => Self::of_head(&parsed, policy),
            Ok(httparse::Status::Partial) => Self { whole: false, ..Self::nothing() },
            Err(_) => Self::nothing(),
        }
    }

    /// Whether more bytes would tell nothing more.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    fn nothing() -> Self {
        Self {
            whole: true,
            wants_events: false,
            version: Version::Http11,
            origin: AllowedOrigin::None,
        }
    }

    fn of_head(parsed: &httparse::Request<'_, '_>, policy: &OriginPolicy) -> Self {
        let pairs: Vec<(&str, &[u8])> =
            parsed.headers.iter().map(|header| (header.name, header.value)).collect();
        let version = match parsed.version {
            Some(0) => Version::Http10,
            _ => Version::Http11,
        };
        let method = parsed.method.unwrap_or_default();
        let head = Head::new(method, parsed.path.unwrap_or_default(), version, &pairs);
        let accepts = head.list("accept").any(|media| {
            let name = media.split(';').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("text/event-stream")
        });
        Self {
            whole: true,
            wants_events: method == "GET" && accepts,
            version,
            // A foreign page is not told apart here: without the headers of CORS its browser
            // refuses the answer for it.
            origin: cors::check(&head, policy).unwrap_or_default(),
        }
    }
}

/// The answer, and how the connection ends after it.
pub(super) fn answer(
    seen: &Seen,
    limit: Limit,
    terms: &Terms,
    retry: Duration,
) -> (Vec<u8>, Ending) {
    let problem = limit.problem(terms);
    let mut out = Vec::new();
    if !seen.wants_events {
        append_problem(&mut out, &problem, &seen.origin, Persistence::Close);
        return (out, Ending::Close);
    }
    let head = ResponseHead::new(200, Media::EventStream, &seen.origin);
    append_head(&mut out, &head, stream_length(seen.version), Persistence::Close);
    let (framing, ending) = match seen.version {
        Version::Http10 => (Framing::Bare, Ending::Reset),
        // Without its last chunk the body is aborted, however orderly the socket closes.
        Version::Http11 | Version::Http2 => (Framing::Chunked, Ending::Close),
    };
    let mut part = Vec::new();
    sse::append_refusal(&mut part, &problem, retry);
    append_part(&mut out, &part, framing);
    (out, ending)
}

/// Headers of a request that are looked at; with more it is answered like one of unknown kind.
const HEADERS_MAX: usize = 64;

#[cfg(test)]
#[path = "answer_test.rs"]
mod tests;

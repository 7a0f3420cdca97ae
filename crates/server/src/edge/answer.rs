//! Answers: heads and bodies as hyper takes them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::{Media, ResponseHead};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use super::http2::{Stream, Turn};
use super::pace::Work;
use super::stream::Streaming;
use crate::load::Counted;

/// An answer on its way to hyper.
pub(super) type Answered = Response<AnswerBody>;

/// The body of an answer. While it lives, its request is in work.
#[derive(Debug)]
pub(super) struct AnswerBody {
    content: Content,
    held: Held,
}

/// What is held for as long as an answer is on its way.
#[derive(Debug, Default)]
struct Held {
    /// On HTTP/1 the connection's one request.
    work: Option<Work>,
    /// On HTTP/2 one of its requests.
    stream: Option<Stream>,
    /// The right to answer much.
    turn: Option<Turn>,
    /// The place of a reader on HTTP/2 in the count of all connections.
    place: Option<Counted>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Stream(Box<Streaming>),
}

/// Makes hyper cut the connection without the end of the body, so that its reader comes back.
#[derive(Debug, Clone, Copy, Error)]
#[error("the stream is cut so that its reader comes back")]
pub(super) struct Aborted;

impl AnswerBody {
    /// A body that stands.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(bytes.into()), held: Held::default() }
    }

    /// A body that goes on.
    pub(super) fn stream(streaming: Streaming) -> Self {
        Self { content: Content::Stream(Box::new(streaming)), held: Held::default() }
    }

    /// Keeps the request in work for as long as the body lives.
    pub(super) fn hold(&mut self, work: Work) {
        self.held.work = Some(work);
    }

    /// The same for a request of HTTP/2.
    pub(super) fn belong_to(&mut self, stream: Stream) {
        self.held.stream = Some(stream);
        if self.is_end_stream() {
            self.finish();
        }
    }

    /// Keeps the turn, if there is one, until everything is handed over.
    pub(super) fn take_turn(&mut self, turn: Option<Turn>) {
        if let Some(mut turn) = turn {
            turn.go_on();
            self.held.turn = Some(turn);
        }
    }

    /// Keeps the place of a reader.
    pub(super) fn take_place(&mut self, place: Option<Counted>) {
        self.held.place = place;
    }

    fn finish(&mut self) {
        if let Some(stream) = &mut self.held.stream {
            stream.finish();
        }
        self.held.turn = None;
    }

    /// The next part of an answer that stands. hyper gives back what holds a body as soon as it has
    /// the last part, so that a large one is not to be in that; copied, the part keeps nothing else.
    fn part(&mut self) -> Option<Bytes> {
        let Content::Whole(bytes) = &mut self.content else { return None };
        if bytes.is_empty() {
            return None;
        }
        if self.held.stream.is_none() {
            return Some(std::mem::take(bytes));
        }
        if let Some(turn) = &mut self.held.turn {
            turn.go_on();
        }
        let length = bytes.len().min(PART_BYTES);
        Some(Bytes::copy_from_slice(&bytes.split_to(length)))
    }
}

/// Bytes of an answer that hyper gets at once over HTTP/2.
const PART_BYTES: usize = 16 * 1024;

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let next = match &mut self.content {
            Content::Whole(_) => self.part().map(|part| Ok(Frame::data(part))),
            Content::Stream(streaming) => ready!(streaming.poll_frame(context)),
        };
        // A stream that is cut here was not taken back by its client.
        if !matches!(next, Some(Ok(_))) || self.is_end_stream() {
            self.finish();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer with this head.
pub(super) fn with_head(head: &ResponseHead<'_>, body: AnswerBody) -> Answered {
    let mut answer = Response::new(body);
    *answer.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in head.headers() {
        append(&mut answer, name, &value);
    }
    answer
}

/// Adds a header, unless its value is none.
pub(super) fn append(answer: &mut Answered, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        answer.headers_mut().append(name, value);
    }
}

/// An answer that stands, with a cursor if it has one.
pub(super) fn whole(
    media: Media,
    body: impl Into<Bytes>,
    cursor: Option<&Cursor>,
    origin: &AllowedOrigin,
) -> Answered {
    let mut head = ResponseHead::new(200, media, origin);
    head.cursor = cursor;
    with_head(&head, AnswerBody::whole(body))
}

/// An answer without a body.
pub(super) fn empty(status: u16, cursor: Option<&Cursor>, origin: &AllowedOrigin) -> Answered {
    let mut head = ResponseHead::new(status, Media::None, origin);
    head.cursor = cursor;
    with_head(&head, AnswerBody::whole(Bytes::new()))
}

/// The answer that refuses.
pub(super) fn problem(problem: &Problem, origin: &AllowedOrigin) -> Answered {
    let retry_after = problem.retry_after().map(|seconds| seconds.to_string());
    let mut extra: Vec<(&'static str, &str)> = problem.headers().to_vec();
    if let Some(seconds) = &retry_after {
        extra.push(("Retry-After", seconds));
    }
    if problem.code() == Code::Unauthorized {
        // RFC 9110, 15.5.2: a 401 names the scheme that it wants.
        extra.push(("WWW-Authenticate", "Bearer"));
    }
    let head = ResponseHead {
        extra: &extra,
        ..ResponseHead::new(problem.status(), Media::Problem, origin)
    };
    with_head(&head, AnswerBody::whole(problem.body()))
}

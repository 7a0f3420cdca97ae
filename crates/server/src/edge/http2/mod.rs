//! HTTP/2: one connection of many requests, each of which may be a stream that goes on.
//!
//! hyper does the framing, the flow control and the pings; every request goes the way of all
//! others through [`Shared::handle`]. What is here bounds what one connection can make the server
//! do: how many requests it has at once, how many of them may be large, how often it takes one
//! back, and how long it may say or take nothing.

mod streams;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::task::TaskTracker;

use super::answer::{AnswerBody, Answered};
use super::connection::Origin;
use super::rewound::Rewound;
use super::{Present, Shared};
pub(crate) use streams::StreamBounds;
pub(super) use streams::{Stream, Streams, Turn};

/// Bytes of one request's body that may be on their way before they are read.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same of all requests of a connection together: many that wait for their turn must not take
/// the room of those that have theirs.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Bytes of an answer that hyper holds before it asks for more.
const SEND_BYTES: usize = 16 * 1024;

/// How long a connection may take to end when nothing is in work on it any more.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Bytes that a header counts beside its own (RFC 9113 §6.5.2).
const HEADER_BYTES: usize = 32;

/// Spawns the requests of a connection, so that the server's end waits for them.
#[derive(Debug, Clone)]
struct Spawner(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, request: F) {
        self.0.spawn(request);
    }
}

/// Serves a connection until it has ended.
pub(super) async fn serve(
    present: Arc<Present>,
    rewound: Rewound,
    origin: Arc<Origin>,
    streams: Arc<Streams>,
) {
    let shared = present.get();
    let options = &shared.options;
    let service = {
        let streams = Arc::clone(&streams);
        service_fn(move |request| {
            // Counted before anything is awaited, so that none is missed.
            let stream = streams.begin();
            answer(present.get(), Arc::clone(&origin), stream, request)
        })
    };
    let head_bytes_max = u32::try_from(options.head_bytes_max).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(Spawner(shared.tracker.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.streams.streams_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BYTES)
        // A head that is only a little too large is refused in our own words.
        .max_header_list_size(head_bytes_max.saturating_mul(2))
        .enable_connect_protocol()
        .keep_alive_interval(shared.rules.heartbeat)
        .keep_alive_timeout(shared.rules.heartbeat * 3 / 2)
        .serve_connection(TokioIo::new(rewound), service);
    let mut connection = pin!(connection);
    let mut drain = shared.drain.clone();
    let mut leaving = false;
    loop {
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            why = streams.overdone() => {
                shared.cells.http2().ended(why);
                tracing::debug!(why = why.as_str(), "an HTTP/2 connection is ended");
                return;
            }
            () = drain.begun(), if !leaving => {
                // GOAWAY: what is in work is answered, streams end as their shards drain.
                connection.as_mut().graceful_shutdown();
                leaving = true;
                continue;
            }
            () = streams.idle(options.idle_within), if !leaving => {
                connection.as_mut().graceful_shutdown();
                leaving = true;
                continue;
            }
            // Its client does not confirm that it has seen the end.
            () = streams.idle(END_WITHIN), if leaving => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP/2 connection ended early");
        }
        return;
    }
}

async fn answer(
    shared: Arc<Shared>,
    origin: Arc<Origin>,
    stream: Stream,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let method = request.method().clone();
    let mut answer = match check(&request, shared.options.head_bytes_max) {
        Ok(()) => shared.handle(request, &origin).await,
        Err(problem) => shared.refused(&problem, &AllowedOrigin::None),
    };
    if method == Method::HEAD {
        answer = without_body(answer);
    }
    answer.body_mut().belong_to(stream);
    Ok(answer)
}

/// What hyper leaves to us of a head.
fn check(request: &Request<Incoming>, head_bytes_max: usize) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target + bytes_of(request.headers()) > head_bytes_max {
        return Err(Problem::of(Code::HeadTooLarge));
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = request.headers().get_all(HOST).iter();
    if authority.is_some() && hosts.any(|host| Some(host.as_bytes()) != authority) {
        // RFC 9113 §8.3.1: which of them was checked would be a guess.
        return Err(Problem::new(
            Code::RequestMalformed,
            "The Host header is not what `:authority` says.",
            "Leave out Host; HTTP/2 has `:authority` instead.",
        ));
    }
    Ok(())
}

/// The size of a head as HTTP/2 counts it.
fn bytes_of(headers: &HeaderMap) -> usize {
    let size = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    headers.iter().map(size).map(|size| size + HEADER_BYTES).sum()
}

/// The answer to `HEAD`, whose body hyper would send over HTTP/2.
fn without_body(answer: Answered) -> Answered {
    let (mut head, body) = answer.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    Response::from_parts(head, AnswerBody::whole(Bytes::new()))
}

//! One connection: hyper over a rewound socket, until it ends, drains or leaves for a shard.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_core::code::Code;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::{Persistence, append_problem};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::answer::AnswerBody;
use super::http2::{self, Streams, Turn};
use super::intake::Intake;
use super::pace::Pace;
use super::rewound::{Ending, Rewound};
use super::socket::Socket;
use super::tunnel::Place;
use super::{Present, Shared};
use crate::limit::{Peer, Sender};
use crate::load::Counted;
use crate::metrics::Transport;
use crate::node::{Handover, Protocol};
use crate::pipe::Common;

/// Bytes that hyper buffers of a connection beside a request head. It asks a body for more until it
/// has so many, so that a reader who has stopped reading would otherwise cost it 400 KiB.
const BUFFER_BYTES: usize = 16 * 1024;

/// Where a connection comes from, and its place in the count of all.
#[derive(Debug)]
pub(super) struct Origin {
    /// The other end.
    pub peer: SocketAddr,
    counted: Mutex<Option<Counted>>,
    /// How its socket ends.
    pub ending: Ending,
    pace: Pace,
    /// Its requests, of which there are several at once on HTTP/2 only.
    streams: Option<Arc<Streams>>,
}

impl Origin {
    /// What is being answered has no end of its own, and ends when the client has said everything.
    pub(super) fn leave_with_client(&self) {
        // On HTTP/2 hyper always reads, and notices by itself.
        if self.streams.is_none() {
            self.pace.leave_with_client();
        }
    }

    /// Waits for the turn of a request that reads or answers much; on HTTP/1 there is only one.
    pub(super) async fn turn(&self) -> Option<Turn> {
        match &self.streams {
            Some(streams) => streams.turn().await,
            None => None,
        }
    }

    /// Counts a reader among the connections, since on HTTP/2 it has none of its own.
    pub(super) fn place(
        &self,
        shared: &Shared,
        sender: &Sender,
    ) -> Result<Option<Counted>, Problem> {
        if !self.shares_connection() {
            return Ok(None);
        }
        if shared.load.connections() >= shared.options.connections_max {
            return Err(Problem::of(Code::ConnectionsFull));
        }
        let mut counted = shared.load.enter();
        counted.attribute(sender);
        Ok(Some(counted))
    }

    /// The places of a WebSocket over HTTP/2, as a connection and among the requests; none on
    /// HTTP/1, where it takes its connection along.
    pub(super) fn place_of_tunnel(
        &self,
        shared: &Shared,
        sender: &Sender,
    ) -> Result<Option<Place>, Problem> {
        let counted = self.place(shared, sender)?;
        let places = counted.zip(self.streams.as_ref());
        Ok(places.map(|(counted, streams)| Place { counted, stream: streams.begin() }))
    }

    /// Whether it may have several requests at once, each of which counts for who sends it.
    pub(super) fn shares_connection(&self) -> bool {
        self.streams.is_some()
    }

    /// The room that its streams have in common; none on HTTP/1, where there is only one.
    pub(super) fn common(&self) -> Option<Arc<Common>> {
        self.streams.as_ref().map(|streams| streams.common())
    }

    /// Where its requests come from.
    pub(super) fn peer(&self) -> Peer {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.as_ref().is_some_and(Counted::has_address);
        // On HTTP/2 a reader is one more, beside the connection that it shares.
        Peer { address: self.peer, counted: counted && !self.shares_connection() }
    }

    /// Counts it for who reads on it; on HTTP/2 each reader has a place of its own instead.
    pub(super) fn attribute(&self, sender: &Sender) {
        if self.shares_connection() {
            return;
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = counted.as_mut() {
            counted.attribute(sender);
        }
    }

    /// Takes the count along to a shard.
    pub(super) fn take_counted(&self) -> Option<Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves what shards hand over, until they have ended.
pub(super) async fn serve_all(present: Arc<Present>, mut intake: Intake) {
    while let Some(handover) = intake.next().await {
        let serving = serve(Arc::clone(&present), handover);
        present.get().tracker.spawn(serving);
    }
}

async fn serve(present: Arc<Present>, handover: Handover) {
    let shared = present.get();
    let Handover { socket, session, peer, read, protocol, counted } = handover;
    let socket = match Socket::new(socket, session) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(%error, "a connection could not be taken over");
            return;
        }
    };
    let _http = shared.cells.enter(Transport::Http);
    let streams = match protocol {
        Protocol::Http1 => None,
        Protocol::Http2 => Some(Streams::new(shared.options.streams, &shared.cells)),
    };
    let origin = Arc::new(Origin {
        peer,
        counted: Mutex::new(Some(counted)),
        ending: Ending::default(),
        pace: Pace::new(),
        streams: streams.clone(),
    });
    let rewound = Rewound::new(socket, read, origin.ending.clone(), origin.pace.clone());
    match streams {
        Some(streams) => http2::serve(present, rewound, origin, streams).await,
        None => serve_http1(present, rewound, origin).await,
    }
}

async fn serve_http1(present: Arc<Present>, rewound: Rewound, origin: Arc<Origin>) {
    let shared = present.get();
    let service = {
        let origin = Arc::clone(&origin);
        service_fn(move |request| answer(present.get(), Arc::clone(&origin), request))
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Whoever has sent its last request still waits for its answer.
        .half_close(true)
        .header_read_timeout(shared.options.idle_within)
        .max_header_size(shared.options.head_bytes_max)
        .max_buf_size(shared.options.head_bytes_max.saturating_add(BUFFER_BYTES))
        .serve_connection(TokioIo::new(rewound), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut drain = shared.drain.clone();
    let leaving = async {
        drain.begun().await;
        // A connection comes with a request, and hyper closes at once what has not begun one.
        origin.pace.begun().await;
    };
    let ended = tokio::select! {
        // What has arrived is looked at before anything is closed over it.
        biased;
        ended = connection.as_mut() => ended,
        () = origin.pace.overdue(shared.options.head_within) => return too_slow(&shared, &origin),
        () = leaving => {
            // What is in work is answered, streams end as their shards drain, and nothing new
            // begins.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = origin.pace.overdue(shared.options.head_within) => {
                    return too_slow(&shared, &origin);
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Has a client told that its request head took too long; hyper has no words for that.
fn too_slow(shared: &Shared, origin: &Origin) {
    let problem = Problem::of(Code::RequestTimeout);
    shared.cells.refused(problem.code());
    let mut last = Vec::new();
    append_problem(&mut last, &problem, &AllowedOrigin::None, Persistence::Close);
    origin.ending.say(last.into());
}

async fn answer(
    shared: Arc<Shared>,
    origin: Arc<Origin>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let work = origin.pace.work();
    let mut answer = shared.handle(request, &origin).await;
    answer.body_mut().hold(work);
    Ok(answer)
}

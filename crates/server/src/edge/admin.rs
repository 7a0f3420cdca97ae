//! Listeners for operators: apart from everyone else's, so that a full server can still be looked at,
//! and so that they can stand where strangers do not come.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Present, operations};

/// Connections of operators at one time, counted apart from all others.
const CONNECTIONS_MAX: usize = 64;

/// How long a connection may take over a head, or be idle.
const IDLE_WITHIN: Duration = Duration::from_secs(75);

/// How long it waits when the system gives no connection.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers on this listener until the server has ended, also while it drains.
pub(crate) async fn serve(present: Arc<Present>, listener: TcpListener, ended: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Who finds no place waits in the backlog.
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = ended.cancelled() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended.cancelled() => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let (present, ended) = (Arc::clone(&present), ended.clone());
                let tracker = present.get().tracker.clone();
                tracker.spawn(async move {
                    tokio::select! {
                        () = answer(present, socket) => {}
                        () = ended.cancelled() => {}
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an operator's connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(present: Arc<Present>, socket: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = present.get();
        async move {
            let (parts, _body) = request.into_parts();
            Ok::<_, Infallible>(operations::answer_apart(&shared, &parts).await)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_WITHIN)
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an operator's connection ended early");
    }
}

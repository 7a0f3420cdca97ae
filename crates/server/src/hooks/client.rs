//! The client of hooks: one signed `POST` at a time on each of its connections, which are kept, and
//! bounds on everything. It goes where the configuration says and nowhere else: an answer that sends
//! it on is a failure.
//!
//! How many are on their way at once is bounded by those who ask; each has one connection.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Endpoint, Signer};
use crate::edge::unix_millis;
use crate::tls::{Connector, Trust};

/// Connections that are kept while nothing is on its way on them.
const KEPT_MAX: usize = 32;

/// How long such a connection is kept.
const KEPT_WITHIN: Duration = Duration::from_secs(60);

/// Sends hooks.
#[derive(Debug)]
pub(crate) struct Client {
    signer: Signer,
    /// None where no hook is reached by TLS.
    connector: Option<Connector>,
    within: Duration,
    kept: Mutex<Vec<Kept>>,
}

/// One message: what is repeated keeps its id, so that a backend can tell.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The value of `webhook-id`.
    pub id: String,
    /// JSON.
    pub body: Bytes,
}

impl Message {
    /// A new one.
    pub(crate) fn new(body: Bytes) -> Self {
        // It tells messages apart, and keeps no secret.
        let (high, low) = (fastrand::u64(..), fastrand::u64(..));
        Self { id: format!("msg_{high:016x}{low:016x}"), body }
    }
}

/// A connection on which nothing is on its way.
#[derive(Debug)]
struct Kept {
    endpoint: Endpoint,
    line: Line,
    since: Instant,
}

/// A connection. Whoever drops it ends it.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

/// Why a message was not taken.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Nobody is there.
    #[error("it cannot be connected to: {0}")]
    Unreachable(String),
    /// Whoever is there does not show who they are.
    #[error("there is no safe connection to it: {0}")]
    Unsafe(String),
    /// It took too long.
    #[error("there was no answer within {0:?}")]
    Late(Duration),
    /// The connection ended before the answer did, or what came is not HTTP.
    #[error("the connection broke off: {0}")]
    Broken(String),
    /// More came than is looked at.
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
    /// It sends us elsewhere.
    #[error("it answered {0}, and redirects are not followed")]
    Redirected(StatusCode),
    /// It did not take it.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// It answered something else than is understood.
    #[error("its answer is not understood: {0}")]
    NotUnderstood(String),
    /// As many as may be are on their way.
    #[error("as many are on their way as `hooks.questions_max` allows")]
    Full,
}

impl Failure {
    /// Every name there is.
    pub(crate) const NAMES: [&'static str; 8] = [
        "unreachable",
        "unsafe",
        "late",
        "broken",
        "too-large",
        "status",
        "not-understood",
        "full",
    ];

    /// What it is called in metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Unsafe(_) => "unsafe",
            Self::Late(_) => "late",
            Self::Broken(_) => "broken",
            Self::TooLarge(_) => "too-large",
            Self::Redirected(_) | Self::Status(_) => "status",
            Self::NotUnderstood(_) => "not-understood",
            Self::Full => "full",
        }
    }
}

impl Client {
    /// A client that signs so, believes these if TLS is spoken at all, and gives each message so much
    /// time.
    ///
    /// # Errors
    /// Nobody can be believed: a file is of no use, or the system has none.
    pub(crate) fn new(signer: Signer, trust: Option<&Trust>, within: Duration) -> Result<Self> {
        let connector = trust.map(Trust::connector).transpose()?;
        Ok(Self { signer, connector, within, kept: Mutex::default() })
    }

    /// Sends a message, and gives the body of the answer, which has at most so many bytes, if its
    /// status is one of success.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        message: &Message,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        let posted = self.post_at_leisure(endpoint, message, bytes_max);
        timeout(self.within, posted).await.map_err(|_elapsed| Failure::Late(self.within))?
    }

    async fn post_at_leisure(
        &self,
        endpoint: &Endpoint,
        message: &Message,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        if let Some(mut line) = self.take_kept(endpoint) {
            // The other side may have ended it meanwhile. What it may have had all the same, it
            // knows again by its id.
            if let Ok(answer) = line.ask(self.request(endpoint, message)?).await {
                return self.read(endpoint, line, answer, bytes_max).await;
            }
        }
        let mut line = self.connect(endpoint).await?;
        let answer = line.ask(self.request(endpoint, message)?).await?;
        self.read(endpoint, line, answer, bytes_max).await
    }

    async fn read(
        &self,
        endpoint: &Endpoint,
        line: Line,
        answer: http::Response<hyper::body::Incoming>,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), bytes_max).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Failure::TooLarge(bytes_max),
            false => Failure::Broken(error.to_string()),
        })?;
        self.keep(endpoint, line);
        match status {
            _ if status.is_success() => Ok(body.to_bytes()),
            _ if status.is_redirection() => Err(Failure::Redirected(status)),
            _ => Err(Failure::Status(status)),
        }
    }

    fn request(
        &self,
        endpoint: &Endpoint,
        message: &Message,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let seconds = unix_millis() / 1000;
        let signature = self.signer.sign(&message.id, seconds, &message.body);
        Request::post(&*endpoint.target)
            .header(header::HOST, &*endpoint.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("fanfare/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(message.body.clone()))
            .map_err(|error| Failure::Broken(error.to_string()))
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Line, Failure> {
        let unreachable = |error: std::io::Error| Failure::Unreachable(error.to_string());
        let address = (&*endpoint.host, endpoint.port);
        let socket = TcpStream::connect(address).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        if !endpoint.is_secure {
            return Line::open(socket).await;
        }
        let Some(connector) = &self.connector else {
            return Err(Failure::Unsafe("nobody is believed".to_owned()));
        };
        let socket = connector.connect(&endpoint.host, socket).await;
        Line::open(socket.map_err(|error| Failure::Unsafe(error.to_string()))?).await
    }

    fn take_kept(&self, endpoint: &Endpoint) -> Option<Line> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|it| !it.line.sender.is_closed() && it.since.elapsed() < KEPT_WITHIN);
        let found = kept
            .iter()
            .rposition(|it| it.endpoint.has_the_same_peer(endpoint) && it.line.sender.is_ready())?;
        Some(kept.remove(found).line)
    }

    fn keep(&self, endpoint: &Endpoint, line: Line) {
        if line.sender.is_closed() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(Kept { endpoint: endpoint.clone(), line, since: Instant::now() });
        }
    }
}

impl Line {
    async fn open<S>(socket: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| Failure::Broken(error.to_string());
        let (sender, connection) = handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever waits for the answer is told of the same error.
            let _told = connection.await;
        });
        Ok(Self { sender, _driver: driver })
    }

    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, Failure> {
        let broken = |error: hyper::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Failure::Broken(cause.unwrap_or_else(|| error.to_string()))
        };
        self.sender.ready().await.map_err(broken)?;
        self.sender.send_request(request).await.map_err(broken)
    }
}

#[cfg(test)]
#[path = "client_test.rs"]
mod tests;

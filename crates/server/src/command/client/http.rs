//! One HTTP/1.1 connection, one question at a time.

use std::error::Error;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, RETRY_AFTER};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::client::TlsStream;

use super::credential::Credential;
use super::failure::Failure;
use super::target::Target;
use crate::tls::Connector;

/// How long a connection may take to come about, and a question to be answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection on which no byte comes for so long is dead: three heartbeats and something. It is
/// measured on the socket, so that a large message on a slow line is not taken for silence.
const SILENCE_MAX: Duration = Duration::from_secs(35);
/// The largest answer that is read whole: a thousand publications of escaped text.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    authority: String,
    /// What is shown with each question.
    credential: Option<Credential>,
    sender: SendRequest<Full<Bytes>>,
    /// Owns the task that moves bytes; dropping it closes the connection.
    _driver: JoinSet<()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`], with what to do about it if nobody listens there.
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let socket = connect(target).await?;
        match &target.trust {
            None => Self::over(target, socket).await,
            Some(trust) => {
                let wrong = |error| Failure::Usage(format!("{error:#}"));
                let connector = trust.connector().map_err(wrong)?;
                Self::over(target, secure(target, &connector, socket).await?).await
            }
        }
    }

    async fn over<S>(target: &Target, socket: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(socket);
        let (sender, connection) = handshake(io).await.map_err(|error| lost(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever waits for the answer is told of the same error.
            let _told = connection.with_upgrades().await;
        });
        let (authority, credential) = (target.authority.clone(), target.credential.clone());
        Ok(Self { authority, credential, sender, _driver: driver })
    }

    /// Whether another question can be asked on this connection.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Asks a question and gives the answer's head with its body still to be read.
    ///
    /// # Errors
    ///
    /// [`Failure::Lost`], or [`Failure::Refused`] with the server's own words for every status but
    /// 2xx and 101.
    pub(crate) async fn ask(&mut self, question: Question) -> Result<Response<Incoming>, Failure> {
        let request = question.request(&self.authority, self.credential.as_ref())?;
        let answer = timeout(ANSWER_TIMEOUT + question.patience, self.sender.send_request(request))
            .await
            .map_err(|_elapsed| Failure::Lost("no answer in time".to_owned()))?
            .map_err(|error| lost(&error))?;
        let status = answer.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            Ok(answer)
        } else {
            Err(refusal(answer).await)
        }
    }
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// `GET` or `POST`.
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// Headers beside `Host`.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Body.
    pub(crate) body: Bytes,
    /// How much longer than usual the answer may take.
    pub(crate) patience: Duration,
}

impl Question {
    /// A `GET`.
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
            patience: Duration::ZERO,
        }
    }

    fn request(
        &self,
        authority: &str,
        credential: Option<&Credential>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut builder: Builder =
            Request::builder().method(&self.method).uri(&self.path).header(HOST, authority);
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        if let Some(credential) = credential {
            builder = builder.header(AUTHORIZATION, credential.header()?);
        }
        builder
            .body(Full::new(self.body.clone()))
            .map_err(|error| Failure::Usage(format!("cannot be sent: {error}")))
    }
}

/// Reads the rest of an answer whole.
///
/// # Errors
///
/// [`Failure::Lost`] if it breaks off or is larger than [`ANSWER_BYTES_MAX`].
pub(crate) async fn whole(answer: Response<Incoming>) -> Result<Bytes, Failure> {
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
    Ok(body.collect().await.map_err(|error| lost(&*error))?.to_bytes())
}

/// A socket that fails when it stays silent.
type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

/// Connects a socket, with Nagle's delay off.
///
/// # Errors
///
/// [`Failure::Unreachable`].
async fn connect(target: &Target) -> Result<Socket, Failure> {
    let unreachable =
        |why: String, hint| Failure::Unreachable { url: target.url.clone(), why, hint };
    let connecting = TcpStream::connect((target.host.as_str(), target.port));
    let socket = match timeout(ANSWER_TIMEOUT, connecting).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            let hint = "\nstart a server with `fanfare dev`, or name another with --url";
            return Err(unreachable("nobody listens there".to_owned(), hint));
        }
        Ok(Err(error)) => return Err(unreachable(error.to_string(), "")),
        Err(_elapsed) => return Err(unreachable("no answer in 30 s".to_owned(), "")),
    };
    socket.set_nodelay(true).map_err(|error| lost(&error))?;
    let mut socket = TimeoutStream::new(socket);
    socket.set_read_timeout(Some(SILENCE_MAX));
    Ok(Box::pin(socket))
}

/// Shakes hands in TLS.
///
/// # Errors
///
/// [`Failure::Unreachable`], with what to do about a certificate that is not believed.
async fn secure(
    target: &Target,
    connector: &Connector,
    socket: Socket,
) -> Result<TlsStream<Socket>, Failure> {
    let unreachable =
        |why: String, hint| Failure::Unreachable { url: target.url.clone(), why, hint };
    match timeout(ANSWER_TIMEOUT, connector.connect(&target.host, socket)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            let unknown = Connector::is_unknown_issuer(&error);
            let hint = if unknown { "\nname the file of its issuer with --ca" } else { "" };
            Err(unreachable(error.to_string(), hint))
        }
        Err(_elapsed) => Err(unreachable("no TLS handshake in 30 s".to_owned(), "")),
    }
}

/// The words of a refusal from its problem document, or from its status if it has none.
fn refusal_of(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        code: Option<String>,
        detail: Option<String>,
        hint: Option<String>,
    }
    let mut what = format!("the server refused: {status}");
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        let code = problem.code.map(|code| format!(" ({code})")).unwrap_or_default();
        what.push_str(&code);
        for part in [problem.detail.or(problem.title), problem.hint].into_iter().flatten() {
            what.push_str("\n  ");
            what.push_str(&part);
        }
    }
    Failure::Refused { status: Some(status.as_u16()), what, retry_after }
}

async fn refusal(answer: Response<Incoming>) -> Failure {
    let status = answer.status();
    let retry_after = seconds(answer.headers().get(RETRY_AFTER));
    let reading = Limited::new(answer.into_body(), 64 << 10).collect();
    let body = match timeout(Duration::from_secs(5), reading).await {
        Ok(Ok(body)) => body.to_bytes(),
        // A refusal without its words is still a refusal.
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    refusal_of(status, retry_after, &body)
}

/// The seconds of a `Retry-After`, at most a minute.
fn seconds(header: Option<&HeaderValue>) -> Option<Duration> {
    let seconds: u64 = header?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(60)))
}

/// A broken connection in the words of whatever broke it.
pub(crate) fn lost(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let silent = cause
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::TimedOut);
    Failure::Lost(if silent { "no sign of life for 35 s".to_owned() } else { cause.to_string() })
}

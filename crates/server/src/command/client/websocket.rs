//! Reads channels over a WebSocket with the subprotocol `fanfare.v1`.

use std::collections::VecDeque;

use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::upgrade::{self, Upgraded};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::failure::Failure;
use super::frame::Frame;
use super::http::{Connection, Question, lost};
use super::ndjson::{CursorScope, read_line};
use super::sse::LINE_BYTES_MAX;
use super::stream::{Plan, cursor_of};
use super::target::Target;

/// The subprotocol with positions.
const SUBPROTOCOL: &str = "fanfare.v1";

/// A WebSocket that is being read.
#[derive(Debug)]
pub(crate) struct WebSocketReader {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    frames: VecDeque<Frame>,
}

impl WebSocketReader {
    /// Connects and shakes hands. The handshake is an HTTP question like any other, so that a
    /// refusal is read whole.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`], or [`Failure::Refused`] with the server's own words.
    pub(crate) async fn open(target: &Target, plan: &Plan<'_>) -> Result<Self, Failure> {
        let mut connection = Connection::open(target).await?;
        let key = generate_key();
        let mut question = Question::get(target.path(plan.channels, &plan.query(None)));
        question.headers = vec![
            ("connection", "Upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
            ("sec-websocket-version", "13".to_owned()),
            ("sec-websocket-key", key.clone()),
            ("sec-websocket-protocol", SUBPROTOCOL.to_owned()),
        ];
        question.headers.extend(plan.cursor.clone().map(|cursor| ("last-event-id", cursor)));
        let answer = connection.ask(question).await?;
        check(&answer, &key)?;
        let frames = cursor_of(&answer).into_iter().collect();
        let upgraded = upgrade::on(answer).await.map_err(|error| lost(&error))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LINE_BYTES_MAX))
            .max_frame_size(Some(LINE_BYTES_MAX));
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
        Ok(Self { socket, frames })
    }

    /// The next frame; `None` when the server has said good-bye.
    ///
    /// # Errors
    ///
    /// The connection breaks, the server closes with a refusal, or what comes is not the protocol.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Some(frame));
            }
            match self.socket.next().await {
                None => return Ok(None),
                Some(Ok(Message::Text(text))) => {
                    read_line(text.as_str(), CursorScope::Own, &mut self.frames)?;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(Some(Frame::Alive)),
                Some(Ok(Message::Close(close))) => return closed(close.as_ref()),
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                    return Err(Failure::Garbled("a binary frame on fanfare.v1".to_owned()));
                }
                Some(Err(error)) => return Err(failure(error)),
            }
        }
    }
}

/// Whether the answer is the handshake of RFC 6455, section 4.1.
fn check(answer: &Response<Incoming>, key: &str) -> Result<(), Failure> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let wrong = |what: &str| Err(Failure::Garbled(format!("the handshake {what}")));
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return wrong("is answered without switching protocols");
    }
    if header("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return wrong("has a wrong Sec-WebSocket-Accept");
    }
    if header("sec-websocket-protocol") != Some(SUBPROTOCOL) {
        return wrong("does not select fanfare.v1");
    }
    Ok(())
}

/// 4001 to 4099 and 1008 are for good, a normal end is an end, the rest comes back.
fn closed(close: Option<&CloseFrame>) -> Result<Option<Frame>, Failure> {
    let Some(close) = close else { return Ok(None) };
    let code = u16::from(close.code);
    match code {
        1003 | 1007 | 1008 | 1009 | 4001..=4099 => Err(Failure::Refused {
            status: None,
            what: format!("the server refused: {} (close code {code})", close.reason),
            retry_after: None,
        }),
        _ => Err(Failure::Lost(format!("closed by the server with {code} {}", close.reason))),
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Capacity(error) => Failure::Garbled(error.to_string()),
        other => lost(&other),
    }
}

//! Reads channels over a WebSocket with the subprotocol `fanfare.v1`.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use hyper::StatusCode;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::failure::Failure;
use super::frame::Frame;
use super::http::{Socket, connect, lost, refusal_of, seconds};
use super::ndjson::{CursorScope, read_line};
use super::sse::LINE_BYTES_MAX;
use super::stream::Plan;
use super::target::Target;

/// The subprotocol with positions.
const SUBPROTOCOL: &str = "fanfare.v1";
/// How long the handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// A WebSocket that is being read.
#[derive(Debug)]
pub(crate) struct WebSocketReader {
    socket: WebSocketStream<Socket>,
    frames: VecDeque<Frame>,
}

impl WebSocketReader {
    /// Connects and shakes hands.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`], or [`Failure::Refused`] with the server's own words.
    pub(crate) async fn open(target: &Target, plan: &Plan<'_>) -> Result<Self, Failure> {
        let request = request(target, plan)?;
        let socket = connect(target).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LINE_BYTES_MAX))
            .max_frame_size(Some(LINE_BYTES_MAX));
        let shaking = client_async_with_config(request, socket, Some(config));
        let (socket, response) = timeout(HANDSHAKE_TIMEOUT, shaking)
            .await
            .map_err(|_elapsed| Failure::Lost("no answer in time".to_owned()))?
            .map_err(failure)?;
        let cursor = response
            .headers()
            .get("fanfare-cursor")
            .and_then(|value| value.to_str().ok());
        let frames = cursor
            .map(|cursor| Frame::Cursor(cursor.to_owned()))
            .into_iter()
            .collect();
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

fn request(target: &Target, plan: &Plan<'_>) -> Result<Request, Failure> {
    let unsendable = |error: String| Failure::Usage(format!("cannot be sent: {error}"));
    let path = target.path(plan.channels, &plan.query(None));
    let mut request = format!("ws://{}{path}", target.authority)
        .into_client_request()
        .map_err(|error| unsendable(error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static(SUBPROTOCOL),
    );
    if let Some(cursor) = &plan.cursor {
        let cursor =
            HeaderValue::from_str(cursor).map_err(|error| unsendable(error.to_string()))?;
        headers.insert("last-event-id", cursor);
    }
    Ok(request)
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
        _ => Err(Failure::Lost(format!(
            "closed by the server with {code} {}",
            close.reason
        ))),
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Http(response) => {
            let status = StatusCode::from_u16(response.status().as_u16());
            let body = response.body().as_deref().unwrap_or_default();
            let retry_after = seconds(response.headers().get("retry-after"));
            refusal_of(status.unwrap_or(StatusCode::BAD_GATEWAY), retry_after, body)
        }
        Error::Capacity(error) => Failure::Garbled(error.to_string()),
        other => lost(&other),
    }
}

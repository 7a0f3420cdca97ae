//! WebSockets over HTTP/2 (RFC 8441): between a stream of hyper's and the tunnel to a shard, which
//! has the session.

use std::pin::pin;

use fanfare_protocol::websocket::{CloseCode, Frame, encode_frame};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

use super::Shared;
use super::connection::Origin;
use super::http2::Stream;
use crate::load::Counted;
use crate::node::{Letter, Tunnelling};
use crate::pipe::{Outward, TunnelEnd, tunnel};
use crate::shard::SocketRequest;

/// How long a WebSocket that is over may take to go.
const GOODBYE: Duration = Duration::from_secs(5);

/// Bytes that are read at once.
const READ_BYTES: usize = 4 * 1024;

/// Bytes that hyper is given at once; it holds up to four times as many.
const PART_BYTES: usize = 16 * 1024;

/// What a WebSocket over HTTP/2 is counted by, as a connection and as a request.
#[derive(Debug)]
pub(super) struct Place {
    /// Among all connections.
    pub counted: Counted,
    /// Among the requests of its connection.
    pub stream: Stream,
}

impl Shared {
    /// Makes a WebSocket of a stream: a session of the shard with the fewest connections.
    pub(super) async fn tunnel(
        &self,
        upgraded: Upgraded,
        from: &Origin,
        socket_request: SocketRequest,
        place: Place,
    ) {
        let shard = self.load.lightest();
        let Some(mailbox) = self.node.mailboxes().get(usize::from(shard)) else { return };
        let (tunnel, end) = tunnel(mailbox.clone());
        let Place { counted, stream } = place;
        let peer = from.peer;
        let tunnelling = Tunnelling { tunnel, peer, socket_request, counted };
        mailbox.put(Letter::Tunnelled(Box::new(tunnelling)));
        carry(TokioIo::new(upgraded), &end, stream).await;
    }
}

/// Carries bytes both ways until either side has ended.
async fn carry<S: AsyncRead + AsyncWrite>(socket: S, end: &TunnelEnd, mut stream: Stream) {
    let (mut reader, mut writer) = tokio::io::split(socket);
    let mut outward = pin!(async {
        while let Outward::Bytes(bytes) = end.next().await {
            for part in bytes.chunks(PART_BYTES) {
                writer.write_all(part).await?;
            }
        }
        // Whether it was closed or cut, its client sees by the close frame.
        writer.shutdown().await
    });
    let inward = async {
        let mut buffer = [0; READ_BYTES];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            if !end.pass_in(buffer.get(..length).unwrap_or_default()).await {
                // Whatever it still says, the shard is not there to hear it.
                return std::future::pending().await;
            }
        }
        end.finish_in();
    };
    let left = async {
        end.left().await;
        // What was written last is on its way, unless nobody takes it.
        tokio::time::sleep(GOODBYE).await;
    };
    tokio::select! {
        _sent = &mut outward => {}
        () = left => {}
        () = inward => {
            // The shard sees the end and answers it with its own.
            let _late = timeout(GOODBYE, outward).await;
        }
    }
    if end.is_shut() {
        stream.finish();
    }
}

/// Tells a WebSocket why it is closed, and waits until it is gone.
pub(super) async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    (code, reason): (CloseCode, &str),
) {
    let frame = encode_frame(&Frame::Close(Some((code, reason))));
    let saying = async {
        socket.write_all(&frame).await?;
        socket.shutdown().await?;
        // What it still sends is read away, so that no reset overtakes the reason.
        let mut away = [0; 1024];
        while socket.read(&mut away).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A client that goes first, or never, has had its answer all the same.
    let _gone = timeout(GOODBYE, saying).await;
}

//! A socket whose first bytes a shard has already read.
//!
//! The shard reads the first request head to know what it is. When the request is not for the
//! shard, hyper gets the socket as if nobody had touched it: the bytes are replayed first.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pace::Pace;
use super::socket::Socket;

/// A socket that gives `read` before what the kernel holds.
#[derive(Debug)]
pub(crate) struct Rewound {
    /// Taken only when the socket leaves for a shard, or is dropped.
    socket: Option<Socket>,
    read: Bytes,
    ending: Ending,
    pace: Pace,
    /// Whether an answer is stuck half-way, since the client does not read.
    stuck: bool,
}

/// How a socket ends: with a FIN, unless somebody asks for a reset before.
///
/// A reset is the only way to tell an HTTP/1.0 reader that its body was cut: to it a FIN is the
/// regular end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    reset: Arc<AtomicBool>,
    farewell: Arc<OnceLock<Bytes>>,
}

impl Ending {
    /// The socket is to end with a reset, which discards what was not sent yet.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// The socket is to say this last, unless an answer is still on its way.
    pub(crate) fn say(&self, last: Bytes) {
        // The first reason to end is the one that is told.
        let _told_already = self.farewell.set(last);
    }
}

impl Rewound {
    /// `socket`, of which `read` was read already.
    pub(crate) fn new(socket: Socket, read: Bytes, ending: Ending, pace: Pace) -> Self {
        Self { socket: Some(socket), read, ending, pace, stuck: false }
    }

    /// The socket and what is still to be replayed.
    pub(crate) fn into_parts(mut self) -> io::Result<(Socket, Bytes)> {
        let read = std::mem::take(&mut self.read);
        let socket = self.socket.take().ok_or(io::ErrorKind::NotConnected)?;
        Ok((socket, read))
    }

    /// Fails if what is in work ends with its client, and that has said everything. hyper reads
    /// nothing while it answers, so nobody else would notice.
    fn watch(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.pace.leaves_with_client() || !self.read.is_empty() {
            return Ok(());
        }
        match self.socket()?.poll_ended(context) {
            Poll::Ready(Ok(())) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(()),
        }
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket>> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(socket))
    }
}

impl Drop for Rewound {
    fn drop(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        if let (Some(last), false) = (self.ending.farewell.get(), self.stuck) {
            socket.say_last(last);
        }
        if self.ending.reset.load(Ordering::Acquire) {
            // A socket that is already gone cannot be reset and need not be.
            let _gone = socket.options().set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            let before = buffer.filled().len();
            let outcome = self.socket()?.poll_read(context, buffer);
            if buffer.filled().len() > before {
                self.pace.received();
            }
            return outcome;
        }
        self.pace.received();
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read.split_to(length));
        if self.read.is_empty() {
            // The bytes may be a slice of a large buffer, which is not to be kept for them.
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket()?.poll_write(context, bytes);
        self.stuck = outcome.is_pending();
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket()?.poll_write_vectored(context, slices);
        self.stuck = outcome.is_pending();
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(Socket::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever it is polled, whatever there is to write.
        self.watch(context)?;
        self.socket()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.reset.load(Ordering::Acquire) {
            // A FIN now would be the very end that the reset is to prevent.
            return Poll::Ready(Ok(()));
        }
        self.socket()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::{Ending, Pace, Rewound, Socket};

    const DEADLINE: Duration = Duration::from_secs(5);

    async fn pair() -> (Socket, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        (Socket::Plain(listener.accept().await.unwrap().0), client)
    }

    #[tokio::test]
    async fn what_was_read_comes_first_and_once() {
        let (socket, mut client) = pair().await;
        client.write_all(b" world").unwrap();
        let mut rewound =
            Rewound::new(socket, Bytes::from("hello"), Ending::default(), Pace::new());
        let mut first = [0; 3];
        rewound.read_exact(&mut first).await.unwrap();
        let mut rest = [0; 8];
        let all = timeout(DEADLINE, rewound.read_exact(&mut rest)).await;
        all.expect("in time").unwrap();
        assert_eq!((&first, &rest), (b"hel", b"lo world"));
        rewound.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn what_was_not_replayed_goes_along() {
        let (socket, _client) = pair().await;
        let mut rewound =
            Rewound::new(socket, Bytes::from("head+rest"), Ending::default(), Pace::new());
        let mut head = [0; 5];
        rewound.read_exact(&mut head).await.unwrap();
        let (_socket, rest) = rewound.into_parts().unwrap();
        assert_eq!(rest, "rest");
    }

    #[tokio::test]
    async fn a_reset_is_seen_as_one() {
        let (socket, mut client) = pair().await;
        let ending = Ending::default();
        let mut rewound = Rewound::new(socket, Bytes::new(), ending.clone(), Pace::new());
        ending.reset();
        rewound.shutdown().await.unwrap();
        drop(rewound);
        let seen = client.read(&mut [0; 8]);
        assert_eq!(seen.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn the_last_words_are_said_once_and_before_the_end() {
        let (socket, mut client) = pair().await;
        let ending = Ending::default();
        let rewound = Rewound::new(socket, Bytes::new(), ending.clone(), Pace::new());
        ending.say("too slow".into());
        ending.say("never".into());
        drop(rewound);
        let mut told = String::new();
        client.read_to_string(&mut told).unwrap();
        assert_eq!(told, "too slow");
    }

    #[tokio::test]
    async fn an_end_without_reset_is_a_regular_one() {
        let (socket, mut client) = pair().await;
        drop(Rewound::new(socket, Bytes::new(), Ending::default(), Pace::new()));
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }
}

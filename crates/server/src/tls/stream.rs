//! A TLS connection as the edge has it: the session that a shard began, and a socket of tokio's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::failure::Failure;
use super::session::{RECORD_BYTES, Session};

/// Ciphertext that is read at once: a record of the largest size with what may be left of the one
/// before it.
const READ_BYTES: usize = 2 * (RECORD_BYTES + 512);

/// A socket that speaks TLS, for whoever reads and writes plaintext.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    session: Box<Session>,
    /// Plaintext that was not asked for yet; at most what one read of the socket gave.
    plain: Bytes,
}

impl Stream {
    /// Goes on with a session whose handshake is over.
    pub(crate) fn new(socket: TcpStream, session: Box<Session>) -> Self {
        Self { socket, session, plain: Bytes::new() }
    }

    /// The socket, the session, and what it was given of plaintext that nobody has read.
    pub(crate) fn into_parts(self) -> (TcpStream, Box<Session>, Bytes) {
        (self.socket, self.session, self.plain)
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether the client has gone, or has said that nothing more comes from it. What it sends is
    /// kept for the next read, up to a bound, behind which nothing is looked at.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.plain.is_empty() {
            if ready!(self.poll_receive(context))? == Received::End {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Says a last thing, as far as the socket has room for it.
    pub(crate) fn say_last(&mut self, last: &[u8]) {
        let mut sealed = std::mem::take(self.session.unsent());
        if self.session.seal(last, &mut sealed).is_ok() {
            self.session.close(&mut sealed);
            // What there is no room for, nobody reads.
            let _written = self.socket.try_write(&sealed);
        }
    }

    /// Reads the socket once.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Received>> {
        loop {
            if self.session.has_ended() {
                return Poll::Ready(Ok(Received::End));
            }
            // Only who has something to read needs a buffer.
            ready!(self.socket.poll_read_ready(context))?;
            let mut buffer = vec![0; READ_BYTES];
            let kept = self.session.restore(&mut buffer);
            let read = match self.socket.try_read(buffer.get_mut(kept..).unwrap_or_default()) {
                Ok(0) => return Poll::Ready(Ok(Received::End)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Poll::Ready(Err(error)),
            };
            buffer.truncate(kept + read);
            let mut plain = Vec::new();
            let outcome = self.session.receive(&mut buffer, &mut plain);
            self.plain = plain.into();
            if let Err(failure) = outcome {
                self.try_send();
                return Poll::Ready(Err(broken(failure)));
            }
            return Poll::Ready(Ok(Received::Some));
        }
    }

    /// Sends an alert that waits, as far as there is room.
    fn try_send(&mut self) {
        let unsent = std::mem::take(self.session.unsent());
        // The connection ends in any case.
        let _written = self.socket.try_write(&unsent);
    }

    /// Writes what was sealed.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unsent = self.session.unsent();
        let mut sent = 0;
        while let Some(rest) = unsent.get(sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.socket).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => sent += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    unsent.drain(..sent);
                    return Poll::Pending;
                }
            }
        }
        *unsent = Vec::new();
        Poll::Ready(Ok(()))
    }
}

/// What a read of the socket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// Ciphertext, and perhaps plaintext.
    Some,
    /// Nothing comes any more.
    End,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.plain.is_empty() {
            if ready!(self.poll_receive(context))? == Received::End {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.plain.len().min(buffer.remaining());
        buffer.put_slice(self.plain.get(..length).unwrap_or_default());
        self.plain.advance(length);
        if self.plain.is_empty() {
            // It may be a slice of a large buffer, which is not to be kept for nothing.
            self.plain = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Nothing is sealed while ciphertext waits, so that at most one record ever does.
        ready!(self.poll_send(context))?;
        let taken = bytes.get(..RECORD_BYTES.min(bytes.len())).unwrap_or_default();
        let Self { session, .. } = &mut *self;
        let mut sealed = Vec::new();
        session.seal(taken, &mut sealed).map_err(broken)?;
        *session.unsent() = sealed;
        if let Poll::Ready(Err(error)) = self.poll_send(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sealed = std::mem::take(self.session.unsent());
        self.session.close(&mut sealed);
        *self.session.unsent() = sealed;
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

fn broken(failure: Failure) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, failure)
}

//! A socket of the edge, whatever is spoken on it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::{Session, Stream};

/// A socket for plaintext, which may go over it in TLS.
#[derive(Debug)]
pub(crate) enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// In TLS.
    Secure(Box<Stream>),
}

impl Socket {
    /// A socket that a shard has had, with its session if it has one.
    ///
    /// # Errors
    /// If the runtime cannot poll it.
    pub(crate) fn new(
        socket: std::net::TcpStream,
        session: Option<Box<Session>>,
    ) -> io::Result<Self> {
        let socket = TcpStream::from_std(socket)?;
        Ok(match session {
            Some(session) => Self::Secure(Box::new(Stream::new(socket, session))),
            None => Self::Plain(socket),
        })
    }

    /// What a shard goes on with: the socket, its session, and what was read of that already.
    ///
    /// # Errors
    /// If the runtime does not let go of it.
    pub(crate) fn into_parts(
        self,
    ) -> io::Result<(std::net::TcpStream, Option<Box<Session>>, Bytes)> {
        match self {
            Self::Plain(socket) => Ok((socket.into_std()?, None, Bytes::new())),
            Self::Secure(stream) => {
                let (socket, session, plain) = stream.into_parts();
                Ok((socket.into_std()?, Some(session), plain))
            }
        }
    }

    /// Ready when the client is gone, or has said everything, and none of it is left to read.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => {
                let mut byte = [MaybeUninit::uninit()];
                match socket.poll_peek(context, &mut ReadBuf::uninit(&mut byte)) {
                    Poll::Ready(Ok(0)) => Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
                }
            }
            Self::Secure(stream) => stream.poll_ended(context),
        }
    }

    /// Says a last thing, as far as there is room for it.
    pub(crate) fn say_last(&mut self, last: &[u8]) {
        match self {
            Self::Plain(socket) => {
                // What there is no room for, nobody reads.
                let _written = socket.try_write(last);
            }
            Self::Secure(stream) => stream.say_last(last),
        }
    }

    /// The socket's options.
    pub(crate) fn options(&self) -> SockRef<'_> {
        match self {
            Self::Plain(socket) => SockRef::from(socket),
            Self::Secure(stream) => SockRef::from(stream.socket()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Self::Secure(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

//! A TLS connection's socket, as a shard drives it.
//!
//! What is written is sealed record by record, and a record only when the one before it has gone
//! out whole. So whoever writes is told that the socket is full just as by the socket itself, and
//! at most one record of ciphertext ever waits.

use std::io::{self, IoSlice, Write};

use mio::net::TcpStream;

use super::http::append_wrong_scheme;
use super::output::{Drained, write_once};
use crate::tls::{Failure, RECORD_BYTES, Session};

/// A socket with its session.
#[derive(Debug)]
pub(super) struct Secure {
    pub socket: TcpStream,
    pub session: Session,
}

/// Buffers that all connections of a shard seal with.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

/// Takes plaintext for a socket.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    secure: &'a mut Secure,
    sealing: &'a mut Sealing,
}

impl Secure {
    /// What plaintext is written to.
    pub(super) fn writer<'a>(&'a mut self, sealing: &'a mut Sealing) -> Writer<'a> {
        Writer { secure: self, sealing }
    }

    /// Writes ciphertext that waits, as much as there is room for.
    ///
    /// # Errors
    /// What the socket said, if it is gone.
    pub(super) fn flush(&mut self) -> io::Result<Drained> {
        let unsent = self.session.unsent();
        let mut sent = 0;
        while let Some(rest) = unsent.get(sent..).filter(|rest| !rest.is_empty()) {
            match write_once(|| self.socket.write(rest))? {
                Some(written) => sent += written,
                None => {
                    unsent.drain(..sent);
                    return Ok(Drained::Part);
                }
            }
        }
        if sent > 0 {
            *unsent = Vec::new();
        }
        Ok(Drained::Whole)
    }

    /// The same, unless the handshake is over: ciphertext of frames keeps nobody from reading.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub(super) fn flush_handshake(&mut self) -> io::Result<Drained> {
        if self.session.is_open() { Ok(Drained::Whole) } else { self.flush() }
    }

    /// Tells a client in its own words why it is not understood, where it has any.
    pub(super) fn explain(&mut self, failure: &Failure) {
        if *failure == Failure::PlainHttp {
            append_wrong_scheme(self.session.unsent(), "https");
        }
    }

    /// Says that nothing more will be sent, behind what waits.
    pub(super) fn close(&mut self) {
        let mut unsent = std::mem::take(self.session.unsent());
        self.session.close(&mut unsent);
        *self.session.unsent() = unsent;
    }
}

impl Writer<'_> {
    /// Seals one record and writes it, or has what there is no room for wait.
    fn write_record(&mut self, plain: &[u8]) -> io::Result<()> {
        let Self { secure: Secure { socket, session }, sealing } = self;
        sealing.sealed.clear();
        session.seal(plain, &mut sealing.sealed).map_err(broken)?;
        // A short write means as much as a full socket: an edge will come.
        let written = write_once(|| socket.write(&sealing.sealed))?.unwrap_or(0);
        let rest = sealing.sealed.get(written..).unwrap_or_default();
        session.unsent().extend_from_slice(rest);
        Ok(())
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        for plain in bytes.chunks(RECORD_BYTES) {
            if self.secure.session.has_unsent() && self.secure.flush()? == Drained::Part {
                break;
            }
            self.write_record(plain)?;
            taken += plain.len();
        }
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [one] = slices {
            return self.write(one);
        }
        // Small parts share a record.
        let mut plain = std::mem::take(&mut self.sealing.plain);
        plain.clear();
        for slice in slices {
            let room = GATHERED_BYTES.saturating_sub(plain.len());
            plain.extend_from_slice(slice.get(..room.min(slice.len())).unwrap_or_default());
        }
        let outcome = self.write(&plain);
        self.sealing.plain = plain;
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        self.secure.flush().map(|_drained| ())
    }
}

/// A session that cannot go on, for whoever knows only sockets.
fn broken(failure: Failure) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, failure)
}

/// Bytes of several parts that are sealed together.
const GATHERED_BYTES: usize = 64 * 1024;

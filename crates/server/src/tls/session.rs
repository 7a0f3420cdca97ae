//! One TLS connection of the server's side, without a socket.
//!
//! Ciphertext goes in and plaintext comes out, plaintext goes in and ciphertext comes out. Between
//! two calls it holds keys, and bytes only while half a record of the client's is waited for or
//! while its socket has no room for what was sealed.

use std::sync::Arc;

use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{Error, HandshakeKind};

use super::acceptance::{Application, application_of};
use super::failure::Failure;

/// Bytes of plaintext in one record at most.
pub(crate) const RECORD_BYTES: usize = 16 * 1024;

/// Bytes of half a record, or of half a handshake message, that are kept for a client: a record of
/// the largest size with its overhead (RFC 8446, section 5.2).
const UNREAD_BYTES_MAX: usize = RECORD_BYTES + 256 + 5;

/// The same before the handshake is over. The hello of a browser has 2 KiB.
const HELLO_BYTES_MAX: usize = 8 * 1024;

/// What a record is longer than its plaintext, at most, in the suites that are offered.
const OVERHEAD_BYTES: usize = 64;

/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 22;

/// One TLS connection without its socket.
pub(crate) struct Session {
    connection: UnbufferedServerConnection,
    /// Ciphertext that is no whole record yet.
    pub(super) unread: Vec<u8>,
    /// Ciphertext that the socket had no room for.
    unsent: Vec<u8>,
    stage: Stage,
    /// The client has said that nothing more comes from it.
    ended: bool,
    /// So has the server.
    closed: bool,
}

impl std::fmt::Debug for Session {
    // Keys are nothing to be told, nor is what was said.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut session = formatter.debug_struct("Session");
        session.field("stage", &self.stage).field("unsent", &self.unsent.len());
        session.finish_non_exhaustive()
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come.
    Greeting,
    Handshaking,
    Open,
    /// What comes is discarded, and nothing more is sealed.
    Failed,
}

/// How a handshake came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// With a certificate.
    Full,
    /// By a ticket of an earlier one.
    Resumed,
}

impl Session {
    /// A session that waits for its client's hello.
    ///
    /// # Errors
    /// If `config` is of no use, which is a mistake of the server's own.
    pub(crate) fn accept(config: &Arc<ServerConfig>) -> Result<Self, Failure> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(Arc::clone(config))?,
            unread: Vec::new(),
            unsent: Vec::new(),
            stage: Stage::Greeting,
            ended: false,
            closed: false,
        })
    }

    /// Puts what is left of earlier reads at the front of `buffer`, which has to have room for a
    /// record behind it. What is read next goes after so many bytes, and all of it to
    /// [`Self::receive`].
    pub(crate) fn restore(&self, buffer: &mut [u8]) -> usize {
        match buffer.get_mut(..self.unread.len()) {
            Some(front) => {
                front.copy_from_slice(&self.unread);
                front.len()
            }
            None => 0,
        }
    }

    /// Takes ciphertext, beginning with what [`Self::restore`] gave, and appends its plaintext to
    /// `plain`. What is to be sent for it waits in [`Self::unsent`]. Says whether the handshake
    /// ended with it.
    ///
    /// # Errors
    /// Why the session has failed; an alert for the client may wait to be sent.
    pub(crate) fn receive(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<Option<Handshake>, Failure> {
        match (self.stage, bytes.first()) {
            (_, None) | (Stage::Failed, _) => return Ok(None),
            (Stage::Greeting, Some(first)) if *first != HANDSHAKE_RECORD => {
                self.stage = Stage::Failed;
                // A method of HTTP.
                let http = first.is_ascii_uppercase();
                return Err(if http { Failure::PlainHttp } else { malformed() });
            }
            (Stage::Greeting, _) => self.stage = Stage::Handshaking,
            _ => {}
        }
        match self.advance(bytes, plain) {
            Ok(used) => self.keep(bytes.get(used..).unwrap_or_default())?,
            Err((used, error)) => {
                self.stage = Stage::Failed;
                self.unread = Vec::new();
                self.take_alert(bytes.get_mut(used..).unwrap_or_default());
                return Err(error);
            }
        }
        if self.stage == Stage::Handshaking && !self.connection.is_handshaking() {
            self.stage = Stage::Open;
            return Ok(Some(match self.connection.handshake_kind() {
                Some(HandshakeKind::Resumed) => Handshake::Resumed,
                _ => Handshake::Full,
            }));
        }
        Ok(None)
    }

    /// Takes records until none is whole. Gives how many bytes were used up.
    fn advance(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<usize, (usize, Failure)> {
        let mut used = 0;
        loop {
            let rest = bytes.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(rest);
            let mut whole = false;
            match state.map_err(|error| (used, error.into()))? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|error| (used, error.into()))?;
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                }
                ConnectionState::EncodeTlsData(data) => {
                    encode(data, &mut self.unsent).map_err(|failure| (used, failure))?;
                }
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => self.ended = true,
                ConnectionState::WriteTraffic(_)
                | ConnectionState::BlockedHandshake
                | ConnectionState::Closed => whole = true,
                // Nobody is offered to send before the handshake is over.
                _ => return Err((used, malformed())),
            }
            used += discard;
            if whole {
                return Ok(if self.ended { bytes.len() } else { used });
            }
        }
    }

    /// Keeps what is no whole record.
    fn keep(&mut self, rest: &[u8]) -> Result<(), Failure> {
        let handshaking = self.stage != Stage::Open && self.connection.is_handshaking();
        let most = if handshaking { HELLO_BYTES_MAX } else { UNREAD_BYTES_MAX };
        if rest.len() > most {
            self.stage = Stage::Failed;
            self.unread = Vec::new();
            return Err(Failure::TooLong);
        }
        if rest.is_empty() {
            self.unread = Vec::new();
        } else {
            self.unread.clear();
            self.unread.extend_from_slice(rest);
        }
        Ok(())
    }

    /// What rustls wants to say about a failure. It is asked once, and with the bytes that it failed
    /// over, which it counts on: had it nothing to say, it would look at them again.
    fn take_alert(&mut self, rest: &mut [u8]) {
        if let Ok(ConnectionState::EncodeTlsData(data)) =
            self.connection.process_tls_records(rest).state
        {
            // Without it the client just finds the connection closed.
            let _unsaid = encode(data, &mut self.unsent);
        }
    }

    /// Appends records that hold `plain` to `out`.
    ///
    /// # Errors
    /// If the session is not open, or its keys are used up.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        self.write(out, |connection, out| {
            let records = plain.len().div_ceil(RECORD_BYTES);
            let room = plain.len() + records * OVERHEAD_BYTES + OVERHEAD_BYTES;
            into_room(out, room, |room| connection.encrypt(plain, room))
        })
    }

    /// Appends the alert that says that nothing more comes, the first time that it is asked to.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        if self.closed || self.stage != Stage::Open {
            return;
        }
        self.closed = true;
        // Without it the client learns of the end by the socket's, which is the next best thing.
        let _unsaid = self.write(out, |connection, out| {
            into_room(out, 2 * OVERHEAD_BYTES, |room| connection.queue_close_notify(room))
        });
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Writing<'_>, &mut Vec<u8>) -> Result<(), EncryptError>,
    ) -> Result<(), Failure> {
        if self.stage != Stage::Open {
            return Err(Failure::NotOpen);
        }
        let outcome = self.try_write(out, write);
        if outcome.is_err() {
            self.stage = Stage::Failed;
        }
        outcome
    }

    fn try_write(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Writing<'_>, &mut Vec<u8>) -> Result<(), EncryptError>,
    ) -> Result<(), Failure> {
        loop {
            // It counts on what it has seen of half a message being there again.
            match self.connection.process_tls_records(&mut self.unread).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return write(&mut traffic, out)
                        .map_err(|_exhausted| Failure::Refused(Error::EncryptError));
                }
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => self.ended = true,
                _ => return Err(Failure::NotOpen),
            }
        }
    }

    /// Ciphertext that waits for room in the socket; whoever writes it takes it out.
    pub(crate) fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Whether ciphertext waits for room in the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether the handshake is over, and nothing has broken the session since.
    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Whether the client has said that nothing more comes from it.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What was agreed to be spoken inside.
    pub(crate) fn application(&self) -> Application {
        application_of(self.connection.alpn_protocol())
    }
}

type Writing<'a> = rustls::unbuffered::WriteTraffic<'a, rustls::server::ServerConnectionData>;

/// Appends what `write` writes into so much room, or into as much as it says it needs.
fn into_room(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), EncryptError> {
    let at = out.len();
    loop {
        out.resize(at + room, 0);
        match write(out.get_mut(at..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(at + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(error) => {
                out.truncate(at);
                return Err(error);
            }
        }
    }
}

fn encode(
    mut data: EncodeTlsData<'_, rustls::server::ServerConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let needed = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        Ok(_) => return Ok(()),
        Err(EncodeError::AlreadyEncoded) => return Err(Failure::NotOpen),
    };
    let at = out.len();
    out.resize(at + needed, 0);
    match data.encode(out.get_mut(at..).unwrap_or_default()) {
        Ok(written) => {
            out.truncate(at + written);
            Ok(())
        }
        Err(_) => {
            out.truncate(at);
            Err(Failure::NotOpen)
        }
    }
}

fn malformed() -> Failure {
    Failure::Refused(Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType))
}

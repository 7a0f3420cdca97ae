//! Why a TLS connection ended other than by its end.

use rustls::Error;

/// Why a session goes no further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Failure {
    /// The first bytes are those of a request in plain HTTP.
    #[error("plain HTTP on a TLS port")]
    PlainHttp,
    /// The client would hold more of the server's memory than one record.
    #[error("a record or a handshake message that is too long")]
    TooLong,
    /// Something was to be sent before the handshake was over, or after the session's end.
    #[error("the session is not open")]
    NotOpen,
    /// What rustls says.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl Failure {
    /// Every reason that [`Self::reason`] can give.
    pub(crate) const REASONS: [&'static str; 7] = [
        "plain-http",
        "no-common-parameters",
        "refused-by-client",
        "malformed",
        "misbehaved",
        "no-certificate",
        "internal",
    ];

    /// The place of its reason in [`Self::REASONS`], for the metrics.
    pub(crate) fn reason(&self) -> usize {
        match self {
            Self::PlainHttp => 0,
            Self::TooLong => 3,
            Self::NotOpen => 6,
            Self::Refused(error) => match error {
                Error::PeerIncompatible(_) | Error::NoApplicationProtocol => 1,
                Error::AlertReceived(_) => 2,
                Error::InvalidMessage(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. }
                | Error::DecryptError
                | Error::PeerSentOversizedRecord => 3,
                Error::PeerMisbehaved(_) => 4,
                Error::General(_) => 5,
                _ => 6,
            },
        }
    }
}

//! How talking to a server can fail.

use std::time::Duration;

use crate::exit::Exit;

/// How talking to a server can fail, with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// No connection comes about.
    #[error("cannot connect to {url}: {why}{hint}")]
    Unreachable {
        /// The server asked for.
        url: String,
        /// What the system says.
        why: String,
        /// What to do about it, with its own punctuation, or nothing.
        hint: &'static str,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// The server answered with an error.
    #[error("{what}")]
    Refused {
        /// The HTTP status; `None` if it came over a WebSocket.
        status: Option<u16>,
        /// Title, detail and hint as the server told them.
        what: String,
        /// When the server wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server said something that is not the protocol.
    #[error("the server does not speak Fanfare's protocol: {0}")]
    Garbled(String),
}

impl Failure {
    /// The exit code of a command that ends with this.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Refused { status: Some(500..), .. } => Exit::Failure,
            Self::Refused { .. } => Exit::Refused,
            Self::Lost(_) | Self::Garbled(_) => Exit::Failure,
        }
    }

    /// Whether trying again may help: a broken or missing connection, and answers that say so.
    pub(crate) fn may_retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost(_) => true,
            Self::Refused { status, .. } => matches!(status, Some(408 | 429 | 500..)),
            Self::Usage(_) | Self::Garbled(_) => false,
        }
    }

    /// When the server wants to be asked again, if it said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

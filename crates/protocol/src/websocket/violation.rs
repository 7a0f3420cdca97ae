//! Every offence of a peer against RFC 6455, by name, with the code its connection closes with.

use super::close::CloseCode;

/// What a peer did wrong; the connection is closed with [`Violation::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set although no extension that gives it a meaning was negotiated
    /// (section 5.2).
    #[error("a reserved bit is set, but no extension was negotiated")]
    ReservedBits,
    /// RSV1, which says that a message is deflated, on a frame that begins none (RFC 7692 section 6).
    #[error("the bit of deflated messages is set on a frame that begins none")]
    DeflatedBit,
    /// A deflated message whose bytes are no DEFLATE, or not all of it.
    #[error("a deflated message cannot be inflated")]
    DeflateInvalid,
    /// A message that inflates to absurdly more than it is on the wire.
    #[error("a message inflates to more than {ratio_max} times its length")]
    DeflateRatio {
        /// How many times its length is tolerated.
        ratio_max: u32,
    },
    /// An opcode that the RFC does not define (section 5.2).
    #[error("opcode {0:#x} is not defined")]
    UnknownOpcode(u8),
    /// A client sent a frame without a mask (section 5.1).
    #[error("a client's frame is not masked")]
    UnmaskedFrame,
    /// A server sent a frame with a mask (section 5.1).
    #[error("a server's frame is masked")]
    MaskedFrame,
    /// A ping, pong or close without FIN (section 5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A ping, pong or close with more than 125 bytes (section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A continuation without a message to continue (section 5.4).
    #[error("a continuation frame continues nothing")]
    UnexpectedContinuation,
    /// A new message before the one before it has ended (section 5.4).
    #[error("a new message starts inside a fragmented one")]
    InterleavedMessage,
    /// A length in more bytes than it needs (section 5.2).
    #[error("a frame's length is not in its shortest form")]
    LengthNotMinimal,
    /// A 64-bit length with its most significant bit set (section 5.2).
    #[error("a frame's length has its highest bit set")]
    LengthHighBit,
    /// The message, with all its fragments and inflated, is longer than the limit; known before it
    /// is stored.
    #[error("a message is longer than {payload_bytes_max} bytes")]
    MessageTooBig {
        /// The limit that the decoder was made with.
        payload_bytes_max: u32,
    },
    /// A text message that is not UTF-8 (section 8.1); known at the first byte that cannot be.
    #[error("a text message is not UTF-8")]
    TextNotUtf8,
    /// A close frame whose payload is one byte, so that it has half a code (section 5.5.1).
    #[error("a close frame has half a code")]
    CloseCodeCut,
    /// A close code that may not be sent (section 7.4).
    #[error("{0} is no close code that may be sent")]
    CloseCodeInvalid(u16),
    /// A close reason that is not UTF-8 (section 5.5.1).
    #[error("the reason of a close frame is not UTF-8")]
    CloseReasonNotUtf8,
}

impl Violation {
    /// The code that tells the peer: 1009 for a message too big, 1007 for text that is not UTF-8 and
    /// for what cannot be inflated, 1002 for everything else (section 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::MessageTooBig { .. } | Self::DeflateRatio { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 | Self::DeflateInvalid => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::ReservedBits
            | Self::DeflatedBit
            | Self::UnknownOpcode(_)
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::UnexpectedContinuation
            | Self::InterleavedMessage
            | Self::LengthNotMinimal
            | Self::LengthHighBit
            | Self::CloseCodeCut
            | Self::CloseCodeInvalid(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}

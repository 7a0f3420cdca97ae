//! Close codes and reasons (RFC 6455 section 7.4): what may stand in a close frame.

use super::frame::CONTROL_BYTES_MAX;
use super::violation::Violation;

/// The most bytes of reason that fit beside the code in one control frame.
pub const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// A close code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999.
///
/// The IANA registry adds 1012 to 1014 to those of RFC 6455; 1004, 1005, 1006 and 1015 never
/// travel, and 1016 to 2999 are not assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of message that this end does not accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy forbids it.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to be handled.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension.
    pub const EXTENSION_MISSING: Self = Self(1010);
    /// 1011: the server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts; come back.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: too much at present; come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code with this number, if it may be sent.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// As much of `reason` as fits into a close frame: at most 123 bytes of whole characters.
#[must_use]
pub fn cut_reason(reason: &str) -> &str {
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    reason.split_at_checked(end).map_or("", |(kept, _)| kept)
}

/// The code and the reason in a close frame's unmasked payload; no code when it is empty.
pub(super) fn read_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let Some((&number, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((None, "")) } else { Err(Violation::CloseCodeCut) };
    };
    let number = u16::from_be_bytes(number);
    let code = CloseCode::new(number).ok_or(Violation::CloseCodeInvalid(number))?;
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), reason)),
        // Where in a reason of 123 bytes the fault lies helps nobody.
        Err(_) => Err(Violation::CloseReasonNotUtf8),
    }
}

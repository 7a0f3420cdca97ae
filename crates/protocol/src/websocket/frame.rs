//! The head of one frame and its mask (RFC 6455 section 5.2 and 5.3).
//!
//! [`read_header`] judges bytes in the order in which they arrive and as soon as they are there,
//! so that the verdict is the same however a stream is cut. What depends on the frames before
//! (continuations, limits) is the decoder's; this file knows one frame alone.

use super::violation::Violation;

/// Which end of the connection we are: it decides which way frames are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We are the server: every frame received must be masked.
    Server,
    /// We are the client: no frame received may be masked.
    Client,
}

/// The two kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text; the decoder has validated it.
    Text,
    /// Any bytes.
    Binary,
}

/// The most bytes a control frame may carry (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// The most bytes a frame's head may take: two, eight of length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

pub(super) const FIN: u8 = 0x80;
/// RSV1, which permessage-deflate gives a meaning (RFC 7692 section 6).
pub(super) const DEFLATED: u8 = 0x40;
pub(super) const MASKED: u8 = 0x80;
pub(super) const LENGTH_16: u8 = 126;
pub(super) const LENGTH_64: u8 = 127;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Message(MessageKind),
    Control(Control),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Message(MessageKind::Text) => 0x1,
            Self::Message(MessageKind::Binary) => 0x2,
            Self::Control(Control::Close) => 0x8,
            Self::Control(Control::Ping) => 0x9,
            Self::Control(Control::Pong) => 0xA,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0x0 => Self::Continuation,
            0x1 => Self::Message(MessageKind::Text),
            0x2 => Self::Message(MessageKind::Binary),
            0x8 => Self::Control(Control::Close),
            0x9 => Self::Control(Control::Ping),
            0xA => Self::Control(Control::Pong),
            _ => return None,
        })
    }
}

/// Whether messages may be deflated, as the handshake has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Extension {
    #[default]
    None,
    Deflate,
}

/// What the bytes of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Deflated,
}

/// Whether the message ends with this frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Last,
    More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) part: Part,
    pub(super) opcode: Opcode,
    /// Of the message that the frame begins.
    pub(super) coding: Coding,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) payload_bytes: u64,
    /// How many bytes the head itself took, at most [`HEADER_BYTES_MAX`].
    pub(super) header_bytes: usize,
}

/// Reads the head at the start of `bytes`; `None` when more bytes are needed to have it whole.
pub(super) fn read_header(
    bytes: &[u8],
    role: Role,
    extension: Extension,
) -> Result<Option<Header>, Violation> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let (part, opcode, coding) = read_first(first, extension)?;
    let Some((&second, rest)) = rest.split_first() else {
        return Ok(None);
    };
    read_second(second, opcode, role)?;
    let Some((payload_bytes, rest)) = read_length(second & !MASKED, rest)? else {
        return Ok(None);
    };
    let (mask, rest) = match role {
        Role::Client => (None, rest),
        Role::Server => {
            let Some((mask, rest)) = rest.split_first_chunk::<4>() else {
                return Ok(None);
            };
            (Some(*mask), rest)
        }
    };
    let header_bytes = bytes.len() - rest.len();
    Ok(Some(Header { part, opcode, coding, mask, payload_bytes, header_bytes }))
}

fn read_first(first: u8, extension: Extension) -> Result<(Part, Opcode, Coding), Violation> {
    let meaningless = match extension {
        Extension::None => 0x70,
        Extension::Deflate => 0x30,
    };
    if first & meaningless != 0 {
        return Err(Violation::ReservedBits);
    }
    let coding = if first & DEFLATED == 0 { Coding::Plain } else { Coding::Deflated };
    let number = first & 0x0F;
    let opcode = Opcode::from_number(number).ok_or(Violation::UnknownOpcode(number))?;
    let part = if first & FIN == 0 { Part::More } else { Part::Last };
    if part == Part::More && matches!(opcode, Opcode::Control(_)) {
        return Err(Violation::FragmentedControl);
    }
    if coding == Coding::Deflated && !matches!(opcode, Opcode::Message(_)) {
        return Err(Violation::DeflatedBit);
    }
    Ok((part, opcode, coding))
}

fn read_second(second: u8, opcode: Opcode, role: Role) -> Result<(), Violation> {
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(Violation::UnmaskedFrame),
        (Role::Client, true) => return Err(Violation::MaskedFrame),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    if matches!(opcode, Opcode::Control(_)) && usize::from(second & !MASKED) > CONTROL_BYTES_MAX {
        return Err(Violation::ControlTooLong);
    }
    Ok(())
}

/// The length and what follows it; the shortest of the three forms is the only one allowed.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    match short {
        LENGTH_16 => {
            let Some((length, rest)) = rest.split_first_chunk::<2>() else {
                return Ok(None);
            };
            let length = u16::from_be_bytes(*length);
            if length < u16::from(LENGTH_16) {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((u64::from(length), rest)))
        }
        LENGTH_64 => {
            if rest.first().is_some_and(|first| first & 0x80 != 0) {
                return Err(Violation::LengthHighBit);
            }
            let Some((length, rest)) = rest.split_first_chunk::<8>() else {
                return Ok(None);
            };
            let length = u64::from_be_bytes(*length);
            if length <= u64::from(u16::MAX) {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((length, rest)))
        }
        short => Ok(Some((u64::from(short), rest))),
    }
}

/// Masks or unmasks `data` in place, eight bytes at a time (RFC 6455 section 5.3).
///
/// `mask` starts at the first byte of `data`; in the middle of a frame [`turn_mask`] makes it so.
pub(super) fn apply_mask(data: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = data.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The mask as it applies after `bytes` bytes of the payload.
pub(super) fn turn_mask(mut mask: [u8; 4], bytes: usize) -> [u8; 4] {
    mask.rotate_left(bytes % 4);
    mask
}

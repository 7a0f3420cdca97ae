//! Frames sent deflated (RFC 7692 section 7.2.1): a whole frame becomes another one.

use super::encoder::header;
use super::frame::{DEFLATED, Extension, Opcode, Part, Role, read_header};
use crate::deflate::{Deflater, FLUSHED};

/// Bytes of a message below which deflating it is not worth the while: of JSON this long about a
/// third goes, in several times as long as publishing it takes.
pub const DEFLATED_BYTES_MIN: usize = 256;

/// The deflated form of a server's frame that holds a whole message. None if the frame is to be sent
/// as it is: it is short, or would not get shorter.
#[must_use]
pub fn deflate_frame(deflater: &mut Deflater, frame: &[u8]) -> Option<Vec<u8>> {
    let head = read_header(frame, Role::Client, Extension::None).ok()??;
    let (Opcode::Message(kind), Part::Last) = (head.opcode, head.part) else {
        return None;
    };
    let payload = frame.get(head.header_bytes..)?;
    if payload.len() < DEFLATED_BYTES_MIN {
        return None;
    }
    let mut out = vec![0; HEAD_ROOM];
    deflater.append(&mut out, payload)?;
    // The receiver knows what every message ends with, and adds it (section 7.2.2).
    out.truncate(out.len().checked_sub(FLUSHED.len())?);
    let head = header(kind, out.len().checked_sub(HEAD_ROOM)?);
    let start = HEAD_ROOM.checked_sub(head.as_ref().len())?;
    out.get_mut(start..HEAD_ROOM)?.copy_from_slice(head.as_ref());
    *out.get_mut(start)? |= DEFLATED;
    let deflated = out.split_off(start);
    (deflated.len() < frame.len()).then_some(deflated)
}

/// Bytes of the longest head of a server's frame.
const HEAD_ROOM: usize = 10;

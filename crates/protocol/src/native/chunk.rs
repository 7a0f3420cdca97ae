//! HTTP/1.1 chunks (RFC 9112 §7.1) around parts of a stream's body.

/// How the parts of a stream's body are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Each part is a chunk: HTTP/1.1.
    Chunked,
    /// As it is: HTTP/1.0, and whoever frames by itself.
    Bare,
}

/// The last chunk, which ends a body cleanly.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends one part of a body in its framing. An empty part appends nothing, because an empty
/// chunk would end the body.
pub fn append_part(out: &mut Vec<u8>, part: &[u8], framing: Framing) {
    if part.is_empty() {
        return;
    }
    if framing == Framing::Chunked {
        append_chunk_head(out, part.len());
    }
    out.extend_from_slice(part);
    if framing == Framing::Chunked {
        out.extend_from_slice(CHUNK_END);
    }
}

/// Appends the line in front of a chunk of this many bytes.
pub(crate) fn append_chunk_head(out: &mut Vec<u8>, bytes: usize) {
    let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (bytes >> (place * 4)) & 0xf;
        out.push(*HEX.get(digit).unwrap_or(&b'0'));
    }
    out.extend_from_slice(CHUNK_END);
}

/// What stands behind a chunk's size and behind its bytes.
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::{Framing, append_part};

    #[test]
    fn a_chunk_tells_its_size_in_hexadecimal() {
        for bytes in [1, 9, 10, 15, 16, 255, 256, 65_535, 1 << 20] {
            let part = vec![b'x'; bytes];
            let mut out = Vec::new();
            append_part(&mut out, &part, Framing::Chunked);
            let head = format!("{bytes:x}\r\n");
            assert!(out.starts_with(head.as_bytes()));
            assert!(out.ends_with(b"x\r\n"));
            assert_eq!(out.len(), head.len() + bytes + 2);
        }
    }

    #[test]
    fn an_empty_part_does_not_end_the_body() {
        for framing in [Framing::Chunked, Framing::Bare] {
            let mut out = Vec::new();
            append_part(&mut out, b"", framing);
            assert!(out.is_empty());
        }
    }
}

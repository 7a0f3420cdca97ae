//! Finding a byte, many at once: payloads are mostly bytes that mean nothing to a codec.

/// The place of the first byte that `wanted` holds for. A chunk without one is passed over in a
/// few instructions, because its comparisons do not wait for each other.
pub(crate) fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<CHUNK_BYTES>();
    let mut begun = 0;
    for chunk in chunks {
        if chunk.iter().fold(false, |found, byte| found | wanted(*byte)) {
            return chunk.iter().position(|byte| wanted(*byte)).map(|at| begun + at);
        }
        begun += CHUNK_BYTES;
    }
    rest.iter().position(|byte| wanted(*byte)).map(|at| begun + at)
}

/// Whether a byte cannot stand for itself in a JSON string (RFC 8259 §7).
pub(crate) fn ends_string(byte: u8) -> bool {
    // Without branches, so that many are compared at once.
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

const CHUNK_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn every_place_is_found() {
        for length in 0..100 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(position(&bytes, |byte| byte == b'x'), None);
            for at in (0..length).rev() {
                bytes[at] = b'x';
                assert_eq!(position(&bytes, |byte| byte == b'x'), Some(at), "of {length}");
            }
        }
    }
}

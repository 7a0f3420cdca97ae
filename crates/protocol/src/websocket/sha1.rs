//! SHA-1 (FIPS 180-4), which the opening handshake is sealed with (RFC 6455 section 1.3).
//!
//! It proves to a client that a WebSocket server has read its request, and keeps no secret: what is
//! known of SHA-1's weakness does not matter here.

/// The digest of `data`.
pub(super) fn digest(data: &[u8]) -> [u8; 20] {
    let mut state = START;
    let (blocks, rest) = data.as_chunks::<64>();
    for block in blocks {
        mix(&mut state, block);
    }
    let mut tail = [0; 128];
    for (place, byte) in tail.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *place = *byte;
    }
    // The length stands at the end of a block, in the next one if there is no room for it.
    let tail_bytes = if rest.len() < 56 { 64 } else { 128 };
    let bits = (data.len() as u64).wrapping_mul(8).to_be_bytes();
    for (place, byte) in tail.iter_mut().take(tail_bytes).rev().zip(bits.iter().rev()) {
        *place = *byte;
    }
    let (blocks, _) = tail.as_chunks::<64>();
    for block in blocks.iter().take(tail_bytes / 64) {
        mix(&mut state, block);
    }
    let mut digest = [0; 20];
    for (place, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    digest
}

fn mix(state: &mut [u32; 5], block: &[u8; 64]) {
    // The last sixteen words of the schedule, oldest first.
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for round in 0..80 {
        let (chosen, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let [word, _, third, .., ninth, _, _, _, _, fourteenth, _, _] = words;
        let next = a
            .rotate_left(5)
            .wrapping_add(chosen)
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(word);
        words.rotate_left(1);
        words[15] = (fourteenth ^ ninth ^ third ^ word).rotate_left(1);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(more);
    }
}

const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

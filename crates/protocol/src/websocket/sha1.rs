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
    // Every word of the schedule has its place, so that the rounds below move none.
    let mut words = [0; 80];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..80 {
        words[at] =
            (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
    }
    let [first, second, third, fourth] =
        [&words[..20], &words[20..40], &words[40..60], &words[60..]];
    let mut mixed = *state;
    rounds(&mut mixed, first, 0x5a82_7999, |b, c, d| (b & c) | (!b & d));
    rounds(&mut mixed, second, 0x6ed9_eba1, |b, c, d| b ^ c ^ d);
    rounds(&mut mixed, third, 0x8f1b_bcdc, |b, c, d| (b & c) | (b & d) | (c & d));
    rounds(&mut mixed, fourth, 0xca62_c1d6, |b, c, d| b ^ c ^ d);
    for (word, more) in state.iter_mut().zip(mixed) {
        *word = word.wrapping_add(more);
    }
}

#[inline(always)]
fn rounds(
    state: &mut [u32; 5],
    words: &[u32],
    constant: u32,
    choose: impl Fn(u32, u32, u32) -> u32,
) {
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for word in words {
        let next = a
            .rotate_left(5)
            .wrapping_add(choose(b, c, d))
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    *state = [a, b, c, d, e];
}

const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

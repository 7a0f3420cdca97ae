//! SHA-1 against the standard's examples and against tungstenite's accept value.

use proptest::prelude::*;

use super::super::handshake::accept_of;
use super::super::sha1::digest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_examples_of_the_standard() {
    // FIPS 180, and RFC 3174 section 7.3.
    for (text, repeated, expected) in [
        ("", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            1,
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        ),
        ("a", 1_000_000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        (
            "0123456701234567012345670123456701234567012345670123456701234567",
            10,
            "dea356a2cddd90c7a7ecedc5ebb563934f460452",
        ),
    ] {
        assert_eq!(hex(&digest(text.repeat(repeated).as_bytes())), expected, "{text}");
    }
}

#[test]
fn lengths_around_the_end_of_a_block() {
    // The length does not fit behind 56 bytes of a block any more.
    for (bytes, expected) in [
        (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
        (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
        (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (65, "11655326c708d70319be2610e8a57d9a5b959d3b"),
    ] {
        assert_eq!(hex(&digest(&vec![b'a'; bytes])), expected, "{bytes}");
    }
}

proptest! {
    #[test]
    fn every_key_is_answered_as_tungstenite_answers_it(nonce in any::<[u8; 16]>()) {
        use base64::Engine as _;
        let key = base64::engine::general_purpose::STANDARD.encode(nonce);
        let accept = accept_of(key.as_bytes()).unwrap();
        let expected = tungstenite::handshake::derive_accept_key(key.as_bytes());
        prop_assert_eq!(str::from_utf8(&accept).unwrap(), expected);
    }
}

//! Marks are found wherever they stand, in pieces of any size.

use super::{BYTES, Mark, Scanner};

const PAYLOAD_BYTES: usize = 64;

fn frames(count: u32) -> (Vec<u8>, Vec<Mark>) {
    let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n#se#seq=nothing\n".to_vec();
    let marks: Vec<_> = (0..count)
        .map(|number| Mark { channel: 7 + number, number, nanos: 1_000_000 * u64::from(number) })
        .collect();
    for mark in &marks {
        bytes.extend_from_slice(b"data: ");
        mark.write(&mut bytes, PAYLOAD_BYTES);
        bytes.extend_from_slice(b"\nid: ~#abc\n\n");
    }
    (bytes, marks)
}

fn found(bytes: &[u8], piece: usize) -> Vec<Mark> {
    let mut scanner = Scanner::default();
    let mut found = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while let Some(mark) = scanner.next(&mut piece, PAYLOAD_BYTES) {
            found.push(mark);
        }
    }
    found
}

#[test]
fn every_mark_is_found_in_pieces_of_any_size() {
    let (bytes, marks) = frames(20);
    for piece in [1, 2, 3, 7, 28, 64, 65, 1_000, 100_000] {
        assert_eq!(found(&bytes, piece), marks, "in pieces of {piece}");
    }
}

#[test]
fn a_payload_has_the_size_that_was_asked_for_but_holds_a_mark_at_least() {
    let mark = Mark { channel: 0xffff, number: 0x0fff_ffff, nanos: (1 << 48) - 1 };
    for (asked, made) in [(0, BYTES), (32, 32), (1_000, 1_000)] {
        let mut out = Vec::new();
        mark.write(&mut out, asked);
        assert_eq!(out.len(), made);
        assert_eq!(found(&out, 5), [mark]);
    }
}

//! Bodies of every kind, in pieces of any size.

use super::{Body, Head, Piece, TEXT, put_frame};

/// What a body says, its data joined between two other pieces.
fn said(body: &mut Body, bytes: &[u8], piece: usize) -> Vec<String> {
    let mut said = vec![String::new()];
    for mut piece in bytes.chunks(piece) {
        while let Some(piece) = body.next(&mut piece).unwrap() {
            let other = match piece {
                Piece::Data(data) => {
                    said.last_mut().unwrap().push_str(std::str::from_utf8(data).unwrap());
                    continue;
                }
                Piece::MessageEnd => "end of message".to_owned(),
                Piece::Ping(data) => format!("ping {}", String::from_utf8(data).unwrap()),
                Piece::Close(data) => format!("close {data:?}"),
                Piece::End => "end".to_owned(),
            };
            said.push(other);
            said.push(String::new());
        }
    }
    said.retain(|one| !one.is_empty());
    said
}

fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn a_head_is_taken_wherever_it_is_cut() {
    let text = b"HTTP/1.1 200 OK\r\nFanfare-Cursor: ~abc\r\nTransfer-Encoding: chunked\r\n\r\nrest";
    for cut in 1..text.len() - 4 {
        let mut had = Vec::new();
        let whole = Head::take(&mut had, &text[..cut]).unwrap();
        assert!(whole.is_none(), "{cut}");
        let (head, taken) = Head::take(&mut had, &text[cut..]).unwrap().unwrap();
        assert_eq!(&text[cut + taken..], b"rest");
        assert_eq!(head.status, 200);
        assert_eq!(head.header("fanfare-cursor"), Some("~abc"));
        assert!(matches!(head.body(), Body::Chunked(_)));
    }
}

#[test]
fn a_head_that_does_not_end_or_is_no_http_is_an_error() {
    assert!(Head::take(&mut Vec::new(), &[b'x'; 20_000]).is_err());
    assert!(Head::take(&mut Vec::new(), b"SSH-2.0-x\r\n\r\n").is_err());
}

#[test]
fn chunks_of_any_size_are_put_together() {
    let bytes = b"5\r\nHello\r\n1;x=y\r\n,\r\n00a\r\n0123456789\r\n0\r\nA: b\r\n\r\n";
    for piece in 1..bytes.len() {
        let mut body = Body::Chunked(super::Chunk::Size(0));
        assert_eq!(said(&mut body, bytes, piece), ["Hello,0123456789", "end"], "{piece}");
    }
    let mut body = Body::Chunked(super::Chunk::Size(0));
    assert!(body.next(&mut b"zz\r\n".as_slice()).is_err());
}

#[test]
fn a_body_with_a_length_ends_there() {
    let mut body = Body::Length(5);
    let mut bytes = b"Hello, you".as_slice();
    assert_eq!(body.next(&mut bytes).unwrap(), Some(Piece::Data(b"Hello")));
    assert_eq!(body.next(&mut bytes).unwrap(), Some(Piece::End));
    assert_eq!(bytes, b", you");
}

#[test]
fn frames_are_put_together_with_controls_in_between() {
    let long = "y".repeat(300);
    let huge = "z".repeat(70_000);
    let mut bytes = server_frame(0x01, b"Hel");
    bytes.extend(server_frame(0x89, b"still there?"));
    bytes.extend(server_frame(0x80, b"lo"));
    bytes.extend(server_frame(0x82, b""));
    bytes.extend(server_frame(0x81, long.as_bytes()));
    bytes.extend(server_frame(0x81, huge.as_bytes()));
    bytes.extend(server_frame(0x88, &[3, 232]));
    let wanted = [
        "Hel",
        "ping still there?",
        "lo",
        "end of message",
        "end of message",
        &long,
        "end of message",
        &huge,
        "end of message",
        "close [3, 232]",
    ];
    for piece in [1, 2, 3, 5, 64, 1_000, 100_000] {
        assert_eq!(said(&mut Body::Socket(super::Socket::default()), &bytes, piece), wanted);
    }
}

#[test]
fn a_masked_frame_of_a_server_is_an_error() {
    let mut frame = Vec::new();
    put_frame(&mut frame, TEXT, b"Hello");
    assert!(Body::Socket(super::Socket::default()).next(&mut frame.as_slice()).is_err());
}

#[test]
fn a_clients_frame_is_masked_and_says_its_length() {
    for length in [0_usize, 125, 126, 65_535, 65_536] {
        let mut frame = Vec::new();
        put_frame(&mut frame, TEXT, &vec![b'a'; length]);
        let head = match length {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        assert_eq!(frame.len(), head + 4 + length);
        let mask = frame[head..head + 4].to_vec();
        let clear = frame[head + 4..].iter().zip(mask.iter().cycle()).all(|(a, b)| a ^ b == b'a');
        assert!(clear, "{length}");
    }
}

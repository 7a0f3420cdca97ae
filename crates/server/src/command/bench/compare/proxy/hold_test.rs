//! What a proxy that holds answers back lets through, and when.

use std::time::Duration;

use super::{Hold, Holding};

fn holding(bytes: usize) -> Holding {
    Holding::new(Hold { bytes, time: Duration::from_secs(60) })
}

#[test]
fn an_answer_that_is_whole_is_not_held() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let mut holding = holding(4_096);
        let (last, most) = answer.as_bytes().split_last().unwrap();
        assert!(holding.take(most).is_empty(), "{answer}");
        assert_eq!(holding.take(&[*last]), answer.as_bytes(), "{answer}");
        assert_eq!(holding.until(), None);
        // The next answer on the same connection is held again.
        assert!(holding.take(b"HTTP/1.1 200 OK\r\n").is_empty(), "{answer}");
    }
}

#[test]
fn a_stream_is_held_until_so_much_has_come() {
    let mut holding = holding(100);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(holding.take(head).is_empty());
    assert!(holding.until().is_some());
    assert!(holding.take(b"5\r\n: hb\n\r\n").is_empty());
    let event = format!("3c\r\n{}\r\n", "x".repeat(60));
    assert_eq!(holding.take(event.as_bytes()).len(), head.len() + 10 + event.len());
    assert!(holding.take(b"5\r\n: hb\n\r\n").is_empty());
    assert_eq!(holding.release(), b"5\r\n: hb\n\r\n");
}

#[test]
fn a_websocket_and_what_is_no_http_pass() {
    let mut upgraded = holding(4_096);
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(upgraded.take(answer), answer);
    assert_eq!(upgraded.take(b"\x81\x02hi"), b"\x81\x02hi");
    let mut other = holding(4_096);
    assert_eq!(other.take(b"220 mail\r\n\r\n"), b"220 mail\r\n\r\n");
}

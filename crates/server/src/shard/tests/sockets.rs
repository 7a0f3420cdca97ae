//! WebSockets.

use fanfare_protocol::websocket::{Event, Frame};

use super::client::Client;
use super::{Running, Wishes};

#[test]
fn raw_sockets_hear_each_other_and_themselves() {
    let running = Running::start(&Wishes::default());
    let mut first = Client::connect(running.address);
    let head = first.upgrade("/c/room", None);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(head.contains("Fanfare-Cursor: ~"), "{head}");
    let mut second = Client::connect(running.address);
    second.upgrade("/c/room?echo=0", Some("fanfare.raw"));
    first.say("hello");
    assert_eq!(first.text(), "hello");
    assert_eq!(second.text(), "hello");
    second.say("quiet").say("ping");
    assert_eq!(first.text(), "quiet");
    assert_eq!(second.text(), "pong", "its own message does not come back");
    second.frame(&Frame::Ping(b"abc"));
    assert_eq!(second.event(), Event::Pong("abc".into()));
    second.frame(&Frame::Close(None));
    assert_eq!(second.closed().0, 1005);
}

#[test]
fn commands_are_answered_in_order() {
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    let head = client.upgrade("/c/a", Some("other, fanfare.v1"));
    assert!(head.contains("Sec-WebSocket-Protocol: fanfare.v1"), "{head}");
    let open = client.text();
    assert!(open.contains("\"type\":\"open\""), "{open}");
    client
        .say(r#"{"id":1,"type":"subscribe","channel":"b"}"#)
        .say(r#"{"id":2,"type":"publish","channel":"b","data":"hi"}"#)
        .say(r#"{"id":3,"type":"subscribe","channel":"b"}"#)
        .say(r#"{"id":4,"type":"ping"}"#)
        .say("nonsense")
        .say(r#"{"id":5,"type":"history","channel":"b","since":"all"}"#)
        .say(r#"{"id":6,"type":"unsubscribe","channel":"b"}"#);
    let mut replies = Vec::new();
    let mut messages = 0;
    while replies.len() < 7 {
        let text = client.text();
        if text.contains("\"type\":\"message\"") && !text.contains("\"id\":") {
            assert!(!replies.is_empty(), "no message overtakes its ok");
            messages += 1;
        } else {
            replies.push(text);
        }
    }
    assert_eq!(messages, 1);
    for (reply, wanted) in replies.iter().zip([
        "\"id\":1,\"type\":\"ok\"",
        "\"id\":2,\"type\":\"ok\"",
        "\"id\":3,\"type\":\"error\",\"code\":\"already-subscribed\"",
        "\"id\":4,\"type\":\"ok\"",
        "\"id\":null,\"type\":\"error\"",
        "\"id\":5,\"type\":\"ok\"",
        "\"id\":6,\"type\":\"ok\"",
    ]) {
        assert!(reply.contains(wanted), "{wanted}: {reply}");
    }
    client.frame(&Frame::Message {
        kind: fanfare_protocol::websocket::MessageKind::Binary,
        payload: b"x",
    });
    assert_eq!(client.closed().0, 1003);
}

#[test]
fn an_unreadable_since_is_told_after_the_handshake() {
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    let head = client.upgrade("/c/a?since=nonsense", None);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let (code, reason) = client.closed();
    assert_eq!(code, 4002, "{reason}");
    client.frame(&Frame::Close(None));
    assert!(!client.rest().1);
}

#[test]
fn frames_that_came_with_the_handshake_are_not_lost() {
    let running = Running::start(&Wishes::default());
    for channel in ["a", "b", "c", "d"] {
        let mut client = Client::connect(running.address);
        let mut bytes = format!(
            "GET /c/{channel} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes();
        for payload in [b"one", b"two"] {
            let kind = fanfare_protocol::websocket::MessageKind::Text;
            let frame = Frame::Message { kind, payload };
            fanfare_protocol::websocket::append_frame(&mut bytes, &frame, Some([1; 4]));
        }
        client.send(&bytes).expect("\r\n\r\n");
        assert_eq!(client.text(), "one");
        assert_eq!(client.text(), "two");
    }
}

#[test]
fn pinging_without_reading_is_not_listened_to_for_ever() {
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    client.upgrade("/c/a", None);
    client.socket.set_nonblocking(true).unwrap();
    let mut frames = Vec::new();
    for _ in 0..1_000 {
        let frame = Frame::Ping(&[7; 125]);
        fanfare_protocol::websocket::append_frame(&mut frames, &frame, Some([1; 4]));
    }
    let mut sent = 0_usize;
    let mut refused = 0;
    while refused < 100 {
        match std::io::Write::write(&mut client.socket, &frames[sent % frames.len()..]) {
            Ok(bytes) => {
                sent += bytes;
                refused = 0;
            }
            Err(_) => {
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        assert!(sent < 256 << 20, "{sent} bytes were taken in from a client that reads nothing");
    }
    // What it asked is answered when it listens at last.
    client.socket.set_nonblocking(false).unwrap();
    for _ in 0..1_000 {
        assert_eq!(client.event(), Event::Pong(vec![7; 125].into()));
    }
}

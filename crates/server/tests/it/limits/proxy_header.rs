//! The PROXY protocol on the wire: version 2 is taken in any pieces, everything else is told what is
//! wanted.

use crate::cli::run::Folder;
use crate::proxied;
use crate::server::Server;
use crate::wire::{body, frame};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header that names a client at 192.0.2.`place`.
fn from(place: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, place, 10, 0, 0, 1, 0x12, 0x67, 0x20, 0x6c];
    [SIGNATURE, &[0x21, 0x11, 0, 12], &addresses].concat()
}

fn started(trusted: &str) -> (Server, Folder) {
    proxied::configured(&format!(
        "[proxies]\nprotocol = \"v2\"\ntrusted = [\"{trusted}\"]\n\
         [limits]\nconnections_per_address_max = 1\nrequest_head_timeout = \"2s\"\n"
    ))
}

#[test]
fn requests_and_readers_follow_the_header_and_count_for_who_it_names() {
    let (server, _file) = started("127.0.0.1");
    let ask = |place, request: &str| {
        let mut wire = server.connect();
        let request = format!("{request}Host: localhost\r\n");
        wire.send([from(place), request.into_bytes()].concat());
        wire
    };
    let stream = "GET /c/a HTTP/1.1\r\nAccept: text/event-stream\r\n";
    let mut reader = ask(1, stream);
    reader.send("\r\n");
    reader.until("fanfare.open");
    assert!(server.line_with("a reader comes").contains("192.0.2.1"));
    let mut again = ask(1, stream);
    again.send("\r\n");
    let (told, _) = again.end();
    assert!(told.contains("too-many-connections"), "{told}");
    let mut other = ask(2, stream);
    other.send("\r\n");
    other.until("fanfare.open");
    // A publish on the shard, and one on the edge, on one connection.
    let mut publisher = ask(1, "POST /c/a HTTP/1.1\r\nContent-Length: 1\r\n");
    publisher.send("\r\nx");
    assert!(publisher.answer().starts_with("HTTP/1.1 200 "));
    assert!(publisher.post_chunked("a", "y").starts_with("HTTP/1.1 200 "));
    reader.until("data: y");
    // In pieces of a byte, with more behind it.
    let mut socket = server.connect();
    for byte in from(3) {
        socket.send([byte]);
    }
    socket.open_websocket("/c/b", &[]);
    socket.send(frame(0x81, b"hi"));
    assert_eq!(socket.frame(), (0x81, b"hi".to_vec()));
}

#[test]
fn a_proxy_may_look_whether_anyone_is_here() {
    let (server, _file) = started("127.0.0.1");
    let mut wire = server.connect();
    wire.send([SIGNATURE, &[0x20, 0x00, 0, 0]].concat());
    wire.ask("GET /health HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_no_header_is_told_what_is_wanted() {
    let (server, _file) = started("127.0.0.1");
    for (sent, why) in [
        (&b"GET /c/a HTTP/1.1\r\nHost: a\r\n\r\n"[..], "does not begin with a PROXY header"),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n", "version 1"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "too long"),
        (b"\x16\x03\x01\x02\x00\x01", "does not begin with a PROXY header"),
    ] {
        let mut wire = server.connect();
        wire.send(sent);
        let (answer, _) = wire.end();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(body(&answer).contains(why), "{why}: {answer}");
        assert!(body(&answer).contains("proxy-refused"), "{answer}");
    }
    // Who says nothing is not waited for.
    let (told, _) = server.connect().end();
    assert_eq!(told, "");
    let mut wire = server.connect();
    wire.send(&SIGNATURE[..5]);
    assert_eq!(wire.end().0, "");
}

#[test]
fn nobody_is_believed_who_is_not_named() {
    let (server, _file) = started("192.0.2.0/24");
    let mut wire = server.connect();
    wire.send(from(1));
    let (answer, _) = wire.end();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(body(&answer).contains("proxies.trusted"), "{answer}");
}

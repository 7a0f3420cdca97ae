//! How TLS connections end, and who never gets so far.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Secure;
use crate::wire::{End, Wire, frame};

/// A connection in clear to the port with TLS.
fn bare(secure: &Secure) -> TcpStream {
    let socket = TcpStream::connect(&secure.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

#[test]
fn plain_http_on_a_tls_port_and_tls_on_a_plain_port_are_told_what_is_wrong() {
    let secure = Secure::start(&[]);
    for request in ["GET /c/news HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST"] {
        let mut socket = bare(&secure);
        socket.write_all(request.as_bytes()).unwrap();
        let mut told = String::new();
        socket.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
        assert!(told.contains("\"code\":\"request-malformed\""), "{told}");
        assert!(told.contains("https://"), "{told}");
    }
    assert_eq!(secure.figure("fanfare_tls_failures_total{reason=\"plain-http\"}"), 2);

    let mut socket = TcpStream::connect(secure.server.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(b"\x16\x03\x01\x00\xc0\x01\x00\x00\xbc\x03\x03").unwrap();
    let mut told = String::new();
    socket.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("http://"), "{told}");
}

#[test]
fn who_is_answered_last_is_told_that_nothing_more_comes() {
    let secure = Secure::start(&[]);
    for edge in [false, true] {
        for mut wire in secure.each() {
            if edge {
                wire.post_chunked("last", "x");
                wire.ask("GET /c/last/history HTTP/1.1", &["Connection: close"]);
            } else {
                wire.ask("POST /c/last HTTP/1.1", &["Connection: close", "Content-Length: 1"]);
                wire.send("x");
            }
            assert!(wire.answer().starts_with("HTTP/1.1 200 "));
            assert_eq!(wire.end(), (String::new(), End::Closed), "{edge}");
        }
    }
}

#[test]
fn a_client_that_says_it_is_done_is_let_go() {
    let secure = Secure::start(&[]);
    let mut probe = secure.server.connect();
    for edge in [false, true] {
        for mut wire in secure.each() {
            if edge {
                wire.post_chunked("gone", "x");
            }
            wire.ask("GET /c/gone HTTP/1.1", &["Accept: text/event-stream"]);
            wire.until("event: fanfare.open\n");
            probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 1);
            wire.say_no_more();
            probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 0);
        }
    }
    // The same by a FIN alone, as browsers do.
    for mut wire in secure.each() {
        wire.ask("GET /c/gone HTTP/1.1", &["Accept: text/event-stream"]);
        wire.until("event: fanfare.open\n");
        probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 1);
        drop(wire);
        probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 0);
    }
}

#[test]
fn a_websocket_ends_with_its_close_frames_and_then_in_tls() {
    let secure = Secure::start(&[]);
    for mut wire in secure.each() {
        wire.open_websocket("/c/closing", &[]);
        wire.send(frame(0x88, &1000_u16.to_be_bytes()));
        assert_eq!(wire.frame().0, 0x88);
        assert_eq!(wire.end(), (String::new(), End::Closed));
    }
}

#[test]
fn a_drain_is_told_in_tls_as_it_is_in_clear() {
    let mut secure = Secure::start(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let mut streams: Vec<Wire> = secure.each().chain(secure.each()).collect();
    for (place, wire) in streams.iter_mut().enumerate() {
        if place >= 2 {
            wire.post_chunked("drain", "x");
        }
        wire.ask("GET /c/drain HTTP/1.1", &["Accept: text/event-stream"]);
        wire.until("event: fanfare.open\n");
    }
    let mut socket = secure.connect();
    socket.open_websocket("/c/drain", &[]);
    secure.server.terminate();
    for wire in &mut streams {
        let (told, _) = wire.end();
        assert!(told.contains("retry: "), "{told}");
        assert!(!told.ends_with("0\r\n\r\n"), "a regular end would be final: {told}");
    }
    let (first, reason) = socket.frame();
    assert_eq!((first, &reason[..2]), (0x88, &1012_u16.to_be_bytes()[..]), "{reason:?}");
    socket.send(frame(0x88, &1012_u16.to_be_bytes()));
    socket.end();
    assert_eq!(secure.server.exit_code(), Some(0));
}

#[test]
fn who_does_not_finish_the_handshake_is_counted_and_let_go() {
    let secure = Secure::start(&[("FANFARE_LIMITS__REQUEST_HEAD_TIMEOUT", "1s")]);
    let mut probe = secure.server.connect();
    let mut silent = bare(&secure);
    let mut half = bare(&secure);
    half.write_all(b"\x16\x03\x01\x00\xc0\x01\x00\x00\xbc\x03\x03").unwrap();
    probe.wait_for_figure("fanfare_handshakes_pending", 2);
    let began = Instant::now();
    for socket in [&mut silent, &mut half] {
        let mut told = Vec::new();
        // A reset says as much as an end.
        let _ended = socket.read_to_end(&mut told);
        assert_eq!(told, b"");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    probe.wait_for_figure("fanfare_handshakes_pending", 0);
    probe.wait_for_figure("fanfare_connections_open", 1);
}

#[test]
fn who_is_over_the_limit_is_closed_on_and_nobody_else_is() {
    let secure = Secure::start(&[("FANFARE_LIMITS__CONNECTIONS_MAX", "3")]);
    let mut kept = secure.connect();
    kept.open_websocket("/c/full", &[]);
    let mut idle = bare(&secure);
    let mut probe = secure.server.connect();
    probe.wait_for_figure("fanfare_connections_open", 3);
    let mut over = bare(&secure);
    let mut told = Vec::new();
    // A reset says as much as an end.
    let _ended = over.read_to_end(&mut told);
    assert_eq!(told, b"");
    kept.send(frame(0x81, b"still"));
    assert_eq!(kept.frame(), (0x81, b"still".to_vec()));
    idle.write_all(b"\x16").unwrap();
}

#[test]
fn renegotiation_is_refused() {
    let secure = Secure::start(&[]);
    let client = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &secure.address, "-CAfile"])
        .arg(secure.authority.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut client) = client else {
        println!("renegotiation was not tried: there is no openssl here");
        return;
    };
    let mut input = client.stdin.take().unwrap();
    // A line of a single R asks for it.
    input.write_all(b"R\n").unwrap();
    let output = client.wait_with_output().unwrap();
    drop(input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no renegotiation"), "{said}");
    assert!(secure.connect().post_chunked("after", "x").starts_with("HTTP/1.1 200 "));
}

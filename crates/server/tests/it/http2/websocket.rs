//! WebSockets over HTTP/2 (RFC 8441): the same sessions as over HTTP/1.1.

use bytes::Bytes;

use super::Client;
use super::client::{Answer, Body, End};
use crate::server::Server;
use crate::wire::frame;

const V1: [(&str, &str); 1] = [("sec-websocket-protocol", "fanfare.v1")];

fn opened(answer: Answer) -> Body {
    assert_eq!(answer.status.as_u16(), 200, "{:?}", answer.headers);
    for name in ["connection", "upgrade", "sec-websocket-accept"] {
        assert_eq!(answer.header(name), None, "{name} is none of HTTP/2");
    }
    answer.body
}

fn text(body: &mut Body) -> String {
    let (head, payload) = body.frame();
    assert_eq!(head, 0x81, "{payload:?}");
    String::from_utf8(payload).unwrap()
}

#[test]
fn payloads_go_both_ways_raw() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    client.post("/c/news", b"before");
    let mut socket = opened(client.websocket("/c/news?since=all", &[]));
    assert_eq!(text(&mut socket), "before");
    socket.say(&frame(0x81, b"from here"));
    assert_eq!(text(&mut socket), "from here");
    socket.say(&frame(0x82, &[0, 255]));
    assert_eq!(socket.frame(), (0x82, vec![0, 255]));
    socket.say(&frame(0x81, b"ping"));
    assert_eq!(text(&mut socket), "pong");
    socket.say(&frame(0x89, b"are you there"));
    assert_eq!(socket.frame(), (0x8a, b"are you there".to_vec()));
    client.post("/c/news", b"from elsewhere");
    assert_eq!(text(&mut socket), "from elsewhere");
    socket.say(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(socket.frame(), (0x88, 1000_u16.to_be_bytes().to_vec()));
    assert_eq!(socket.end(), (String::new(), End::Closed));
    server.connect().wait_for_figure("fanfare_connections{transport=\"websocket\"}", 0);
}

#[test]
fn commands_are_answered_in_fanfare_v1() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let offers = [("sec-websocket-protocol", "bearer.x, fanfare.v1, fanfare.raw")];
    let answer = client.websocket("/c/news", &offers);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("fanfare.v1"));
    assert!(answer.header("fanfare-cursor").is_some());
    let mut socket = opened(answer);
    assert!(text(&mut socket).contains("\"type\":\"open\""));
    let commands = [
        ("{\"id\":1,\"type\":\"subscribe\",\"channel\":\"more\"}", "\"id\":1,\"type\":\"ok\""),
        (
            "{\"id\":2,\"type\":\"publish\",\"channel\":\"more\",\"data\":\"x\"}",
            "\"type\":\"message\"",
        ),
        ("{\"id\":3,\"type\":\"ping\"}", "\"id\":2,\"type\":\"ok\""),
    ];
    // All at once: a command waits for the one before it.
    let all: Vec<u8> =
        commands.iter().flat_map(|(command, _)| frame(0x81, command.as_bytes())).collect();
    socket.say(&all);
    let told: Vec<_> = (0..4).map(|_| text(&mut socket)).collect();
    for (_, wanted) in commands {
        assert!(told.iter().any(|told| told.contains(wanted)), "{wanted} in {told:?}");
    }
    assert!(told.iter().any(|told| told.contains("\"id\":3")), "{told:?}");
    socket.say(&frame(0x82, b"binary"));
    let (head, told) = socket.frame();
    assert_eq!((head, &told[..2]), (0x88, 1003_u16.to_be_bytes().as_slice()));
}

#[test]
fn what_cannot_be_opened_is_refused_or_closed_as_over_http1() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut socket = opened(client.websocket("/c/news?since=never", &V1));
    let (head, told) = socket.frame();
    assert_eq!((head, &told[..2]), (0x88, 4002_u16.to_be_bytes().as_slice()));
    for (protocol, headers, status, code) in [
        ("websocket", &[][..], 426, "websocket-version"),
        ("websocket", &[("sec-websocket-version", "8")], 426, "websocket-version"),
        ("connect-udp", &[("sec-websocket-version", "13")], 400, "handshake-invalid"),
        (
            "websocket",
            &[("sec-websocket-version", "13"), ("sec-websocket-protocol", "mqtt")],
            400,
            "subprotocol-unknown",
        ),
        (
            "websocket",
            &[("sec-websocket-version", "13"), ("origin", "https://elsewhere.example")],
            403,
            "origin-refused",
        ),
    ] {
        let mut answer = client.connect_to(protocol, "/c/news", headers);
        let told = answer.body.whole();
        assert_eq!(answer.status.as_u16(), status, "{protocol} {headers:?}: {told}");
        assert!(told.contains(code), "{protocol} {headers:?}: {told}");
    }
    let mut answer = client.connect_to("websocket", "/nowhere", &[("sec-websocket-version", "13")]);
    assert_eq!(answer.status.as_u16(), 404, "{}", answer.body.whole());
}

#[test]
fn large_messages_pass_and_larger_ones_close() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut socket = opened(client.websocket("/c/news", &[]));
    let large = vec![b'x'; 1 << 20];
    socket.say(&frame(0x81, &large));
    assert_eq!(socket.frame(), (0x81, large.clone()));
    let large = [large.as_slice(), b"x"].concat();
    socket.say(&frame(0x81, &large));
    let (head, told) = socket.frame();
    assert_eq!((head, &told[..2]), (0x88, 1009_u16.to_be_bytes().as_slice()));
}

#[test]
fn deflated_messages_pass() {
    let server = Server::dev(&[("FANFARE_COMPRESSION__WEBSOCKET", "true")]);
    let mut client = Client::connect(&server);
    let offer = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let answer = client.websocket("/c/news", &offer);
    let taken = answer.header("sec-websocket-extensions").unwrap();
    assert!(taken.starts_with("permessage-deflate"), "{taken}");
    let mut socket = opened(answer);
    client.post("/c/news", &[b'x'; 4_000]);
    let (head, payload) = socket.frame();
    assert_eq!(head, 0xc1, "it is compressed");
    assert!(payload.len() < 400);
}

#[test]
fn who_asks_without_reading_is_not_listened_to_for_long() {
    let server = Server::dev(&[]);
    let before = server.resident_bytes();
    let mut client = Client::connect(&server);
    let mut socket = opened(client.websocket("/c/news", &[]));
    let pings = Bytes::from(frame(0x89, &[b'p'; 125]).repeat(500));
    let sent = socket.flood(&pings, 64 << 20);
    assert!(sent < 2 << 20, "the server took {sent} bytes and kept the answers");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
    // Others on the same connection are served.
    assert_eq!(client.get("/health").status.as_u16(), 200);
    let (head, _) = socket.frame();
    assert_eq!(head, 0x8a);
}

#[test]
fn a_slow_reader_is_told_that_it_cannot_go_on() {
    let server = Server::dev(&[("FANFARE_HISTORY__COUNT", "5")]);
    let mut client = Client::connect(&server);
    let mut slow = opened(client.websocket("/c/news", &[]));
    let payload = vec![b'x'; 100_000];
    for _ in 0..40 {
        assert_eq!(client.post("/c/news", &payload).0, 200);
    }
    loop {
        match slow.frame() {
            (0x81, told) => assert_eq!(told.len(), payload.len()),
            (0x88, told) => {
                assert_eq!(&told[..2], 1013_u16.to_be_bytes());
                break;
            }
            (0x89, _) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn both_directions_end_when_the_client_says_no_more() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut socket = opened(client.websocket("/c/news", &[]));
    socket.say_no_more();
    assert_eq!(socket.end().1, End::Closed);
    let socket = opened(client.websocket("/c/news", &[]));
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_connections{transport=\"websocket\"}", 1);
    socket.reset();
    probe.wait_for_figure("fanfare_connections{transport=\"websocket\"}", 0);
    probe.wait_for_figure("fanfare_http2_streams", 0);
}

#[test]
fn fifty_sockets_and_fifty_streams_share_a_connection() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut sockets: Vec<_> = (0..50).map(|_| opened(client.websocket("/c/news", &[]))).collect();
    let mut streams: Vec<_> = (0..50).map(|_| client.events("/c/news")).collect();
    for stream in &mut streams {
        stream.body.until("fanfare.open");
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.say(&frame(0x81, format!("from {number}").as_bytes()));
    }
    for socket in &mut sockets {
        let told: Vec<_> = (0..50).map(|_| text(socket)).collect();
        assert!(told.iter().all(|told| told.starts_with("from ")), "{told:?}");
    }
    for stream in &mut streams {
        for _ in 0..50 {
            stream.body.until("data: from ");
        }
    }
}

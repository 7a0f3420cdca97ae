//! Limits of users, and of addresses over HTTP/2: each reader counts for who reads, on whichever
//! transport, and however many of them share a connection.

use super::{from, is_limited, limited, post};
use crate::http2::Client;
use crate::server::Server;
use crate::token::{SECRET, bearer, serve, token};
use crate::wire::{Wire, body, frame};

const EVENTS: &str = "Accept: text/event-stream";
const V1: &str = "Sec-WebSocket-Protocol: fanfare.v1";

fn token_of(user: &str) -> String {
    token(&["--sub", user, "--subscribe", "**", "--publish", "**"])
}

fn server(limits: &[(&str, &str)]) -> Server {
    serve(&[&[SECRET], limits].concat())
}

/// An event stream of this user, over HTTP/1.1.
fn stream(server: &Server, token: &str) -> Wire {
    let mut wire = server.connect();
    wire.ask("GET /c/a HTTP/1.1", &[EVENTS, &bearer(token)]);
    wire
}

fn socket(server: &Server, token: &str, protocol: &str) -> Wire {
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &[protocol, &bearer(token)]);
    wire
}

/// Whether the first frame is a close that tells to come back, and why.
fn sends_back((head, told): &(u8, Vec<u8>), why: &str) -> bool {
    *head == 0x88
        && told.get(..2) == Some(&1013_u16.to_be_bytes())
        && String::from_utf8_lossy(told).contains(why)
}

fn command(wire: &mut Wire, command: &str) -> String {
    wire.send(frame(0x81, command.as_bytes()));
    String::from_utf8(wire.frame().1).unwrap()
}

#[test]
fn connections_of_a_user_are_counted_on_all_transports_together() {
    let key = "limits.connections_per_user_max";
    let server = server(&[("FANFARE_LIMITS__CONNECTIONS_PER_USER_MAX", "4")]);
    let (ada, bob) = (token_of("ada"), token_of("bob"));
    let authorization = format!("Bearer {ada}");
    let ada_http2 = [("authorization", authorization.as_str())];
    let mut client = Client::connect(&server);
    let mut first = stream(&server, &ada);
    first.until("fanfare.open");
    let mut held = socket(&server, &ada, V1);
    held.frame();
    let mut events =
        client.ask(("GET", "/c/a"), &[ada_http2[0], ("accept", "text/event-stream")], None);
    events.body.until("fanfare.open");
    let mut tunnel =
        client.websocket("/c/a", &[ada_http2[0], ("sec-websocket-protocol", "fanfare.v1")]);
    tunnel.body.frame();

    // The fifth is refused wherever it comes, in the words of its transport.
    let (told, _) = stream(&server, &ada).end();
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("retry: "), "{told}");
    assert!(told.contains("too-many-connections"), "{told}");
    let refused = socket(&server, &ada, V1).frame();
    assert!(sends_back(&refused, "too-many-connections"), "{refused:?}");
    let mut soft =
        client.ask(("GET", "/c/a"), &[ada_http2[0], ("accept", "text/event-stream")], None);
    let (told, _) = soft.body.end();
    assert!(told.contains("retry: ") && told.contains("too-many-connections"), "{told}");
    for target in ["/c/a?as=ndjson", "/c/a?wait=30"] {
        let mut answer = client.ask(("GET", target), &ada_http2, None);
        assert_eq!(answer.status.as_u16(), 429, "{target}");
        assert!(answer.body.whole().contains(key), "{target}");
    }
    let mut refused = client.websocket("/c/a", &ada_http2);
    assert_eq!(refused.status.as_u16(), 200);
    let refused = refused.body.frame();
    assert!(sends_back(&refused, "too-many-connections"), "{refused:?}");
    assert!(server.connect().figure(&format!("fanfare_limited_total{{key=\"{key}\"}}")) >= 6);

    // Another user is none of it, on the same connection too.
    let bob_http2 = format!("Bearer {bob}");
    let bob_http2 = [("authorization", bob_http2.as_str()), ("accept", "text/event-stream")];
    client.ask(("GET", "/c/a"), &bob_http2, None).body.until("fanfare.open");
    stream(&server, &bob).until("fanfare.open");

    // What ends makes room, a stream that is taken back as well.
    events.body.reset();
    server.connect().wait_for_figure("fanfare_http2_streams", 1);
    stream(&server, &ada).until("fanfare.open");
}

#[test]
fn readers_of_an_address_are_counted_on_a_connection_that_they_share() {
    let (server, _file) = limited("connections_per_address_max = 2");
    let mut client = Client::connect(&server);
    let mut ask = |place: u8, target: &str| {
        let header = from(place);
        let (_, address) = header.split_once(": ").unwrap();
        client.ask(("GET", target), &[("x-forwarded-for", address)], None)
    };
    let mut held = [ask(1, "/c/a?as=ndjson"), ask(1, "/c/b?as=ndjson")];
    held.iter_mut().for_each(|stream| drop(stream.body.until("\"open\"")));
    for target in ["/c/a?as=ndjson", "/c/a?wait=30"] {
        let mut refused = ask(1, target);
        assert_eq!(refused.status.as_u16(), 429, "{target}");
        assert!(refused.body.whole().contains("limits.connections_per_address_max"), "{target}");
    }
    ask(2, "/c/a?as=ndjson").body.until("\"open\"");
    // It counts for the address wherever it comes from.
    let mut wire = server.connect();
    wire.ask("GET /c/a HTTP/1.1", &["Accept: application/x-ndjson", &from(1)]);
    assert!(wire.answer().starts_with("HTTP/1.1 429 "));
    let [first, _second] = held;
    first.body.reset();
    server.connect().wait_for_figure("fanfare_readers", 1);
    ask(1, "/c/a?as=ndjson").body.until("\"open\"");
}

#[test]
fn rates_of_a_user_hold_on_every_way_in() {
    let server = server(&[
        ("FANFARE_LIMITS__PUBLISH_RATE_PER_USER", "6/m"),
        ("FANFARE_LIMITS__RATE_BURST", "20s"),
    ]);
    let key = "limits.publish_rate_per_user";
    let ada = token_of("ada");
    // A connection of a shard's, one of hyper's, and one of HTTP/2.
    assert!(
        post(&mut server.connect(), "/c/a", "x", &[&bearer(&ada)]).starts_with("HTTP/1.1 200 ")
    );
    let mut client = Client::connect(&server);
    let authorization = format!("Bearer {ada}");
    let mut publish = |user: &str| {
        let mut answer = client.ask(("POST", "/c/a"), &[("authorization", user)], Some(b"x"));
        (answer.status.as_u16(), answer.body.whole())
    };
    assert_eq!(publish(&authorization).0, 200);
    let (status, told) = publish(&authorization);
    assert!(status == 429 && told.contains(key), "{told}");
    for edge in [false, true] {
        let mut wire = if edge { server.connect_to_hyper() } else { server.connect() };
        let answer = post(&mut wire, "/c/a", "x", &[&bearer(&ada)]);
        assert!(is_limited(&answer, key), "{answer}");
    }
    let mut v1 = socket(&server, &ada, V1);
    v1.frame();
    let publishing = "{\"id\":1,\"type\":\"publish\",\"channel\":\"a\",\"data\":\"x\"}";
    let told = command(&mut v1, publishing);
    assert!(told.contains("\"code\":\"rate-limited\"") && told.contains(key), "{told}");
    let mut raw = socket(&server, &ada, "Sec-WebSocket-Protocol: fanfare.raw");
    raw.send(frame(0x81, b"x"));
    let (head, told) = raw.frame();
    assert_eq!((head, told.get(..2)), (0x88, Some(1008_u16.to_be_bytes().as_slice())));
    assert!(String::from_utf8_lossy(&told).contains("rate-limited"), "{told:?}");
    let bob = format!("Bearer {}", token_of("bob"));
    assert_eq!(publish(&bob).0, 200, "another user has a rate of his own");
}

#[test]
fn who_subscribes_or_connects_too_often_is_told_on_every_transport() {
    for (name, key) in [
        ("FANFARE_LIMITS__SUBSCRIBE_RATE_PER_USER", "limits.subscribe_rate_per_user"),
        ("FANFARE_LIMITS__CONNECT_RATE_PER_USER", "limits.connect_rate_per_user"),
    ] {
        let server = server(&[(name, "3/m"), ("FANFARE_LIMITS__RATE_BURST", "20s")]);
        let ada = token_of("ada");
        let mut first = stream(&server, &ada);
        first.until("fanfare.open");
        let (told, _) = stream(&server, &ada).end();
        assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("retry: "), "{told}");
        assert!(told.contains("rate-limited"), "{told}");
        let refused = socket(&server, &ada, V1).frame();
        assert!(sends_back(&refused, "rate-limited"), "{refused:?}");
        let mut client = Client::connect(&server);
        let authorization = format!("Bearer {ada}");
        let ada = [("authorization", authorization.as_str())];
        let mut refused = client.ask(("GET", "/c/a?as=ndjson"), &ada, None);
        assert_eq!(refused.status.as_u16(), 429);
        assert!(refused.header("retry-after").is_some());
        assert!(refused.body.whole().contains(key));
        let refused = client.websocket("/c/a", &ada).body.frame();
        assert!(sends_back(&refused, "rate-limited"), "{refused:?}");
        assert!(server.connect().figure(&format!("fanfare_limited_total{{key=\"{key}\"}}")) >= 4);
    }
}

#[test]
fn a_token_of_a_user_is_held_to_its_rate_within_a_connection() {
    let server = server(&[
        ("FANFARE_LIMITS__SUBSCRIBE_RATE_PER_USER", "6/m"),
        ("FANFARE_LIMITS__RATE_BURST", "20s"),
    ]);
    let mut wire = server.connect();
    wire.open_websocket("/c", &[V1, &bearer(&token_of("ada"))]);
    wire.frame();
    let subscribe =
        |channel| format!("{{\"id\":1,\"type\":\"subscribe\",\"channel\":\"{channel}\"}}");
    let told = ["a", "b", "c"].map(|channel| command(&mut wire, &subscribe(channel)));
    assert!(told[1].contains("\"type\":\"ok\""), "{told:?}");
    assert!(told[2].contains("limits.subscribe_rate_per_user"), "{told:?}");
    // Others go on as before.
    let mut other = server.connect();
    other.ask("GET /c/a?wait=0 HTTP/1.1", &[&bearer(&token_of("bob"))]);
    let answer = other.answer();
    assert!(body(&answer).contains("\"publications\""), "{answer}");
}

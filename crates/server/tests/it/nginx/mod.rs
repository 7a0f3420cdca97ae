//! Behind nginx as Debian ships it: `proxy_pass` alone, which speaks HTTP/1.0 to the server, and the
//! lines that the documentation gives for WebSocket.

mod proxy;

use std::time::{Duration, Instant};

use crate::proxied;
use crate::server::Server;
use crate::wire::{End, body, header};
use proxy::Proxy;

/// What the hint of the answer tells to add.
const HINTED: &str = "proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection \"upgrade\";";

/// What the documentation tells to write beside `proxy_pass`.
fn documented() -> &'static str {
    let page = include_str!("../../../../../docs/proxies.md");
    let (_, block) = page.split_once("```nginx title=nginx.conf\nlocation / {\n").unwrap();
    let (lines, _) = block.split_once("\n}\n```").unwrap();
    let (pass, rest) = lines.split_once('\n').unwrap();
    assert_eq!(pass.trim(), "proxy_pass http://127.0.0.1:8300;");
    rest
}

#[test]
fn an_event_stream_passes_at_once_and_a_drain_is_no_end() {
    let mut server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let Some(proxy) = Proxy::start(&server, "") else { return };
    let mut wire = proxy.connect();
    let began = Instant::now();
    wire.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    let head = wire.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(header(&head, "transfer-encoding"), Some("chunked"), "nginx frames it: {head}");
    wire.until("event: fanfare.open\n");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    wire.until("\n\n");
    server.publish("news", "Hello");
    wire.until("data: Hello\nid: ");

    server.terminate();
    let (told, end) = wire.end();
    assert!(!told.ends_with("0\r\n\r\n"), "a regular end would be final: {told}");
    eprintln!("nginx passes the abort on as {end:?}");
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_finished_stream_ends_behind_a_proxy_too() {
    let server = Server::dev(&[]);
    let Some(proxy) = Proxy::start(&server, "") else { return };
    let mut wire = proxy.connect();
    wire.ask("GET /c/story HTTP/1.1", &["Accept: text/event-stream", "Connection: close"]);
    wire.until("event: fanfare.open\n");
    server.publish("story?end=1", "last");
    let (told, end) = wire.end();
    assert!(told.contains("data: last\n") && told.contains("event: fanfare.end\n"), "{told}");
    assert!(told.ends_with("0\r\n\r\n"), "{told}");
    assert_eq!(end, End::Closed);
}

#[test]
fn an_upgrade_that_nginx_removed_gets_the_lines_that_keep_it() {
    let server = Server::dev(&[]);
    let Some(proxy) = Proxy::start(&server, "") else { return };
    let mut wire = proxy.connect();
    wire.ask(
        "GET /c/chat HTTP/1.1",
        &[
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
    );
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    for line in HINTED.lines() {
        let line = line.trim().replace('"', "\\\"");
        assert!(body(&answer).contains(&line), "{line} is not in {answer}");
    }
}

#[test]
fn with_the_lines_of_the_hint_a_websocket_passes() {
    passes(HINTED);
}

#[test]
fn with_the_documented_lines_a_websocket_passes() {
    passes(documented());
}

fn passes(lines: &str) {
    let server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let Some(proxy) = Proxy::start(&server, lines) else { return };
    proxied::passes_and_is_drained(server, proxy.address());
}

#[test]
fn the_client_has_its_own_address_and_is_missed_when_it_goes() {
    let (server, _file) = proxied::server("trusted = [\"127.0.0.1\"]");
    let Some(proxy) = Proxy::start(&server, documented()) else { return };
    proxied::has_the_clients_address(&server, proxy.address());
    proxied::misses_who_goes(&server, proxy.address());
}

#[test]
fn without_trust_the_client_is_the_proxy() {
    let (server, _file) = proxied::server("trusted = [\"192.0.2.1\"]");
    let Some(proxy) = Proxy::start(&server, documented()) else { return };
    let address = proxied::seen(&server, proxy.address(), "X-Forwarded-For: 192.0.2.7");
    assert_eq!(address, "127.0.0.1");
}

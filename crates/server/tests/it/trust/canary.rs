//! Credentials are told to nobody: whatever place they come in, good or bad, they stand in no answer, no
//! metric and no line of the log, however much that tells.

use crate::token::{SECRET, serve, token};
use crate::wire::{Wire, frame};

const KEY: &str = "tell-nobody-key-4711";
const WRONG: &str = "tell-nobody-wrong-4712";

/// Everything that is sent back until the other end has nothing more to say for a while.
fn answer(wire: &mut Wire, line: &str, headers: &[&str]) -> String {
    wire.ask(line, headers);
    wire.answer()
}

#[test]
fn no_credential_is_told_to_anyone() {
    let server = serve(&[
        SECRET,
        ("FANFARE_AUTH__PUBLISHER_KEYS", KEY),
        ("FANFARE_AUTH__COOKIE", "sid"),
        ("FANFARE_AUTH__QUERY_TOKEN", "true"),
        ("FANFARE_LOG__LEVEL", "trace"),
    ]);
    let good = token(&["--sub", "ada", "--subscribe", "chat:*", "--publish", "chat:*"]);
    let expired = token(&["--sub", "ada", "--subscribe", "chat:*", "--expires-in", "1s"]);
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    let shown = [KEY, WRONG, &good, &expired, &forged];
    let mut told = String::new();
    for credential in shown {
        let bearer = format!("Authorization: Bearer {credential}");
        let cookie = format!("Cookie: sid={credential}");
        for target in
            ["/c/chat:a/history", "/c/news/history", "/c/%zz", "/nowhere", "/c/chat:a?poll=1"]
        {
            let line = format!("GET {target} HTTP/1.1");
            let joint = if target.contains('?') { '&' } else { '?' };
            let query = format!("GET {target}{joint}token={credential} HTTP/1.1");
            told += &answer(&mut server.connect(), &line, &[&bearer]);
            told += &answer(&mut server.connect(), &line, &[&cookie]);
            told += &answer(&mut server.connect(), &query, &[]);
        }
        let publish = ["Content-Length: 0", &bearer];
        told += &answer(&mut server.connect(), "POST /c/chat:a HTTP/1.1", &publish);
        told += &answer(&mut server.connect(), "POST /c/$bad HTTP/1.1", &publish);
        let mut socket = server.connect();
        let offer = format!("Sec-WebSocket-Protocol: fanfare.v1, bearer.{credential}");
        socket.open_websocket("/c/chat:a", &[&offer]);
        let refresh = format!("{{\"id\":1,\"type\":\"refresh\",\"token\":\"{credential}\"}}");
        socket.send(frame(0x81, refresh.as_bytes()));
        for _ in 0..2 {
            let (head, payload) = socket.frame();
            told += &String::from_utf8_lossy(&payload);
            if head == 0x88 {
                break;
            }
        }
    }
    told += &answer(&mut server.connect(), "GET /metrics HTTP/1.1", &[]);
    let log = server.last_words().join("\n");
    assert!(log.len() > 500 && told.len() > 5_000, "something is told");
    for credential in shown.into_iter().chain([SECRET.1]) {
        // Of a token its signature is enough to look for.
        let part = credential.rsplit('.').next().unwrap();
        assert!(!told.contains(part), "{part} is in an answer");
        assert!(!log.contains(part), "{part} is in the log:\n{log}");
    }
}

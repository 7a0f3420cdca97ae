//! `refresh` on connections that live, by those whose credentials do not expire.

use serde_json::{Value, json};

use super::Guarded;
use crate::wire::{Wire, body, frame};

const CONFIGURATION: &str = "
publisher_keys = [\"tell-nobody-1\", \"tell-nobody-2\"]
[namespaces.open]
anonymous_subscribe = true
";

/// Sends a command of `fanfare.v1` and gives its reply.
fn command(wire: &mut Wire, command: &Value) -> Value {
    wire.send(frame(0x81, command.to_string().as_bytes()));
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x81);
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_websocket_goes_on_with_the_credentials_of_who_it_is_and_no_others() {
    let server = Guarded::start(CONFIGURATION);
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &["Sec-WebSocket-Protocol: fanfare.v1, bearer.tell-nobody-1"]);
    assert_eq!(wire.frame().0, 0x81);
    let refresh = |token: &str| json!({"id": 1, "type": "refresh", "token": token});
    assert_eq!(command(&mut wire, &refresh("tell-nobody-1")), json!({"id": 1, "type": "ok"}));
    for (token, code) in
        [("tell-nobody-2", "forbidden"), ("none", "unauthorized"), ("", "command-invalid")]
    {
        let reply = command(&mut wire, &refresh(token));
        assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!(code)), "{reply}");
        assert!(!reply.to_string().contains("tell-nobody-1"), "{reply}");
    }
    // It is still open, and still who it was.
    let ping = command(&mut wire, &json!({"id": 2, "type": "ping"}));
    assert_eq!(ping["id"], 2);
}

#[test]
fn a_stream_is_refreshed_by_who_opened_it() {
    let server = Guarded::start(CONFIGURATION);
    let mut stream = server.connect();
    let key = "Authorization: Bearer tell-nobody-1";
    stream.ask("GET /c/a HTTP/1.1", &[key, "Accept: text/event-stream"]);
    let told = stream.until("\"session\":\"");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let session = stream.take(35);
    let change = |key: &str, text: &str| {
        let mut wire = server.connect();
        let length = format!("Content-Length: {}", text.len());
        wire.ask(&format!("POST /sessions/{session} HTTP/1.1"), &[key, &length]);
        wire.send(text);
        let answer = wire.answer();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str::<Value>(body(&answer)).unwrap())
    };
    let (status, answer) = change(key, "{\"refresh\":true}");
    assert_eq!((status, &answer), (200, &json!({"results": []})), "{answer}");
    let (status, answer) = change("Authorization: Bearer tell-nobody-2", "{\"refresh\":true}");
    assert_eq!((status, &answer["code"]), (404, &json!("session-gone")));
    let (status, answer) = change(key, "{\"refresh\":1}");
    assert_eq!(status, 400, "{answer}");
}

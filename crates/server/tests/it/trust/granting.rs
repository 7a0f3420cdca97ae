//! Each right, over each way that asks for it: refused without the grant, allowed with it.

use serde_json::{Value, json};

use crate::server::Server;
use crate::token::{SECRET, bearer, serve, token};
use crate::wire::{Wire, body, frame};

/// A token that may this with `chat:a`, and something else that nobody asks for.
fn with(rights: &[&str]) -> String {
    let mut arguments = vec!["--sub", "ada", "--subscribe", "elsewhere"];
    for right in rights {
        arguments.extend([*right, "chat:*"]);
    }
    token(&arguments)
}

fn server() -> Server {
    serve(&[SECRET, ("FANFARE_PRESENCE", "true")])
}

/// A connection that a shard reads, and one that hyper owns already.
fn connections(server: &Server) -> [Wire; 2] {
    let mut edge = server.connect();
    edge.ask("GET /health HTTP/1.1", &[]);
    edge.answer();
    [server.connect(), edge]
}

/// The status of what is asked with this token, on the shard and on the edge.
fn statuses(server: &Server, token: &str, line: &str, headers: &[&str], sent: &str) -> [u16; 2] {
    connections(server).map(|mut wire| {
        let length = format!("Content-Length: {}", sent.len());
        let mut all = vec![token, headers.first().copied().unwrap_or("Accept: */*")];
        if !line.starts_with("GET") {
            all.push(&length);
        }
        wire.ask(line, &all);
        wire.send(sent);
        let head = wire.until("\r\n\r\n");
        head.split(' ').nth(1).unwrap().parse().unwrap()
    })
}

#[test]
fn requests_take_the_right_that_they_use() {
    let server = server();
    let sse = "Accept: text/event-stream";
    let ndjson = "Accept: application/x-ndjson";
    let all = "Accept: */*";
    for (rights, line, accept, sent) in [
        (&["--subscribe"][..], "GET /c/chat:a HTTP/1.1", sse, ""),
        (&["--subscribe"], "GET /c/chat:a,chat:b?since=all HTTP/1.1", ndjson, ""),
        (&["--subscribe"], "GET /c/chat:a?as=raw HTTP/1.1", all, ""),
        (&["--subscribe"], "GET /c/chat:a?poll=1 HTTP/1.1", all, ""),
        (&["--subscribe", "--presence"], "GET /c/chat:a?presence=1 HTTP/1.1", sse, ""),
        (&["--history"], "GET /c/chat:a/history HTTP/1.1", all, ""),
        (&["--presence"], "GET /c/chat:a/presence HTTP/1.1", all, ""),
        (&["--publish"], "POST /c/chat:a HTTP/1.1", all, "x"),
        (&["--publish"], "PUT /c/chat:a HTTP/1.1", all, "x"),
        (&["--publish", "--manage"], "POST /c/chat:end?end=1 HTTP/1.1", all, "x"),
        (&["--manage"], "DELETE /c/chat:a HTTP/1.1", all, ""),
    ] {
        let refused = bearer(&with(&[]));
        assert_eq!(statuses(&server, &refused, line, &[accept], sent), [403; 2], "{line}");
        // Each right that is needed is missed.
        for missing in 0..rights.len() {
            let mut fewer = rights.to_vec();
            fewer.remove(missing);
            let poor = bearer(&with(&fewer));
            assert_eq!(statuses(&server, &poor, line, &[accept], sent), [403; 2], "{line}");
        }
        let others: Vec<&str> = ["--subscribe", "--publish", "--presence", "--history", "--manage"]
            .into_iter()
            .filter(|right| !rights.contains(right))
            .collect();
        let rich = bearer(&with(&others));
        assert_eq!(statuses(&server, &rich, line, &[accept], sent), [403; 2], "{line}: {others:?}");
        let granted = bearer(&with(rights));
        let [shard, edge] = statuses(&server, &granted, line, &[accept], sent);
        // An end that is there already is another matter.
        assert!(shard == 200 && [200, 409].contains(&edge), "{line}: {shard} {edge}");
    }
}

#[test]
fn of_a_batch_what_is_granted_is_published() {
    let server = server();
    let token = bearer(&with(&["--publish"]));
    let batch =
        json!([{"channel": "chat:a", "data": 1}, {"channel": "news", "data": 2}]).to_string();
    for mut wire in connections(&server) {
        let length = format!("Content-Length: {}", batch.len());
        wire.ask("POST /publish HTTP/1.1", &[&token, &length, "Content-Type: application/json"]);
        wire.send(&batch);
        let answer = wire.answer();
        let results: Value = serde_json::from_str(body(&answer)).unwrap();
        let text = results.to_string();
        assert!(text.contains("\"offset\"") && text.contains("\"forbidden\""), "{answer}");
    }
}

#[test]
fn websockets_are_told_in_a_close_frame_or_a_reply() {
    let server = server();
    let offer = |rights: &[&str], language: &str| {
        format!("Sec-WebSocket-Protocol: {language}, bearer.{}", with(rights))
    };
    for language in ["fanfare.v1", "fanfare.raw"] {
        for mut wire in connections(&server) {
            wire.open_websocket("/c/chat:a", &[&offer(&["--publish", "--history"], language)]);
            let (head, payload) = wire.frame();
            assert_eq!((head, &payload[..2]), (0x88, &4003_u16.to_be_bytes()[..]), "{language}");
        }
    }
    let asks = [
        (json!({"type": "subscribe", "channel": "chat:a"}), "--subscribe"),
        (json!({"type": "publish", "channel": "chat:a", "data": 1}), "--publish"),
        (json!({"type": "history", "channel": "chat:a"}), "--history"),
        (json!({"type": "presence", "channel": "chat:a"}), "--presence"),
    ];
    for (ask, right) in asks {
        for (rights, kind) in [(&[][..], "error"), (&[right], "ok")] {
            for mut wire in connections(&server) {
                wire.open_websocket("/c", &[&offer(rights, "fanfare.v1")]);
                assert_eq!(wire.frame().0, 0x81);
                wire.send(frame(0x81, ask.to_string().as_bytes()));
                let (_, payload) = wire.frame();
                let reply: Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(reply["type"], kind, "{ask} with {rights:?}: {reply}");
            }
        }
    }
}

#[test]
fn a_stream_takes_on_what_its_token_covers() {
    let server = server();
    let token = bearer(&with(&["--subscribe"]));
    for mut stream in connections(&server) {
        stream.ask("GET /c/chat:a HTTP/1.1", &[&token, "Accept: text/event-stream"]);
        stream.until("\"session\":\"");
        let session = stream.take(35);
        let change = json!({"subscribe": [{"channel": "chat:b"}, {"channel": "news"}]}).to_string();
        let length = format!("Content-Length: {}", change.len());
        let mut wire = server.connect();
        wire.ask(&format!("POST /sessions/{session} HTTP/1.1"), &[&token, &length]);
        wire.send(&change);
        let answer = wire.answer();
        let results: Value = serde_json::from_str(body(&answer)).unwrap();
        assert!(results["results"][0]["cursor"].is_string(), "{answer}");
        assert_eq!(results["results"][1]["error"]["code"], "forbidden", "{answer}");
    }
}

#[test]
fn members_are_told_by_the_user_of_their_token_whatever_they_call_themselves() {
    let server = server();
    let reader = |sub: &str, target: &str, wire: &mut Wire| {
        let rights = ["--subscribe", "chat:*", "--presence", "chat:*"];
        let token = bearer(&token(&[&["--sub", sub], &rights[..]].concat()));
        wire.ask(&format!("GET {target} HTTP/1.1"), &[&token, "Accept: text/event-stream"]);
        wire.until("fanfare.open");
        token
    };
    let [mut shard, mut edge] = connections(&server);
    let mut third = server.connect();
    let token = reader("ada", "/c/chat:a?client=me", &mut shard);
    reader("bob", "/c/chat:a?client=me", &mut edge);
    reader("carl", "/c/chat:a", &mut third);
    let mut wire = server.connect();
    wire.ask("GET /c/chat:a/presence HTTP/1.1", &[&token]);
    let answer = wire.answer();
    let list: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(list["count"], 3, "{answer}");
    for (user, client) in [("ada", Some("me")), ("bob", Some("me")), ("carl", None)] {
        let members = list["members"].as_array().unwrap();
        let found = members.iter().find(|member| member["user"] == user).unwrap();
        assert!(client.is_none_or(|client| found["client"] == client), "{answer}");
    }
}

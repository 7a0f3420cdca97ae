//! Publishing what a shard does not take in place.

use crate::server::Server;
use crate::wire::{body, header};

#[test]
fn several_channels_and_batches_answer_in_order() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    let answer = wire.post_chunked("a,b", "both");
    let text = body(&answer);
    assert!(text.starts_with("{\"results\":[{\"channel\":\"a\",\"offset\":1"), "{text}");
    assert!(text.contains("{\"channel\":\"b\",\"offset\":1"), "{text}");

    let items: Vec<_> = (0..500).map(|n| format!("{{\"channel\":\"a\",\"data\":{n}}}")).collect();
    let batch = format!("[{}]", items.join(","));
    wire.ask("POST /publish HTTP/1.1", &[&format!("Content-Length: {}", batch.len())]);
    wire.send(&batch);
    let answer = wire.answer();
    assert_eq!(body(&answer).matches("\"offset\":").count(), 500, "{answer}");
    wire.ask("GET /c/a/history?limit=2&order=desc HTTP/1.1", &[]);
    let newest = wire.answer();
    let (last, before) = (newest.find("\"data\":499"), newest.find("\"data\":498"));
    assert!(last.is_some() && last < before, "{newest}");
}

#[test]
fn a_large_body_is_asked_for_before_it_is_sent() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    let payload = "x".repeat(1024 * 1024);
    let length = format!("Content-Length: {}", payload.len());
    wire.ask("POST /c/big HTTP/1.1", &[&length, "Expect: 100-continue"]);
    wire.until("HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(&payload);
    assert!(wire.answer().starts_with("HTTP/1.1 200"));

    wire.ask("POST /c/big HTTP/1.1", &["Content-Length: 1048577", "Expect: 100-continue"]);
    let refused = wire.answer();
    assert!(refused.starts_with("HTTP/1.1 413"), "unasked: {refused}");
}

#[test]
fn a_body_over_the_limit_gets_its_answer_even_while_it_is_sent() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    wire.ask("POST /c/big HTTP/1.1", &["Transfer-Encoding: chunked"]);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..32 {
        wire.send(&chunk);
    }
    wire.send("0\r\n\r\n");
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("limits.payload_bytes_max"), "{answer}");
}

#[test]
fn a_key_lets_its_holder_publish_on_shard_and_edge_alike() {
    let server = Server::serve("tell-nobody");
    let key = "Authorization: Bearer tell-nobody";
    for framing in ["Content-Length: 0", "Transfer-Encoding: chunked"] {
        let end = if framing.contains("chunked") { "0\r\n\r\n" } else { "" };
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &[framing]);
        wire.send(end);
        let refused = wire.answer();
        assert!(refused.starts_with("HTTP/1.1 401"), "{framing}: {refused}");
        assert!(refused.contains("\"code\":\"unauthorized\""), "{framing}: {refused}");
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &[framing, key]);
        wire.send(end);
        let taken = wire.answer();
        assert!(taken.starts_with("HTTP/1.1 200"), "{framing}: {taken}");
    }
    let mut wire = server.connect();
    wire.ask("GET /c/x?poll=1 HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200"), "anyone may read");
    wire.ask("DELETE /c/x HTTP/1.1", &[]);
    let refused = wire.answer();
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert_eq!(header(&refused, "www-authenticate"), Some("Bearer"));
}

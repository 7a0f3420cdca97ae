//! What is refused, and how.

use crate::server::Server;
use crate::wire::{End, body, header};

#[test]
fn what_is_not_there_and_what_is_not_taken() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    for (line, status, allow) in [
        ("GET /nowhere HTTP/1.1", "404", None),
        ("POST /c/x/presence HTTP/1.1", "405", Some("GET, HEAD, OPTIONS")),
        ("POST /health HTTP/1.1", "405", Some("GET, HEAD")),
        ("PATCH /c/x HTTP/1.1", "405", Some("GET, HEAD, POST, PUT, DELETE, OPTIONS")),
    ] {
        wire.ask(line, &["Content-Length: 0"]);
        let answer = wire.answer();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {answer}");
        assert_eq!(header(&answer, "allow"), allow, "{line}");
        assert_eq!(header(&answer, "content-type"), Some("application/problem+json"), "{line}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"), "{line}");
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"), "{line}");
    }
}

#[test]
fn a_foreign_page_has_no_effect() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    for foreign in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        wire.ask("POST /c/x HTTP/1.1", &[foreign, "Transfer-Encoding: chunked"]);
        wire.send("1\r\nx\r\n0\r\n\r\n");
        let answer = wire.answer();
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign}: {answer}");
    }
    wire.ask("GET /c/x?poll=1 HTTP/1.1", &[]);
    assert!(body(&wire.answer()).contains("\"publications\":[]"));
}

#[test]
fn a_dripped_head_ends_its_connection_and_an_idle_one_stays() {
    let server = Server::dev(&[("FANFARE_LIMITS__REQUEST_HEAD_TIMEOUT", "1s")]);
    let mut idle = server.connect_to_edge("x");
    let mut wire = server.connect_to_edge("x");
    wire.send("GET /c/x HTTP/1.1\r\nHost: loc");
    let (answer, end) = wire.end();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(end, End::Closed);
    assert!(idle.post_chunked("x", "still here").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_dripped_body_is_told_so() {
    let server = Server::dev(&[("FANFARE_LIMITS__REQUEST_BODY_PROGRESS_TIMEOUT", "1s")]);
    let mut wire = server.connect();
    wire.ask("POST /c/x HTTP/1.1", &["Transfer-Encoding: chunked"]);
    wire.send("1\r\nx\r\n");
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn a_page_over_the_limit_of_connections_may_read_why() {
    let server = Server::dev(&[("FANFARE_LIMITS__CONNECTIONS_MAX", "1")]);
    let mut held = server.connect_to_edge("x");
    let origin = "Origin: http://localhost:3000";
    for (accept, status) in [("text/event-stream", "200"), ("application/json", "503")] {
        let mut wire = server.connect();
        // In two parts: it is the whole head that decides.
        wire.send(format!("GET /c/x HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n"));
        wire.send(format!("{origin}\r\n\r\n"));
        let (answer, end) = wire.end();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let allowed = header(&answer, "access-control-allow-origin");
        assert_eq!(allowed, Some("http://localhost:3000"), "{answer}");
        assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
        assert!(!answer.ends_with("0\r\n\r\n"), "an end would be final: {answer}");
        assert_eq!(end, End::Closed);
    }
    assert!(held.post_chunked("x", "still here").starts_with("HTTP/1.1 200 "));
}

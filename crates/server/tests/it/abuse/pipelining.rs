//! Very many requests on one connection, sent without waiting for an answer.

use std::io::Write;
use std::thread;

use super::Before;
use crate::server::Server;
use crate::wire::{Wire, body};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::dev(&[]);
    // An optimised server takes a few seconds for the million, one that is not takes minutes.
    let requests = if crate::soaks() { 1_000_000 } else { 60_000 };
    let small = "POST /c/small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
    pipeline(&server, &mut server.connect(), small, requests);
    let chunked = "POST /c/chunked HTTP/1.1\r\nHost: localhost\r\n\
                   Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    pipeline(&server, &mut server.connect(), chunked, requests / 10);
}

fn pipeline(server: &Server, wire: &mut Wire, request: &str, requests: usize) {
    let before = Before::of(server);
    let all = request.repeat(requests).into_bytes();
    // First without reading, so that whatever the server keeps of it is there to be measured.
    let sent = wire.fill(&all);
    before.check(server, "pipelined requests without reading");
    let mut writer = wire.writer();
    let writing = thread::spawn(move || writer.write_all(&all[sent..]));
    for offset in 1..=requests {
        let answer = wire.answer();
        let place = format!("\"offset\":{offset},");
        assert!(body(&answer).contains(&place), "{place} is not in {answer}");
    }
    writing.join().unwrap().unwrap();
    before.check(server, "pipelined requests");
}

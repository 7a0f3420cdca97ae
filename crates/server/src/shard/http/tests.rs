//! What becomes of requests, however they arrive.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::Request;
use fanfare_core::start::Start;
use fanfare_protocol::native::alias::{Alias, Aliases, Posting};
use fanfare_protocol::native::cors::{Hosts, OriginPolicy, Origins};
use fanfare_protocol::native::head::HTTP2_PREFACE;
use fanfare_protocol::native::route::Rules;

use super::{Given, Http, Judge};
use crate::auth::tests::{Rules as Who, everyone, keyed};
use crate::limit::{Limiter, Peer};
use crate::node::Protocol;
use crate::shard::options::ShardOptions;
use crate::shard::step::{Becoming, Step};

fn judge() -> Judge {
    Judge {
        terms: Arc::default(),
        limiter: Limiter::new(1_024, Arc::default()),
        teller: None,
        hooks: None,
        options: ShardOptions::default(),
        rules: Rules::default(),
        aliases: Arc::default(),
        access: Arc::new(everyone()),
        policy: Arc::new(OriginPolicy { hosts: Hosts::Loopback, origins: Origins::Loopback }),
    }
}

fn given() -> Given {
    let peer = Peer { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), counted: false };
    Given { now: 1_000, session: SessionId(7), peer }
}

fn connection() -> Http {
    Http::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))
}

fn post(body: &str) -> Vec<u8> {
    let bytes = body.len();
    format!("POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bytes}\r\n\r\n{body}")
        .into_bytes()
}

fn published(step: Step) -> (u64, Vec<u8>) {
    let Step::Ask { request, channel, question: Request::Publish(draft), .. } = step else {
        panic!("no publish: {step:?}");
    };
    assert_eq!(channel.as_str(), "a");
    let content = draft.content.expect("a body");
    (request, content.data.bytes().to_vec())
}

#[test]
fn a_publish_is_the_same_wherever_it_is_cut() {
    let bytes = post("hello");
    for cut in 1..bytes.len() {
        let mut http = connection();
        let mut out = Vec::new();
        http.receive(&bytes[..cut]);
        let step = http.decode(&judge(), given(), &mut out);
        assert!(matches!(step, Step::Wait), "{cut}: {step:?}");
        http.receive(&bytes[cut..]);
        let step = http.decode(&judge(), given(), &mut out);
        assert_eq!(published(step), (1, b"hello".to_vec()), "{cut}");
        assert!(out.is_empty());
    }
}

#[test]
fn pipelined_requests_wait_for_each_other() {
    let mut http = connection();
    let mut out = Vec::new();
    let bytes: Vec<u8> = (0..100).flat_map(|number| post(&number.to_string())).collect();
    http.receive(&bytes);
    for number in 0..100_u64 {
        let (request, body) = published(http.decode(&judge(), given(), &mut out));
        assert_eq!(body, number.to_string().into_bytes());
        assert!(!http.listens(), "one request is in work at a time");
        assert!(matches!(http.decode(&judge(), given(), &mut out), Step::Wait));
        assert!(http.finish_exchange(request + 1).is_none());
        assert!(http.finish_exchange(request).is_some());
    }
    assert!(!http.has_more());
    assert!(matches!(http.decode(&judge(), given(), &mut out), Step::Wait));
}

#[test]
fn what_the_edge_understands_better_goes_there_whole() {
    for head in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "HEAD /c/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /c/a?wait=5 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /c/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /c/a?since=nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "DELETE /c/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 1\r\n\r\na",
        "POST /c/a,b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
        "POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[]",
    ] {
        let mut http = connection();
        let mut out = Vec::new();
        http.receive(head.as_bytes());
        let step = http.decode(&judge(), given(), &mut out);
        assert!(matches!(step, Step::HandOver), "{head}: {step:?}");
        assert_eq!(http.take_unread(), head.as_bytes(), "{head}");
    }
}

#[test]
fn streams_and_sockets_begin_here() {
    let socket = "GET /c/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x01";
    for (request, socket) in [
        ("GET /c/a HTTP/1.1\r\nHost: localhost\r\n\r\n\x01", false),
        ("GET /c/a HTTP/1.0\r\nHost: localhost\r\n\r\n\x01", false),
        ("GET /c/a,b?as=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n\x01", false),
        (socket, true),
    ] {
        let mut http = connection();
        let mut out = Vec::new();
        http.receive(request.as_bytes());
        let step = http.decode(&judge(), given(), &mut out);
        let Step::Become(becoming) = step else {
            panic!("{request}: {step:?}");
        };
        assert_eq!(matches!(*becoming, Becoming::Socket(..)), socket, "{request}");
        assert_eq!(http.take_unread(), b"\x01"[..], "what follows is not lost");
    }
}

#[test]
fn heads_are_bounded_and_garbage_is_no_request() {
    let mut http = connection();
    let mut out = Vec::new();
    http.receive(b"GET /c/a HTTP/1.1\r\nHost: localhost\r\n");
    let mut refused = None;
    for _ in 0..10_000 {
        match http.decode(&judge(), given(), &mut out) {
            Step::Wait => http.receive(b"X: y\r\n"),
            step => {
                refused = Some(step);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(Step::Refuse(Code::HeadTooLarge))));
    assert!(out.starts_with(b"HTTP/1.1 431 "));

    let mut http = connection();
    let mut out = Vec::new();
    http.receive(b"\x16\x03\x01\x02\x00");
    let step = http.decode(&judge(), given(), &mut out);
    assert!(matches!(step, Step::Refuse(Code::RequestMalformed)), "TLS on a plain port");
    assert!(out.starts_with(b"HTTP/1.1 400 "));

    let mut http = connection();
    let mut out = Vec::new();
    http.receive(b"\x80\x03\x01\x02\x00");
    assert!(matches!(http.decode(&judge(), given(), &mut out), Step::Finish));
    assert!(out.starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn who_may_not_publish_is_not_waited_for() {
    let talk = Who { publish: true, ..Who::default() };
    let judge = Judge { access: Arc::new(keyed(Who::default(), [("talk:", talk)])), ..judge() };
    for (channels, key, waited_for) in [
        ("a", "", false),
        ("a", "Authorization: Bearer none\r\n", false),
        ("a", "Authorization: Bearer secret\r\n", true),
        ("talk:a", "", true),
        ("talk:a", "Authorization: Bearer none\r\n", false),
        ("a,talk:a", "", true),
        ("a,b", "", false),
    ] {
        let mut http = connection();
        http.receive(
            format!(
                "POST /c/{channels} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: 9\r\n\r\nx"
            )
            .as_bytes(),
        );
        let step = http.decode(&judge, given(), &mut Vec::new());
        let waits = matches!(step, Step::Wait);
        assert!(waits || matches!(step, Step::HandOver), "{step:?}");
        assert_eq!(waits, waited_for, "{channels} {key}");
    }
}

#[test]
fn only_what_the_channel_allows_is_answered_here() {
    let talk = Who { publish: true, ..Who::default() };
    let read = Who { subscribe: true, ..Who::default() };
    let access = keyed(Who::default(), [("talk:", talk), ("news:", read)]);
    let judge = Judge { access: Arc::new(access), ..judge() };
    for (line, answered_here) in [
        ("POST /c/talk:a", true),
        ("POST /c/talk:a?end=1", false),
        ("POST /c/news:a", false),
        ("POST /c/a", false),
        ("GET /c/news:a", true),
        ("GET /c/news:a,news:b", true),
        ("GET /c/news:a,talk:a", false),
        ("GET /c/a", false),
    ] {
        let mut http = connection();
        let length = if line.starts_with('P') { "Content-Length: 1\r\n\r\nx" } else { "\r\n" };
        http.receive(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{length}").as_bytes());
        let step = http.decode(&judge, given(), &mut Vec::new());
        assert_eq!(!matches!(step, Step::HandOver), answered_here, "{line}: {step:?}");
    }
}

#[test]
fn an_alias_that_is_only_another_name_is_answered_here() {
    let alias = |path: &str, to: &str, post, greeting| {
        Alias::new(path, to, post, greeting, &Rules::default()).unwrap()
    };
    let aliases = Aliases::new(vec![
        alias("/events", "/c/a", Posting::Publishes, None),
        alias("/own", "/c/a-{unique}", Posting::Publishes, None),
        alias("/greeted", "/c/a", Posting::Publishes, Some("Hello")),
        alias("/read", "/c/a", Posting::Reads, None),
    ]);
    let judge = Judge { aliases: Arc::new(aliases), ..judge() };
    let decode = |request: String| {
        let mut http = connection();
        http.receive(request.as_bytes());
        http.decode(&judge, given(), &mut Vec::new())
    };
    let get = |path: &str| decode(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let post = |path: &str| {
        let head = "Host: localhost\r\nContent-Length: 5\r\n\r\nhello";
        decode(format!("POST {path} HTTP/1.1\r\n{head}"))
    };
    let Step::Become(becoming) = get("/events?since=all") else { panic!("no reader") };
    let Becoming::Stream(_, opening, _) = *becoming else { panic!("no stream") };
    assert_eq!(opening.subscriptions[0].channel.as_str(), "a");
    assert_eq!(opening.subscriptions[0].start, Start::All);
    assert_eq!(published(post("/events")), (1, b"hello".to_vec()));
    for path in ["/own", "/greeted", "/read"] {
        assert!(matches!(get(path), Step::HandOver), "{path}");
        assert!(matches!(post(path), Step::HandOver), "{path}");
    }
}

#[test]
fn the_preface_of_http2_goes_to_the_edge_wherever_it_is_cut() {
    let bytes = [HTTP2_PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat();
    for cut in 1..HTTP2_PREFACE.len() {
        let mut http = connection();
        let mut out = Vec::new();
        http.receive(&bytes[..cut]);
        let step = http.decode(&judge(), given(), &mut out);
        assert!(matches!(step, Step::Wait), "{cut}: {step:?}");
        assert!(http.is_first(), "its deadline is that of a first head");
        http.receive(&bytes[cut..]);
        let step = http.decode(&judge(), given(), &mut out);
        assert!(matches!(step, Step::HandOver), "{cut}: {step:?}");
        assert!(out.is_empty());
        let read = http.take_unread();
        assert_eq!(read, bytes);
        assert_eq!(Protocol::of(&read), Protocol::Http2);
    }
    for other in [b"PRI * HTTP/1.1\r\n\r\n".as_slice(), b"PRI /c/a HTTP/1.1\r\n\r\n"] {
        let mut http = connection();
        http.receive(other);
        let step = http.decode(&judge(), given(), &mut Vec::new());
        assert!(matches!(step, Step::HandOver | Step::Finish), "{step:?}");
        assert_eq!(Protocol::of(&http.take_unread()), Protocol::Http1);
    }
}

#[test]
fn the_preface_comes_first_or_not_at_all() {
    let mut http = connection();
    let mut out = Vec::new();
    http.receive(&[&post("x"), HTTP2_PREFACE].concat());
    let (request, _) = published(http.decode(&judge(), given(), &mut out));
    assert!(http.finish_exchange(request).is_some());
    let step = http.decode(&judge(), given(), &mut out);
    assert!(matches!(step, Step::Finish), "{step:?}");
}

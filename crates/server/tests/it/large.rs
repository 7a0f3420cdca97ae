//! The largest payload that can be configured, 32 MiB: in on every way, out on every transport; and
//! one byte more is refused with the key to change.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::reader::{Attach, Carrier, Ending, Frames, Incoming, Item, Reader, Said, Via};
use crate::server::Server;

const LIMIT: usize = 32 * 1024 * 1024;
const KEY: &str = "limits.payload_bytes_max";
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    Server::dev(&[("FANFARE_LIMITS__PAYLOAD_BYTES_MAX", "32 MiB")])
}

/// So many bytes of text in which no part looks like another.
fn text(length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut number = 0_u64;
    while text.len() < length {
        text.push_str(&number.to_string());
        text.push(' ');
        number += 1;
    }
    text.truncate(length);
    text
}

fn post(server: &Server, target: &str, headers: &str, body: &[u8]) -> (String, Value) {
    let mut wire = Incoming::connect(server.address());
    wire.patience = PATIENCE;
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    wire.send(head.as_bytes()).unwrap();
    // A refusal may come before the whole body has been taken.
    let _refused = wire.send(body);
    let (head, body) = wire.answer().expect("an answer");
    (head, serde_json::from_slice(&body).unwrap())
}

fn attach(server: &Server, carrier: Carrier, from: Option<&str>, via: Via) -> Reader {
    let (address, said) = (server.address(), Said::Since);
    let attach = Attach { address, carrier, channel: "large", from, said, via };
    let mut reader = attach.open().expect("an answer");
    reader.set_patience(PATIENCE);
    reader
}

fn data(reader: &mut Reader) -> Vec<u8> {
    loop {
        match reader.next() {
            Item::Open(_) => {}
            Item::Message(message) => return message.data,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_payload_of_32_mib_goes_out_on_every_transport_live_and_from_history() {
    let server = server();
    let payload = text(LIMIT);
    let streams = [Carrier::Sse, Carrier::Ndjson, Carrier::V1, Carrier::Raw];
    let vias = [Via::Shard, Via::Edge];
    let mut live: Vec<_> = streams
        .into_iter()
        .flat_map(|carrier| vias.map(|via| (carrier, attach(&server, carrier, None, via))))
        .collect();
    let (head, answer) = post(&server, "/c/large", "", payload.as_bytes());
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{answer}");
    for (carrier, reader) in &mut live {
        assert!(data(reader) == payload.as_bytes(), "{carrier:?} live differs");
    }
    for carrier in Carrier::ALL {
        let mut reader = attach(&server, carrier, Some("all"), Via::Shard);
        assert!(data(&mut reader) == payload.as_bytes(), "{carrier:?} from history differs");
    }
}

#[test]
fn a_payload_of_32_mib_comes_in_on_every_way() {
    let server = server();
    let payload = text(LIMIT);
    let mut reader = attach(&server, Carrier::Raw, None, Via::Shard);

    let mut raw = Frames::connect(server.address(), "/c/large?echo=0", "fanfare.raw");
    raw.send_text(payload.as_bytes());
    assert!(data(&mut reader) == payload.as_bytes(), "a raw frame differs");

    let mut v1 = Frames::connect(server.address(), "/c", "fanfare.v1");
    v1.incoming.patience = PATIENCE;
    v1.next().expect("the opening");
    v1.send_text(command(&payload).as_bytes());
    let answer = v1.next().expect("an answer");
    assert!(answer.starts_with(br#"{"id":1,"type":"ok""#), "{}", String::from_utf8_lossy(&answer));
    assert!(data(&mut reader) == payload.as_bytes(), "a command differs");

    let json = "Content-Type: application/json\r\n";
    let (_, answer) = post(&server, "/publish", json, batch(payload.as_bytes()).as_bytes());
    assert!(answer["results"][0]["offset"].is_u64(), "{answer}");
    assert!(data(&mut reader) == payload.as_bytes(), "a batch differs");
}

#[test]
fn one_byte_more_than_32_mib_is_refused_with_the_key_to_change() {
    let server = server();
    let payload = text(LIMIT + 1);
    let (head, problem) = post(&server, "/c/large", "", payload.as_bytes());
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert_refused(&problem);

    let json = "Content-Type: application/json\r\n";
    let (_, answer) = post(&server, "/publish", json, batch(payload.as_bytes()).as_bytes());
    assert_refused(&answer["results"][0]["error"]);

    let mut raw = Frames::connect(server.address(), "/c/large?echo=0", "fanfare.raw");
    raw.send_text(payload.as_bytes());
    match raw.next() {
        Err(Ending::Closed(1009, reason)) => assert!(reason.contains(KEY), "{reason}"),
        other => panic!("{other:?}"),
    }

    let mut v1 = Frames::connect(server.address(), "/c", "fanfare.v1");
    v1.incoming.patience = PATIENCE;
    v1.next().expect("the opening");
    v1.send_text(command(&payload).as_bytes());
    let answer: Value = serde_json::from_slice(&v1.next().expect("an answer")).unwrap();
    assert_refused(&answer);
    assert_eq!(answer["type"], "error");

    let (_, history) = get(&server, "/c/large/history");
    assert_eq!(history["publications"], Value::Array(Vec::new()), "nothing was published");
}

fn assert_refused(problem: &Value) {
    assert_eq!(problem["code"], "payload-too-large", "{problem}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains(KEY)), "{problem}");
}

fn command(payload: &str) -> String {
    format!(r#"{{"id":1,"type":"publish","channel":"large","data":"{payload}"}}"#)
}

/// One item in base64, which is a third more than the payload that counts.
fn batch(payload: &[u8]) -> String {
    let data = STANDARD.encode(payload);
    format!(r#"[{{"channel":"large","data":"{data}","encoding":"base64"}}]"#)
}

fn get(server: &Server, target: &str) -> (String, Value) {
    let mut wire = Incoming::connect(server.address());
    wire.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let (head, body) = wire.answer().expect("an answer");
    (head, serde_json::from_slice(&body).unwrap())
}

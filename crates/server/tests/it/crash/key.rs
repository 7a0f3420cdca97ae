//! An idempotency key outlives a crash: the same key before and after it is one publication, whether
//! the first answer has come or not.

use std::time::Duration;

use serde_json::Value;

use super::crashing::{Directory, start};
use crate::reader::Incoming;
use crate::wire::{Wire, body};

fn request(key: &str, text: &str) -> String {
    let length = text.len();
    format!(
        "POST /c/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Idempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n{text}"
    )
}

fn publish(address: &str, key: &str, text: &str) -> (String, Value) {
    let mut wire = Wire::connect(address);
    wire.send(request(key, text));
    let answer = wire.answer();
    (answer.lines().next().unwrap().to_owned(), serde_json::from_str(body(&answer)).unwrap())
}

/// The payloads of everything that is kept.
fn kept(address: &str) -> Vec<String> {
    let mut wire = Wire::connect(address);
    wire.ask("GET /c/orders/history?limit=1000 HTTP/1.1", &[]);
    let page: Value = serde_json::from_str(body(&wire.answer())).unwrap();
    let data = |told: &Value| told["data"].as_str().unwrap().to_owned();
    page["publications"].as_array().unwrap().iter().map(data).collect()
}

#[test]
fn a_key_that_was_answered_gives_the_same_answer_after_a_kill() {
    let directory = Directory::new("key");
    let first = {
        let server = start(directory.path(), &[]);
        let (status, first) = publish(server.address(), "order-17", "seventeen");
        assert!(status.contains(" 200 ") && first.get("duplicate").is_none(), "{status} {first}");
        first
    };
    for shards in ["1", "3"] {
        let server = start(directory.path(), &[("FANFARE_SHARDS", shards)]);
        let (status, again) = publish(server.address(), "order-17", "seventeen");
        assert!(status.contains(" 200 "), "{status} {again}");
        assert_eq!(again["duplicate"], true, "{again}");
        for part in ["offset", "epoch"] {
            assert_eq!(again[part], first[part]);
        }
        let (status, other) = publish(server.address(), "order-17", "eighteen");
        assert!(status.contains(" 422 "), "{status} {other}");
        assert_eq!(kept(server.address()), ["seventeen"]);
    }
}

/// Nobody knows whether a publish was made whose answer never came; repeated with its key it is there
/// once, before and after.
#[test]
fn a_key_whose_answer_was_lost_in_a_kill_is_one_publication() {
    let directory = Directory::new("key-unknown");
    let mut sent: Vec<String> = Vec::new();
    let mut repeated = 0;
    for round in 0..30 {
        let server = start(directory.path(), &[]);
        for text in sent.iter().rev().take(2) {
            let (status, answer) = publish(server.address(), text, text);
            assert!(status.contains(" 200 "), "{status} {answer}");
            repeated += usize::from(answer["duplicate"] == true);
        }
        assert_eq!(kept(server.address()), sent, "each once, in its order");
        let text = format!("order-{round}");
        let mut incoming = Incoming::try_connect(server.address()).unwrap();
        incoming.send(request(&text, &text).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..4_000)));
        drop(server);
        sent.push(text);
    }
    println!("{repeated} of 58 repetitions had been published before");
}

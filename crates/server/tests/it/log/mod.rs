//! The log as those see it who run a server: a disk without room, a bound, a copy, a restart.
//!
//! - `full`: a disk without room, and room again
//! - `bound`: publishing without end
//! - `copy`: a copy that is made while the server runs, and a server on it
//! - `stopped`: `dev` is stopped and started, and `sub` missed nothing
//! - `command`: what `fanfare log` prints

mod bound;
mod command;
mod copy;
mod full;
mod stopped;

use crate::reader::{Attach, Carrier, Item, Said, Via};
use crate::wire::{Wire, body};

/// Publishes a text; gives the answer.
fn post(wire: &mut Wire, target: &str, text: &str) -> String {
    let length = format!("Content-Length: {}", text.len());
    wire.ask(&format!("POST {target} HTTP/1.1"), &["Content-Type: text/plain", &length]);
    wire.send(text);
    wire.answer()
}

/// Publishes a text, which has to be taken; gives its position as `offset.epoch`.
fn published(wire: &mut Wire, target: &str, text: &str) -> String {
    let answer = post(wire, target, text);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let told: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    format!("{}.{}", told["offset"], told["epoch"].as_str().unwrap())
}

/// What a reader from `from` is given, up to so many publications; a gap fails.
fn read(address: &str, carrier: Carrier, from: &str, count: usize) -> Vec<String> {
    let (channel, from, said, via) = ("news", Some(from), Said::Since, Via::Shard);
    let mut reader = Attach { address, carrier, channel, from, said, via }.open().unwrap();
    let mut texts = Vec::new();
    while texts.len() < count {
        match reader.next() {
            Item::Open(_) => {}
            Item::Message(told) => texts.push(String::from_utf8(told.data).unwrap()),
            other => panic!("after {}: {other:?}", texts.len()),
        }
    }
    texts
}

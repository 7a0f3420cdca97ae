//! Readers that get only what is newest, over everything that carries a stream.

mod command;
mod reader;
mod ticker;

use std::time::{Duration, Instant};

use crate::reader::{Attach, Carrier, Item, Said, Via};
use crate::server::Server;
use crate::wire::Wire;
use reader::{CARRIED, Paced};

/// Publications that follow one another without a pause.
const BURST: u64 = 30;

#[test]
fn at_a_pace_a_burst_is_its_first_and_its_last_whatever_carries_it() {
    let server = Server::dev(&[]);
    let readers = CARRIED.map(|carried| Paced::open(server.address(), carried, "max_rate=1.9"));
    for number in 1..=BURST {
        publish(&server, "ticker", "ACME", number);
        if number == 1 {
            // A moment needs something to open it; the rest is for the next.
            readers.iter().for_each(|reader| reader.wait_for("#ACME,1,"));
        }
    }
    publish(&server, "ticker", "INIT", BURST + 1);
    for reader in readers {
        let last = format!("#INIT,{},", BURST + 1);
        reader.wait_for(&last);
        let told = reader.told();
        let numbers: Vec<u64> = told.iter().map(|told| told.number).collect();
        assert_eq!(numbers, [1, BURST, BURST + 1], "{:?}", reader.carried);
        let pause = told[1].at - told[0].at;
        assert!(pause >= Duration::from_millis(900), "{:?} after {pause:?}", reader.carried);
        assert!(reader.declares("\"policy\":\"latest\",\"max_rate\":1"), "{:?}", reader.carried);
    }
    let conflated = server.connect().figure("fanfare_conflated_total");
    // Each format and way to read it has a feed of its own on each shard.
    assert!(conflated >= 5 * (BURST - 2), "{conflated}");
}

#[test]
fn a_namespace_declares_that_its_readers_may_skip_and_a_poll_skips_nothing() {
    let file = "[namespaces.latest]\nprefix = \"latest:\"\nslow_reader = \"latest\"\n";
    let server = Server::configured("dev", file);
    let readers = CARRIED.map(|carried| Paced::open_on(server.address(), carried, "latest:a", ""));
    for number in 1..=BURST {
        publish(&server, "latest:a", "ACME", number);
    }
    for reader in readers {
        reader.wait_for(&format!("#ACME,{BURST},"));
        let numbers: Vec<u64> = reader.told().iter().map(|told| told.number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        assert!(reader.declares("\"policy\":\"latest\""), "{:?}", reader.carried);
        assert!(!reader.contains("max_rate"));
    }
    let attach = Attach {
        address: server.address(),
        carrier: Carrier::Poll,
        channel: "latest:a",
        from: Some("all"),
        said: Said::Since,
        via: Via::Shard,
    };
    let mut poll = attach.open().unwrap();
    for number in 1..=BURST {
        match poll.next() {
            Item::Message(message) => assert_eq!(message.offset, Some(number)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_channel_that_is_added_later_is_read_at_the_same_pace() {
    let server = Server::dev(&[]);
    publish(&server, "ticker", "ACME", 1);
    publish(&server, "ticker", "ACME", 2);
    publish(&server, "ticker", "INIT", 3);
    let mut wire = server.connect();
    wire.open_websocket("/c?max_rate=50", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    let open = String::from_utf8(wire.frame().1).unwrap();
    assert!(open.contains("\"policy\":\"latest\",\"max_rate\":50"), "{open}");
    let subscribe = br#"{"id":1,"type":"subscribe","channel":"ticker","since":"all"}"#;
    wire.send(crate::wire::frame(0x81, subscribe));
    let mut text = || String::from_utf8(wire.frame().1).unwrap();
    let told = text();
    assert!(told.contains("\"type\":\"ok\"") && told.contains("\"policy\":\"latest\""), "{told}");
    assert!(text().contains("#ACME,2,"));
    assert!(text().contains("#INIT,3,"));
}

#[test]
fn a_pace_that_cannot_be_kept_is_refused_with_what_could_be() {
    let server = Server::dev(&[]);
    for (target, code, hint) in [
        ("/c/a?max_rate=0.5", "parameter-invalid", "max_rate=5"),
        ("/c/a?max_rate=often&as=ndjson", "parameter-invalid", "max_rate=5"),
        ("/c/a?max_rate=5&wait=1", "parameter-conflict", "Leave out `max_rate=`"),
        ("/c/a?max_rate=5&poll=1", "parameter-conflict", "Leave out `max_rate=`"),
    ] {
        let mut wire = server.connect();
        wire.ask(&format!("GET {target} HTTP/1.1"), &[]);
        let answer = wire.answer();
        assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
        assert!(answer.contains(code) && answer.contains(hint), "{target}: {answer}");
    }
}

fn publish(server: &Server, channel: &str, key: &str, number: u64) {
    let body = reader::payload(key, number, Duration::ZERO);
    let length = format!("Content-Length: {}", body.len());
    let mut wire: Wire = server.connect();
    wire.ask(&format!("POST /c/{channel}?conflate={key} HTTP/1.1"), &[&length]);
    wire.send(body);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Waits for something that no event tells, and fails after a while.
fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !met() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

//! WebSockets whose messages are deflated: once for all who can take it, and not for the others.

use fanfare_core::shard::Figures;
use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::native::route::Compression;
use fanfare_protocol::websocket::{Event, Frame, MessageKind, append_frame, deflate_frame};

use super::client::Client;
use super::{Running, Wishes};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn compressing() -> Running {
    let compression = Compression { websocket: true, streams: true };
    Running::start(&Wishes { compression, ..Wishes::default() })
}

fn reader(running: &Running, target: &str, protocol: &str, offer: &str) -> Client {
    let mut client = Client::connect(running.address);
    client.upgrade_offering(target, protocol, offer);
    if protocol == "fanfare.v1" {
        assert!(client.text().contains("\"type\":\"open\""));
    }
    client
}

/// A text of this length that can be made smaller.
fn prose(bytes: usize) -> String {
    let words = "a publication is deflated once and shared by every reader of its channel; ";
    words.repeat(bytes / words.len() + 1).split_off(0)[..bytes].to_owned()
}

/// A masked frame of a client that is deflated.
fn deflated(payload: &str) -> Vec<u8> {
    let message = Frame::Message { kind: MessageKind::Text, payload: payload.as_bytes() };
    let mut plain = Vec::new();
    append_frame(&mut plain, &message, None);
    let frame = deflate_frame(&mut Deflater::new(), &plain).unwrap();
    let head = if frame[1] < 126 { 2 } else { 4 };
    let mut out = vec![frame[0], frame[1] | 0x80];
    out.extend_from_slice(&frame[2..head]);
    // A mask of zeros changes nothing.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&frame[head..]);
    out
}

fn deflate_passage(running: &Running) -> crate::coding::CodingFigures {
    let mut all = crate::coding::CodingFigures::default();
    for snapshot in running.snapshots() {
        all.add(&snapshot.sockets.coding);
    }
    all
}

#[test]
fn a_publication_is_deflated_once_for_all_who_can_take_it() {
    let running = compressing();
    for (channel, protocol) in [("raw", "fanfare.raw"), ("v1", "fanfare.v1")] {
        let target = format!("/c/{channel}");
        let mut plain = reader(&running, &target, protocol, "permessage-bzip2");
        assert_eq!(plain.extension, None);
        // On both shards, which share what the owner deflated.
        let mut readers: Vec<_> =
            (0..4).map(|_| reader(&running, &target, protocol, OFFER)).collect();
        let before = deflate_passage(&running).compressed[0];
        let text = prose(4_000);
        Client::connect(running.address).post(channel, &text).expect("200 OK");
        let (frame, Event::Message { data, .. }) = plain.frame_and_event() else {
            panic!("no message");
        };
        assert_eq!(frame[0], 0x81, "as it is for who has not asked");
        assert!(String::from_utf8_lossy(&data).contains(&text));
        let mut shared = None;
        for reader in &mut readers {
            let (deflated, event) = reader.frame_and_event();
            assert_eq!(deflated[0], 0xc1);
            assert!(deflated.len() < 400, "{} bytes", deflated.len());
            assert_eq!(event, Event::Message { kind: MessageKind::Text, data: data.clone() });
            assert_eq!(*shared.get_or_insert(deflated.clone()), deflated);
        }
        let after = deflate_passage(&running).compressed[0];
        assert_eq!(after.taken - before.taken, frame.len() as u64, "once, for four readers");
        assert_eq!(after.given - before.given, shared.unwrap().len() as u64);
    }
}

#[test]
fn what_is_short_goes_as_it_is() {
    let running = compressing();
    let mut client = reader(&running, "/c/a", "fanfare.raw", OFFER);
    for (bytes, first) in [(1, 0x81), (255, 0x81), (256, 0xc1), (300, 0xc1), (100_000, 0xc1)] {
        let mut publisher = Client::connect(running.address);
        if bytes > 60_000 {
            publisher = reader(&running, "/c/a?since=now", "fanfare.raw", "none");
            publisher.say(&prose(bytes));
        } else {
            publisher.post("a", &prose(bytes)).expect("200 OK");
        }
        let (frame, Event::Message { data, .. }) = client.frame_and_event() else {
            panic!("no message");
        };
        assert_eq!(frame[0], first, "{bytes}");
        assert!(data == prose(bytes));
    }
}

#[test]
fn a_client_publishes_deflated_or_not_as_it_likes() {
    let running = compressing();
    let mut plain = reader(&running, "/c/a", "fanfare.raw", "none");
    let mut client = reader(&running, "/c/a", "fanfare.raw", OFFER);
    client.send(&deflated(&prose(3_000)));
    assert!(plain.text() == prose(3_000));
    assert!(client.text() == prose(3_000), "it gets its own");
    client.say("as it is");
    assert_eq!(plain.text(), "as it is");
    let mut v1 = reader(&running, "/c", "fanfare.v1", OFFER);
    let data = prose(3_000);
    v1.send(&deflated(&format!(
        "{{\"id\":1,\"type\":\"publish\",\"channel\":\"a\",\"data\":\"{data}\"}}"
    )));
    assert!(v1.text().contains("\"type\":\"ok\""));
    assert!(plain.text() == data);
    let inflated = deflate_passage(&running).inflated;
    assert!(inflated.taken < 1_000 && inflated.given > 6_000, "{inflated:?}");
}

#[test]
fn what_inflates_to_much_arrives_whole_and_in_its_place() {
    let running = compressing();
    let mut plain = reader(&running, "/c/a", "fanfare.raw", "none");
    let mut client = reader(&running, "/c/a?echo=0", "fanfare.raw", OFFER);
    // Small ones inflate on the shard, large ones apart from it, and none overtakes another.
    let sizes = [300, 65_536, 65_537, 1_000, 400_000, 2_000, 300_000];
    let frames: Vec<u8> = sizes.iter().flat_map(|bytes| deflated(&prose(*bytes))).collect();
    client.send(&frames);
    for bytes in sizes {
        assert!(plain.text() == prose(bytes), "{bytes}");
    }
    // More than one visit may inflate, in one read.
    let many = deflated(&prose(60_000)).repeat(50);
    client.send(&many);
    for _ in 0..50 {
        assert!(plain.text() == prose(60_000));
    }
    let inflated = deflate_passage(&running).inflated;
    let sum = sizes.iter().sum::<usize>() + 50 * 60_000;
    assert_eq!(inflated.given, sum as u64, "all of it is counted, once");
}

#[test]
fn who_sends_what_cannot_be_inflated_is_closed() {
    let running = compressing();
    let zeros = "0".repeat(1_000_000);
    for (name, frame, code, words) in [
        ("no deflate", vec![0xc1, 0x83, 0, 0, 0, 0, 0xff, 0xff, 0xff], 1007, "cannot be inflated"),
        ("a bomb", deflated(&zeros), 1009, "more than 200 times its length"),
        ("a ping", vec![0xc9, 0x80, 0, 0, 0, 0], 1002, "begins none"),
    ] {
        let mut client = reader(&running, "/c/a", "fanfare.raw", OFFER);
        client.send(&frame);
        let (number, reason) = client.closed();
        assert_eq!(number, code, "{name}: {reason}");
        assert!(reason.contains(words), "{name}: {reason}");
    }
    // Where nothing was agreed, the bit means nothing.
    let mut client = reader(&running, "/c/a", "fanfare.raw", "none");
    client.send(&deflated(&prose(1_000)));
    assert_eq!(client.closed().0, 1002);
}

#[test]
fn nothing_is_agreed_on_unless_it_is_switched_on() {
    let running = Running::start(&Wishes::default());
    let client = reader(&running, "/c/a", "fanfare.raw", OFFER);
    assert_eq!(client.extension, None);
    drop(client);
    let running = compressing();
    for (offer, answered) in [
        (OFFER, Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")),
        ("permessage-deflate; server_max_window_bits=12", None),
        (
            "permessage-deflate; server_max_window_bits=12, permessage-deflate; \
             server_max_window_bits=15",
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=15",
            ),
        ),
    ] {
        let client = reader(&running, "/c/a", "fanfare.v1", offer);
        assert_eq!(client.extension.as_deref(), answered, "{offer}");
    }
}

#[test]
fn who_comes_back_gets_what_it_missed_deflated() {
    let running = compressing();
    for number in 0..20 {
        let text = format!("{number} {}", prose(1_000));
        Client::connect(running.address).post("a", &text).expect("200 OK");
    }
    for _ in 0..3 {
        let mut client = reader(&running, "/c/a?since=all", "fanfare.v1", OFFER);
        for number in 0..20 {
            let (frame, Event::Message { data, .. }) = client.frame_and_event() else {
                panic!("no message");
            };
            assert_eq!(frame[0], 0xc1);
            let text = String::from_utf8_lossy(&data).into_owned();
            assert!(text.contains(&format!("\"data\":\"{number} a publication")), "{text}");
        }
    }
    // When its readers have gone, so have their feeds.
    let feeds = |snapshot: &Figures| snapshot.feeds;
    running.wait_until("the feeds are closed", |running| {
        running.snapshots().iter().map(|snapshot| feeds(&snapshot.core)).sum::<u64>() == 0
    });
}

//! What a change does to its stream.

use serde_json::{Value, json};

use super::live::{Changer, Form, Http, Live, Told, Way, offset, ways};
use crate::reader::{Ending, Via};
use crate::server::Server;

const WAY: Way = Way { form: Form::Sse, via: Via::Shard, http: Http::V11 };

#[test]
fn channels_come_to_a_stream_and_go_on_every_way() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    for (number, way) in ways().enumerate() {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        server.publish(&b, "b1");
        let mut live = Live::open(server.address(), way, &format!("/c/{a}"), &[]);
        server.publish(&a, "a1");
        let (data, id) = live.message();
        assert_eq!((&*data, id.matches('~').count()), ("a1", 1), "{way:?}");

        let session = live.session.clone();
        let cursor = changer.add(&session, &json!({"channel": b, "since": "all"}));
        assert_eq!(offset(&cursor, &b), Some(0), "it is read from the start");
        let (data, id) = live.message();
        assert_eq!(data, "b1", "{way:?}");
        assert_eq!((offset(&id, &a), offset(&id, &b)), (Some(1), Some(1)), "{way:?}");

        changer.drop(&session, &b);
        server.publish(&b, "b2");
        server.publish(&a, "a2");
        let (data, id) = live.message();
        assert_eq!(data, "a2", "nothing of a channel that was dropped");
        assert_eq!((offset(&id, &a), offset(&id, &b)), (Some(2), Some(1)), "its place is carried");

        let cursor = changer.add(&session, &json!({"channel": b}));
        assert_eq!(offset(&cursor, &b), Some(1), "it goes on where it stood");
        assert_eq!(live.message().0, "b2", "{way:?}");
        let last = live_until_end(&server, &mut live, [&a, &b]);
        assert_eq!(last, Ending::Whole, "{way:?}");
    }
}

/// Ends both channels; how the stream ends after the last one.
fn live_until_end(server: &Server, live: &mut Live, channels: [&str; 2]) -> Ending {
    for channel in channels {
        server.publish(&format!("{channel}?end=1"), "last");
        assert_eq!(live.message().0, "last");
        let Ok(Told::Other { name, data, .. }) = live.next() else {
            panic!("no end");
        };
        assert_eq!((&*name, &data["channel"]), ("end", &json!(channel)));
    }
    let ending = live.next().unwrap_err();
    // Without chunks the end of the connection is all there is to say it.
    if ending == Ending::Cut { Ending::Whole } else { ending }
}

#[test]
fn a_stream_without_channels_stays_and_takes_others() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    let mut live = Live::open(server.address(), WAY, "/c/only?heartbeat=5s", &[]);
    server.publish("only", "1");
    live.message();
    let session = live.session.clone();
    changer.drop(&session, "only");
    server.publish("only", "2");
    changer.add(&session, &json!({"channel": "other"}));
    server.publish("other", "x");
    let (data, id) = live.message();
    assert_eq!(data, "x");
    assert_eq!((offset(&id, "only"), offset(&id, "other")), (Some(1), Some(1)));
    // Who comes back to the URL with that id has missed nothing of what the URL names.
    let header = format!("Last-Event-ID: {id}");
    let mut back = Live::open(server.address(), WAY, "/c/only", &[&header]);
    assert_eq!(back.message().0, "2");
    server.publish("other", "y");
    let cursor = changer.add(&back.session.clone(), &json!({"channel": "other"}));
    assert_eq!(offset(&cursor, "other"), Some(1), "carried through the cut");
    assert_eq!(back.message().0, "y");
}

#[test]
fn each_channel_of_a_change_has_its_result() {
    let server = Server::dev(&[("FANFARE_LIMITS__CHANNELS_PER_CONNECTION_MAX", "3")]);
    let mut changer = Changer::new(server.address(), &[]);
    let live = Live::open(server.address(), WAY, "/c/a,b", &[]);
    let results = changer.change(
        &live.session,
        &json!({
            "subscribe": [
                {"channel": "b"},
                {"channel": "$x"},
                {"channel": "c", "since": "never"},
                {"channel": "c"},
                {"channel": "c"},
                {"channel": "d", "since": "1.aAAAAAAAAAB"},
                {"channel": "e"},
            ],
            "unsubscribe": ["a", "a", "nowhere"],
        }),
    );
    let words = |result: &Value| match &result["error"] {
        Value::Null => (result["channel"].clone(), json!("ok")),
        error => (result["channel"].clone(), error["code"].clone()),
    };
    let told: Vec<_> = results.iter().map(words).collect();
    let expected = [
        ("a", "ok"),
        ("a", "not-subscribed"),
        ("nowhere", "not-subscribed"),
        ("b", "already-subscribed"),
        ("$x", "channel-invalid"),
        ("c", "since-invalid"),
        ("c", "ok"),
        ("c", "already-subscribed"),
        ("d", "ok"),
        ("e", "too-many-channels"),
    ];
    assert_eq!(told, expected.map(|(channel, word)| (json!(channel), json!(word))));
    assert_eq!(results[0], json!({"channel": "a"}), "what was dropped has no place to tell");
    let mut live = live;
    let Ok(Told::Other { name, data, id }) = live.next() else { panic!("no gap") };
    assert_eq!((&*name, &data["channel"]), ("gap", &json!("d")), "told in the stream");
    assert!(results[8]["cursor"] != json!(id), "the answer has the place that was claimed");
    let mut wire = server.connect();
    assert_eq!(wire.figure("fanfare_session_changes_total{outcome=\"made\"}"), 3);
    assert_eq!(wire.figure("fanfare_session_changes_total{outcome=\"refused\"}"), 7);
    assert_eq!(wire.figure("fanfare_refusals_total{reason=\"not-subscribed\"}"), 2);
    assert_eq!(wire.figure("fanfare_refusals_total{reason=\"channel-invalid\"}"), 1);
}

#[test]
fn changes_that_come_together_are_made_in_turn() {
    let server = Server::dev(&[]);
    let mut live = Live::open(server.address(), WAY, "/c/a", &[]);
    let changers: Vec<_> = (0..8)
        .map(|number| {
            let mut changer = Changer::new(server.address(), &[]);
            let add: Vec<_> =
                (0..7).map(|at| json!({"channel": format!("c{number}-{at}")})).collect();
            changer.send(&live.session, &json!({ "subscribe": add }).to_string());
            changer
        })
        .collect();
    for mut changer in changers {
        let (_, answer) = changer.answer();
        let results = answer["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["cursor"].is_string()), "{answer}");
    }
    server.publish("c7-6", "x");
    let (_, id) = live.message();
    assert_eq!(id.matches('~').count(), 57, "{id}");
    let mut changer = Changer::new(server.address(), &[]);
    let all: Vec<_> = (0..8).flat_map(|n| (0..7).map(move |at| format!("c{n}-{at}"))).collect();
    let results = changer.change(&live.session, &json!({ "unsubscribe": all }));
    assert!(results.iter().all(|result| result["error"].is_null()), "{results:?}");
}

#[test]
fn a_stream_is_a_member_of_channels_that_it_adds_and_hears_of_others() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    for (number, way) in ways().enumerate() {
        let lobby = format!("lobby{number}");
        let mut live = Live::open(server.address(), way, "/c/a?client=ada", &[]);
        let session = live.session.clone();
        changer.add(&session, &json!({"channel": lobby, "presence": true}));
        let there = Live::open(server.address(), way, &format!("/c/{lobby}?client=bob"), &[]);
        let Ok(Told::Other { name, data, .. }) = live.next() else { panic!("nobody came") };
        assert_eq!((&*name, &data["client"]), ("join", &json!("bob")), "{way:?}");
        let mut wire = server.connect();
        wire.ask(&format!("GET /c/{lobby}/presence HTTP/1.1"), &[]);
        let answer = wire.answer();
        assert!(answer.contains("\"ada\"") && answer.contains("\"bob\""), "{answer}");
        changer.drop(&session, &lobby);
        drop(there);
    }
}

#[test]
fn who_publishes_with_a_session_does_not_get_it_back() {
    let server = Server::dev(&[]);
    for way in ways() {
        let mut live = Live::open(server.address(), way, "/c/chat", &[]);
        let mut wire = server.connect();
        let header = format!("Fanfare-Session: {}", live.session);
        wire.ask("POST /c/chat HTTP/1.1", &[&header, "Content-Length: 3"]);
        wire.send("own");
        assert!(wire.answer().starts_with("HTTP/1.1 200"));
        // One that nobody has, or that is none, is ignored.
        for other in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "k3JxVQm8T1e0a9ZrWcYpLg", "~"] {
            let header = format!("Fanfare-Session: {other}");
            wire.ask("POST /c/chat HTTP/1.1", &[&header, "Content-Length: 6"]);
            wire.send("others");
            assert!(wire.answer().starts_with("HTTP/1.1 200"));
            assert_eq!(live.message().0, "others", "{way:?}");
        }
    }
}

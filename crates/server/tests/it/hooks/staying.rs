//! Those whom the backend let in for a while: before it is over it is asked whether they may stay.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Asking, Backend, Reply, ada, closed, command, send, text};
use crate::wire::Wire;

/// So many seconds from now.
fn ahead(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds
}

/// Ada, for so many seconds.
fn ada_for(seconds: u64) -> Reply {
    let mut answer = ada();
    answer["expires"] = json!(ahead(seconds));
    Reply::Json(answer)
}

/// Lets in for a few seconds, and answers so whether they may stay.
fn backend(stay: impl Fn() -> Reply + Send + Sync + 'static) -> Backend {
    Backend::start(move |question| match question["type"].as_str() {
        Some("refresh") => {
            assert_eq!(question["user"], "ada");
            stay()
        }
        _ => ada_for(4),
    })
}

const BRIEF: &str = "expiry_notice = \"2s\"\nexpiry_grace = \"0s\"\n";

fn start(backend: &Backend, more: &str) -> Asking {
    Asking::start_with(backend, &["connect", "refresh"], BRIEF, more)
}

/// A reader of each kind that is there from the start.
fn readers(asking: &Asking) -> (Vec<Wire>, Vec<Wire>) {
    let mut streams = Vec::from(asking.connections());
    for wire in &mut streams {
        wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
        wire.until("fanfare.open");
    }
    let mut sockets = Vec::from(asking.connections());
    for wire in &mut sockets {
        wire.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        assert_eq!(text(wire)["type"], "open");
    }
    (streams, sockets)
}

#[test]
fn who_may_stay_stays_and_is_told_nothing() {
    let backend = backend(|| ada_for(3600));
    let asking = start(&backend, "");
    let (mut streams, mut sockets) = readers(&asking);
    backend.wait_for(8);
    let asked = backend.asked();
    let refresh: Vec<&Value> = asked.iter().filter(|it| it["type"] == "refresh").collect();
    assert_eq!(refresh.len(), 4, "{asked:?}");
    assert!(refresh.iter().all(|it| it["expires"].is_u64() && it["headers"].is_null()));
    // Past the moment at which they would have had to go.
    std::thread::sleep(Duration::from_secs(4));
    let key = ["Authorization: Bearer k"];
    let (status, _) =
        send(&mut asking.server.connect(), "POST /c/chat:a HTTP/1.1", &key, "still here");
    assert_eq!(status, 200);
    for wire in &mut streams {
        let told = wire.until("data: still here\n");
        assert!(!told.contains("fanfare.expiring"), "{told}");
    }
    for wire in &mut sockets {
        assert_eq!(text(wire)["data"], "still here");
        let publish = json!({"id": 1, "type": "publish", "channel": "chat:b", "data": 1});
        assert_eq!(command(wire, &publish)["type"], "ok");
    }
    assert!(backend.asked().is_empty());
}

#[test]
fn who_may_not_goes_with_the_words_of_the_backend() {
    let backend = backend(|| Reply::Json(json!({"allow": false, "reason": "Logged out."})));
    let asking = start(&backend, "");
    let (streams, sockets) = readers(&asking);
    for mut wire in sockets {
        assert_eq!(closed(&mut wire), (4001, "unauthorized: Logged out.".to_owned()));
    }
    for mut wire in streams {
        let (told, _) = wire.end();
        assert!(told.contains("retry: ") && !told.ends_with("0\r\n\r\n"), "{told}");
    }
}

#[test]
fn when_nobody_says_they_are_told_and_their_time_runs_out_or_they_stay() {
    let backend = backend(|| Reply::Bytes(Vec::new()));
    let asking = start(&backend, "");
    let (streams, sockets) = readers(&asking);
    for mut wire in sockets {
        assert_eq!(text(&mut wire)["type"], "expiring");
        assert_eq!(closed(&mut wire).0, 4001);
    }
    for mut wire in streams {
        wire.until("fanfare.expiring");
        wire.end();
    }
    let asking = start(&backend, "refresh_on_failure = \"allow\"\n");
    let (_, sockets) = readers(&asking);
    std::thread::sleep(Duration::from_secs(5));
    for mut wire in sockets {
        assert_eq!(command(&mut wire, &json!({"id": 1, "type": "ping"}))["id"], 1);
    }
}

#[test]
fn what_is_granted_no_more_ends_who_reads_it() {
    let backend = backend(|| {
        let grants = json!({"subscribe": ["news"]});
        Reply::Json(json!({"allow": true, "grants": grants, "expires": ahead(3600)}))
    });
    let asking = start(&backend, "");
    let mut wire = asking.server.connect();
    wire.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    text(&mut wire);
    let (code, reason) = closed(&mut wire);
    assert_eq!(code, 4003, "{reason}");
}

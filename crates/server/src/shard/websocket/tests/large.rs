//! Messages that a clerk reads: the session waits for each, and goes on as if it had read it itself.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::frame::Format;
use fanfare_core::publication::Data;
use fanfare_core::shard::{Echo, Request};
use fanfare_protocol::websocket::{CloseCode, Event, Frame};

use super::{Who, anonymous, closed_with, frame, judge, judge_by, keyed, said, session, text};
use crate::clerk::LARGE_BYTES;
use crate::limit::Terms;
use crate::shard::step::Step;
use crate::shard::websocket::{Large, Session};

/// What a client says that a clerk has to read.
fn hand_in(session: &mut Session, bytes: &[u8]) -> (u64, Large) {
    let mut out = Vec::new();
    match session.receive(bytes, &judge(), 0, &mut out) {
        Step::HandIn { request, large } if out.is_empty() => (request, *large),
        step => panic!("{step:?}"),
    }
}

/// What the session is told at last.
fn told(out: &[u8]) -> String {
    match said(out).pop() {
        Some(Event::Message { data, .. }) => String::from_utf8(data.to_vec()).unwrap(),
        other => panic!("no message: {other:?}"),
    }
}

fn publish(data: &str) -> Vec<u8> {
    text(&format!("{{\"id\":7,\"type\":\"publish\",\"channel\":\"a\",\"data\":\"{data}\"}}"))
}

#[test]
fn a_large_command_is_read_elsewhere_and_nothing_overtakes_it() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let data = "x".repeat(LARGE_BYTES);
    let both = [publish(&data), text("{\"id\":8,\"type\":\"ping\"}")].concat();
    let (request, large) = hand_in(&mut session, &both);
    assert!(!session.listens() && session.has_more());
    let mut out = Vec::new();
    let step = session.take_read(request, large.read(), &judge(), 0, &mut out);
    let Step::Ask { question: Request::Publish(draft), .. } = step else { panic!("{step:?}") };
    assert_eq!(draft.content.unwrap().data, Data::Text(data.into()));
    assert!(out.is_empty() && !session.listens(), "now the owner is waited for");
}

#[test]
fn what_is_not_waited_for_is_passed_over() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let (request, large) = hand_in(&mut session, &publish(&"x".repeat(LARGE_BYTES)));
    let mut out = Vec::new();
    // The session was closed meanwhile, by a drain or an expiry.
    session.close(CloseCode::SERVICE_RESTART, "come back", &mut out);
    out.clear();
    let step = session.take_read(request, large.read(), &judge(), 0, &mut out);
    assert!(matches!(step, Step::Wait) && out.is_empty(), "{step:?}");
}

#[test]
fn what_is_wrong_with_it_is_told_as_of_any_other() {
    let padding = " ".repeat(LARGE_BYTES);
    for (command, words) in [
        (format!("{{\"id\":1,{padding}\"type\":\"sing\"}}"), "command-unknown"),
        (format!("{{\"id\":1,{padding}\"type\""), "command-invalid"),
        (format!("{{\"id\":1,{padding}\"type\":\"ping\"}}"), "{\"id\":1,\"type\":\"ok\"}"),
    ] {
        let mut session = session(Format::WebSocketV1, Echo::On);
        let (request, large) = hand_in(&mut session, &text(&command));
        let mut out = Vec::new();
        let step = session.take_read(request, large.read(), &judge(), 0, &mut out);
        assert!(matches!(step, Step::Told(_) | Step::Wait), "{step:?}");
        assert!(told(&out).contains(words), "{words}");
        assert!(session.listens(), "it goes on");
    }
}

#[test]
fn who_may_do_it_is_asked_when_it_has_been_read() {
    let talk = Who { subscribe: true, publish: true, mute: false };
    let mut session = anonymous(Format::WebSocketV1, Echo::On, &judge_by(keyed(talk, [])));
    let (request, large) = hand_in(&mut session, &publish(&"x".repeat(LARGE_BYTES)));
    // Meanwhile the configuration was read again, and no client publishes any more.
    let mute = judge_by(keyed(Who { mute: true, ..talk }, []));
    let mut out = Vec::new();
    let step = session.take_read(request, large.read(), &mute, 0, &mut out);
    assert!(matches!(step, Step::Told(Code::Forbidden)), "{step:?}");
    assert!(told(&out).contains("forbidden"));
}

#[test]
fn a_large_binary_frame_of_v1_is_not_read_at_all() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let kind = fanfare_protocol::websocket::MessageKind::Binary;
    let bytes = frame(&Frame::Message { kind, payload: &vec![b'{'; 2 * LARGE_BYTES] });
    let mut out = Vec::new();
    session.receive(&bytes, &judge(), 0, &mut out);
    assert_eq!(closed_with(&out).0, 1003);
}

#[test]
fn what_there_is_no_room_for_is_sent_away_and_not_kept() {
    let mut judge = judge();
    judge.terms = Arc::new(Terms { large_bytes: Some(1 << 20), ..Terms::default() });
    let whole = publish(&"x".repeat(1 << 20));
    let mut first = anonymous(Format::WebSocketV1, Echo::On, &judge);
    let mut second = anonymous(Format::WebSocketV1, Echo::On, &judge);
    let mut out = Vec::new();
    // A single one may be larger than what several hold together.
    for piece in whole[..900_000].chunks(LARGE_BYTES) {
        assert!(matches!(first.receive(piece, &judge, 0, &mut out), Step::Wait));
    }
    let mut pieces = whole.chunks(LARGE_BYTES);
    let step = pieces.by_ref().find_map(|piece| {
        let step = second.receive(piece, &judge, 0, &mut out);
        (!matches!(step, Step::Wait)).then_some(step)
    });
    assert!(matches!(step, Some(Step::AwaitCloseFor(Code::Overloaded))), "{step:?}");
    let (code, reason) = closed_with(&out);
    assert!(code == 1013 && reason.contains("limits.large_messages_bytes_max"), "{code} {reason}");
    let held = judge.limiter.large_bytes();
    for piece in pieces {
        assert!(matches!(second.receive(piece, &judge, 0, &mut out), Step::Wait));
    }
    assert_eq!(judge.limiter.large_bytes(), held, "what still comes is not kept");
    // The first one holds what it has until it has been read.
    let Step::HandIn { large, .. } = first.receive(&whole[900_000..], &judge, 0, &mut out) else {
        panic!("it is whole");
    };
    assert!(judge.limiter.large_bytes() > 900_000);
    drop(large.read());
    assert_eq!(judge.limiter.large_bytes(), 0);
}

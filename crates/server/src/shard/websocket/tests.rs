//! What a client's frames lead to.

mod large;

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Data, SessionId};
use fanfare_core::rate::Pace;
use fanfare_core::shard::{Answer, ConnectionId, Echo, Refusal, Request};
use fanfare_core::start::{Start, Subscription};
use fanfare_protocol::native::cors::OriginPolicy;
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::reading::{Heartbeat, HeartbeatForm, Pong};
use fanfare_protocol::native::route::Rules;
use fanfare_protocol::native::session::Session as Known;
use fanfare_protocol::websocket::{Decoder, Event, Frame, MessageKind, Role, append_frame};

use super::{Reply, Session};
use crate::auth::tests::{Rules as Who, everyone, keyed};
use crate::auth::{Access, Credentials};
use crate::limit::{ClientAddress, Limiter, Sender};
use crate::shard::http::Judge;
use crate::shard::options::ShardOptions;
use crate::shard::request::SocketRequest;
use crate::shard::step::Step;

fn judge() -> Judge {
    judge_by(everyone())
}

/// A judge who lets the holder of a key publish, and nobody else.
fn strict() -> Judge {
    judge_by(keyed(Who { subscribe: true, ..Who::default() }, []))
}

fn judge_by(access: Access) -> Judge {
    Judge {
        hooks: None,
        terms: Arc::default(),
        limiter: Limiter::new(1_024, Arc::default()),
        teller: None,
        options: ShardOptions::default(),
        rules: Rules::default(),
        aliases: Arc::default(),
        access: Arc::new(access),
        policy: Arc::new(OriginPolicy::default()),
    }
}

fn session(format: Format, echo: Echo) -> Session {
    anonymous(format, echo, &judge())
}

/// A session without a key.
fn anonymous(format: Format, echo: Echo, judge: &Judge) -> Session {
    with(Credentials::default(), format, echo, judge)
}

fn with(credentials: Credentials<'_>, format: Format, echo: Echo, judge: &Judge) -> Session {
    let subscriptions = vec![Subscription::new(ChannelName::new("a").unwrap(), Start::Now)];
    let request = SocketRequest {
        sender: Sender::default(),
        address: ClientAddress::of_peer(([127, 0, 0, 1], 1).into()),
        format,
        subscriptions: Vec::new(),
        carried: Cursor::new(),
        session: SessionId(9),
        echo,
        attendance: fanfare_core::presence::Attendance::default(),
        pace: Pace::Usual,
        heartbeat: Heartbeat {
            every: std::time::Duration::from_secs(15),
            form: HeartbeatForm::Comment,
        },
        pong: Pong::Usual,
        caller: judge.access.caller(credentials, 0),
    };
    let mut session = Session::new(request, &subscriptions, judge);
    let mut out = Vec::new();
    let connection = ConnectionId { index: 0, generation: 0 };
    let known = Known { secret: SessionId(9), shard: 0, connection };
    let cursor = Cursor::new();
    let open = Open { session: known, channels: &[], cursor: &cursor, from: "now", max_rate: None };
    session.open(&open, &mut out);
    session
}

fn text(payload: &str) -> Vec<u8> {
    frame(&Frame::Message { kind: MessageKind::Text, payload: payload.as_bytes() })
}

fn frame(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, frame, Some([1, 2, 3, 4]));
    out
}

fn said(out: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let mut input = out;
    std::iter::from_fn(|| decoder.decode(&mut input).unwrap()).collect()
}

fn closed_with(out: &[u8]) -> (u16, String) {
    match said(out).pop() {
        Some(Event::Close { code, reason }) => (code.unwrap().number(), reason),
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn a_raw_frame_is_a_publication_and_the_next_waits_for_it() {
    let mut session = session(Format::WebSocketRaw, Echo::Off);
    let mut out = Vec::new();
    let both = [text("one"), text("ping"), text("two")].concat();
    let step = session.receive(&both, &judge(), 0, &mut out);
    let Step::Ask { request, question: Request::Publish(draft), .. } = step else {
        panic!("{step:?}");
    };
    let content = draft.content.unwrap();
    assert_eq!(content.exclude(), Some(SessionId(9)), "echo=0");
    assert_eq!(content.data, Data::Text("one".into()));
    assert!(!session.listens() && session.has_more());
    assert!(out.is_empty(), "nothing overtakes the first");

    let channel = ChannelName::new("a").unwrap();
    let refusal = Refusal { code: Code::Overloaded, head: None };
    let answer = Answer::Refused(refusal);
    let stale = session.reply(request + 1, &Reply::Answer(&channel, &answer), &mut out);
    assert!(matches!(stale, Step::Wait) && out.is_empty());
    let entry = fanfare_core::cursor::CursorEntry {
        hash: channel.hash48(),
        position: fanfare_core::position::Position::new(
            1,
            fanfare_core::position::Epoch::from_bits(1),
        ),
        ended: false,
    };
    let answer = Answer::Removed(entry);
    session.reply(request, &Reply::Answer(&channel, &answer), &mut out);
    let step = session.resume(&judge(), 0, &mut out);
    assert!(matches!(step, Step::Ask { .. }));
    let pong = Event::Message { kind: MessageKind::Text, data: "pong".into() };
    assert_eq!(said(&out), [pong], "in between a text ping was answered");
}

#[test]
fn a_refused_frame_closes_with_the_reason() {
    let mut session = session(Format::WebSocketRaw, Echo::On);
    let mut out = Vec::new();
    let Step::Ask { request, .. } = session.receive(&text("x"), &judge(), 0, &mut out) else {
        panic!("no publish");
    };
    let channel = ChannelName::new("a").unwrap();
    let refusal = Refusal { code: Code::ChannelEnded, head: None };
    let answer = Answer::Refused(refusal);
    let step = session.reply(request, &Reply::Answer(&channel, &answer), &mut out);
    assert!(matches!(step, Step::AwaitClose));
    let (code, reason) = closed_with(&out);
    assert_eq!(code, 1008);
    assert!(reason.starts_with("channel-ended"), "{reason}");
}

#[test]
fn offences_close_with_their_codes() {
    let binary = frame(&Frame::Message { kind: MessageKind::Binary, payload: b"x" });
    let large =
        frame(&Frame::Message { kind: MessageKind::Binary, payload: &vec![0; (1 << 20) + 1] });
    let mut unmasked = Vec::new();
    append_frame(&mut unmasked, &Frame::Ping(b""), None);
    for (format, bytes, code) in [
        (Format::WebSocketV1, &binary, 1003),
        (Format::WebSocketRaw, &large, 1009),
        (Format::WebSocketRaw, &unmasked, 1002),
    ] {
        let mut session = session(format, Echo::On);
        let mut out = Vec::new();
        let step = session.receive(bytes, &judge(), 0, &mut out);
        assert!(matches!(step, Step::AwaitClose | Step::AwaitCloseFor(_)), "{code}: {step:?}");
        assert_eq!(closed_with(&out).0, code);
        let close = frame(&Frame::Close(None));
        let step = session.receive(&close, &judge(), 0, &mut Vec::new());
        assert!(matches!(step, Step::Finish | Step::Wait), "{code}: {step:?}");
    }
    let mut session = anonymous(Format::WebSocketRaw, Echo::On, &strict());
    let mut out = Vec::new();
    session.receive(&text("x"), &strict(), 0, &mut out);
    assert_eq!(closed_with(&out).0, 1008);
}

#[test]
fn the_close_handshake_is_answered_with_the_same_code() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let mut out = Vec::new();
    let code = fanfare_protocol::websocket::CloseCode::GOING_AWAY;
    let close = frame(&Frame::Close(Some((code, "bye"))));
    let step = session.receive(&close, &judge(), 0, &mut out);
    assert!(matches!(step, Step::Finish));
    assert_eq!(closed_with(&out).0, 1001);
}

#[test]
fn asking_without_end_lets_others_have_their_turn() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let bytes: Vec<u8> = (0..8_000).flat_map(|_| text("{\"type\":\"ping\"}")).collect();
    let mut out = Vec::new();
    let step = session.receive(&bytes, &judge(), 0, &mut out);
    assert!(matches!(step, Step::Yield), "{step:?}");
    assert!(out.len() < 32 * 1024, "{} bytes of answers at once", out.len());
    let mut turns = 0;
    let mut answers = said(&out).len();
    while session.has_more() {
        out.clear();
        session.resume(&judge(), 0, &mut out);
        answers += said(&out).len();
        turns += 1;
        assert!(turns < 8_000);
    }
    assert_eq!(answers, 8_000, "every command is answered");
}

#[test]
fn who_may_not_publish_is_closed_before_a_large_message_is_kept() {
    for format in [Format::WebSocketV1, Format::WebSocketRaw] {
        let mut session = anonymous(format, Echo::On, &strict());
        let large = text(&"x".repeat(64 * 1024 + 1));
        let mut out = Vec::new();
        let step = session.receive(&large[..100], &strict(), 0, &mut out);
        assert!(matches!(step, Step::AwaitCloseFor(Code::Unauthorized)), "{step:?}");
        let (code, reason) = closed_with(&out);
        assert!(code == 1008 && reason.starts_with("unauthorized"), "{code} {reason}");
    }
}

#[test]
fn a_message_that_does_not_get_on_is_given_up() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let judge = judge();
    let within = super::super::deadline::ticks(judge.options.body_within);
    let whole = text(&format!("{{{}", "x".repeat(200_000)));
    let mut out = Vec::new();
    session.receive(&whole[..10], &judge, 0, &mut out);
    assert!(session.is_too_slow(1, &judge.options).is_none(), "it has just been seen");
    session.receive(&whole[10..70_000], &judge, 0, &mut out);
    assert!(session.is_too_slow(1 + within, &judge.options).is_none(), "64 KiB have come");
    session.receive(&whole[70_000..80_000], &judge, 0, &mut out);
    assert!(session.is_too_slow(2 * within, &judge.options).is_none(), "it still has time");
    let problem = session.is_too_slow(1 + 2 * within, &judge.options).unwrap();
    let step = session.give_up(&problem, &mut out);
    assert!(matches!(step, Step::AwaitCloseFor(Code::RequestTimeout)), "{step:?}");
    let (code, reason) = closed_with(&out);
    assert!(code == 1008 && reason.contains("limits.request_body_progress_"), "{code} {reason}");
}

#[test]
fn small_messages_are_never_too_slow() {
    let mut session = session(Format::WebSocketV1, Echo::On);
    let judge = judge();
    let whole = text("{\"type\":\"ping\"}");
    for beat in 1..100 {
        let (first, rest) = whole.split_at(5);
        session.receive(first, &judge, 0, &mut Vec::new());
        assert!(session.is_too_slow(beat * 10_000, &judge.options).is_none());
        session.receive(rest, &judge, 0, &mut Vec::new());
    }
}

#[test]
fn refusals_within_a_session_are_counted() {
    let bad = text("nonsense");
    let publish = text("{\"id\":1,\"type\":\"publish\",\"channel\":\"a\",\"data\":1}");
    for (format, said, code) in [
        (Format::WebSocketV1, &bad, Code::CommandInvalid),
        (Format::WebSocketV1, &publish, Code::Unauthorized),
        (Format::WebSocketRaw, &publish, Code::Unauthorized),
    ] {
        let mut session = anonymous(format, Echo::On, &strict());
        let step = session.receive(said, &strict(), 0, &mut Vec::new());
        let counted = match step {
            Step::Told(code) | Step::AwaitCloseFor(code) => Some(code),
            _ => None,
        };
        assert_eq!(counted, Some(code));
    }
}

/// What a client says, and what it is refused with; none if it goes on to the core.
type Refusals<'a> = [(&'a str, Option<Code>)];

#[test]
fn each_channel_says_what_a_client_may_have() {
    let talk = Who { subscribe: true, publish: true, mute: false };
    let mute = Who { mute: true, ..talk };
    let judge = judge_by(keyed(Who::default(), [("talk:", talk), ("mute:", mute)]));
    let nobody: &Refusals<'_> = &[
        ("\"subscribe\",\"channel\":\"talk:a\"", None),
        ("\"subscribe\",\"channel\":\"a\"", Some(Code::Unauthorized)),
        ("\"unsubscribe\",\"channel\":\"a\"", None),
        ("\"history\",\"channel\":\"mute:a\"", None),
        ("\"history\",\"channel\":\"a\"", Some(Code::Unauthorized)),
        ("\"publish\",\"channel\":\"talk:a\",\"data\":1", None),
        ("\"publish\",\"channel\":\"talk:a\",\"end\":true", Some(Code::Unauthorized)),
        ("\"publish\",\"channel\":\"mute:a\",\"data\":1", Some(Code::Forbidden)),
        ("\"publish\",\"channel\":\"a\",\"data\":1", Some(Code::Unauthorized)),
    ];
    let holder: &Refusals<'_> = &[
        ("\"subscribe\",\"channel\":\"a\"", None),
        ("\"history\",\"channel\":\"a\"", None),
        ("\"publish\",\"channel\":\"a\",\"end\":true", None),
        ("\"publish\",\"channel\":\"mute:a\",\"data\":1", Some(Code::Forbidden)),
    ];
    let key = Credentials { authorization: Some(b"Bearer secret"), ..Credentials::default() };
    for (credentials, said) in [(Credentials::default(), nobody), (key, holder)] {
        for (said, refused) in said {
            let mut session = with(credentials, Format::WebSocketV1, Echo::On, &judge);
            let frame = text(&format!("{{\"id\":1,\"type\":{said}}}"));
            let mut out = Vec::new();
            let step = session.receive(&frame, &judge, 0, &mut out);
            let told = if let Step::Told(code) = step { Some(code) } else { None };
            assert_eq!(told, *refused, "{said}: {step:?}");
        }
    }
}

#[test]
fn a_raw_frame_says_why_it_may_not_publish() {
    let mute = Who { subscribe: true, publish: true, mute: true };
    let judge = judge_by(keyed(mute, []));
    let mut session = anonymous(Format::WebSocketRaw, Echo::On, &judge);
    let mut out = Vec::new();
    let step = session.receive(&text("hello"), &judge, 0, &mut out);
    assert!(matches!(step, Step::AwaitCloseFor(Code::Forbidden)), "{step:?}");
    let (code, reason) = closed_with(&out);
    assert!(code == 1008 && reason.contains("`auth.client_publish` is false"), "{code} {reason}");
}

#[test]
fn megabytes_that_do_not_begin_as_a_command_are_not_read_to_their_end() {
    for letter in ["\n", "["] {
        let whole = text(&letter.repeat(1 << 20));
        for first in [100, 1 << 20] {
            let mut session = session(Format::WebSocketV1, Echo::On);
            let mut out = Vec::new();
            let step = session.receive(&whole[..first], &judge(), 0, &mut out);
            assert!(matches!(step, Step::AwaitCloseFor(Code::CommandInvalid)), "{step:?}");
            let (code, reason) = closed_with(&out);
            assert!(code == 1008 && reason.contains("does not begin as a command"), "{reason}");
            // What still comes is read away, but not without end.
            let more =
                |session: &mut Session| session.receive(&whole, &judge(), 0, &mut Vec::new());
            assert!(matches!(more(&mut session), Step::Wait | Step::Gone));
            assert!(matches!(more(&mut session), Step::Gone));
        }
    }
}

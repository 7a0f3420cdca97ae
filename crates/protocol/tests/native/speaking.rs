//! What a stream says beside its publications, the commands of `fanfare.v1`, and whole answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::{Gap, GapReason};
use fanfare_core::publication::{Content, Data, Publication, Published, Repeat, SessionId, Stored};
use fanfare_core::rate::Rate;
use fanfare_core::settings::SlowReader;
use fanfare_core::shard::{
    Answer, ConnectionId, HistoryPage, Opened, Order, Refusal, Served, Until,
};
use fanfare_core::start::Start;
use fanfare_protocol::native::batch::{self, ItemResult};
use fanfare_protocol::native::cursor::{entry_text, position_text};
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::poll::{self, PollAnswer, PollEnd};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{HeartbeatForm, OpeningEvent};
use fanfare_protocol::native::route::{Route, Rules};
use fanfare_protocol::native::session::Session;
use fanfare_protocol::native::v1::{self, Ask, BadCommand, Command, Speaker};
use fanfare_protocol::native::{history, ndjson, publish, sse};
use serde_json::{Value, json};

use crate::asking::{NOW, channel, entry, get, position, refused};
use crate::encoding::parse_sse;

fn written(append: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    append(&mut out);
    String::from_utf8(out).unwrap()
}

fn object(append: impl FnOnce(&mut Vec<u8>)) -> Value {
    serde_json::from_str(&written(append)).unwrap()
}

fn opened(name: &str, from: Option<u64>) -> Opened {
    Opened {
        channel: channel(name),
        entry: from.map(|offset| entry(name, offset)),
        head: position(7),
        gap_follows: from.is_none(),
        over: false,
        policy: SlowReader::Recover,
    }
}

fn gap() -> Gap {
    Gap {
        channel: channel("news"),
        from: Some(position(1)),
        to: position(5),
        reason: GapReason::Trimmed,
    }
}

/// Its text is `AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ`.
const SESSION: Session = Session {
    secret: SessionId(1),
    shard: 2,
    connection: ConnectionId { index: 3, generation: 4 },
};

#[test]
fn a_stream_opens_as_the_protocol_says() {
    let channels = [opened("news", Some(7)), opened("b", Some(3)), opened("c", None)];
    let mut cursor = Cursor::new();
    cursor.set(entry("news", 7));
    cursor.mark();
    let (session, max_rate) = (SESSION, None);
    let open = Open { session, channels: &channels, cursor: &cursor, from: "last:20", max_rate };
    let retry = Duration::from_millis(2731);
    let text = written(|out| sse::append_open(out, &open, retry, OpeningEvent::Told));
    let lines = "retry: 2731\n: listening to news, b, c, from last:20\n";
    let news = entry_text(entry("news", 7));
    let b = entry_text(entry("b", 3));
    let data = format!(
        "{{\"session\":\"AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ\",\"channels\":[\
         {{\"channel\":\"news\",\"cursor\":\"{news}\"}},{{\"channel\":\"b\",\"cursor\":\"{b}\"}},\
         {{\"channel\":\"c\",\"cursor\":\"~!\"}}],\"policy\":\"recover\"}}"
    );
    assert_eq!(text, format!("{lines}event: fanfare.open\ndata: {data}\nid: {news}~!\n\n"));
    let silent = written(|out| sse::append_open(out, &open, retry, OpeningEvent::Silent));
    assert_eq!(silent, lines);
    let line = object(|out| ndjson::append_open(out, &open));
    assert_eq!(line, object(|out| v1::append_open(out, &open)));
    assert_eq!(line["type"], "open");
    assert_eq!(line["cursor"], format!("{news}~!"));
    let members: Value = serde_json::from_str(&data).unwrap();
    for member in ["session", "channels", "policy"] {
        assert_eq!(line[member], members[member]);
    }
}

#[test]
fn an_opening_declares_what_will_be_skipped() {
    let latest = |name| Opened { policy: SlowReader::Latest, ..opened(name, Some(1)) };
    let cursor = Cursor::new();
    let told = |channels: &[Opened], max_rate| {
        let (session, from) = (SESSION, "now");
        let open = Open { session, channels, cursor: &cursor, from, max_rate };
        object(|out| ndjson::append_open(out, &open))
    };
    let paced = told(&[latest("news")], Some(Rate::Five));
    assert_eq!((&paced["policy"], &paced["max_rate"]), (&json!("latest"), &json!(5)));
    let none = told(&[], Some(Rate::Fifty));
    assert_eq!((&none["policy"], &none["max_rate"]), (&json!("latest"), &json!(50)));
    let mixed = told(&[opened("news", Some(1)), latest("ticker")], None);
    assert_eq!(mixed["policy"], "recover");
    assert_eq!(mixed["channels"][0].get("policy"), None);
    assert_eq!(mixed["channels"][1]["policy"], "latest");
    assert_eq!(mixed.get("max_rate"), None);
    let Ok(Command { id, .. }) =
        v1::parse(r#"{"id":7,"type":"ping"}"#, Speaker::default(), &Rules::default(), 0)
    else {
        panic!("that is a command");
    };
    let added = object(|out| v1::append_subscribed(out, &id, &latest("ticker")));
    assert_eq!(added["policy"], "latest");
}

#[test]
fn gaps_ends_and_heartbeats_are_told() {
    let mut cursor = Cursor::new();
    cursor.set(entry("news", 5));
    cursor.set(entry("b", 1));
    let ended = CursorEntry { ended: true, ..entry("news", 5) };
    let text = written(|out| {
        sse::append_gap(out, &gap(), &cursor);
        out.extend_from_slice(sse::heartbeat(HeartbeatForm::Comment));
        out.extend_from_slice(sse::heartbeat(HeartbeatForm::Event));
        sse::append_end(out, &channel("news"), &cursor);
        sse::append_retry(out, Duration::from_secs(3));
    });
    assert!(text.ends_with("\n\nretry: 3000\n"));
    let events = parse_sse(&text);
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["fanfare.gap", "fanfare.heartbeat", "fanfare.end"]);
    let members = json!({
        "channel": "news", "from": position_text(position(1)),
        "to": position_text(position(5)), "reason": "trimmed",
    });
    assert_eq!(serde_json::from_str::<Value>(&events[0].data).unwrap(), members);
    let whole = format!("{}{}", entry_text(entry("news", 5)), entry_text(entry("b", 1)));
    assert_eq!(events[0].id, whole);
    let line = object(|out| ndjson::append_gap(out, &gap(), &cursor));
    assert_eq!((&line["type"], &line["cursor"]), (&json!("gap"), &json!(whole)));
    let line = object(|out| ndjson::append_end(out, &channel("news"), &cursor));
    assert_eq!(line, json!({"type": "end", "channel": "news", "cursor": whole}));
    let frame = object(|out| v1::append_gap(out, &gap()));
    assert_eq!(frame["cursor"], entry_text(entry("news", 5)));
    let frame = object(|out| v1::append_end(out, &channel("news"), ended));
    assert_eq!(frame["cursor"], entry_text(ended));
}

#[test]
fn a_refusal_to_an_event_source_tells_when_to_come_back_and_nothing_else() {
    let problem = Problem::new(Code::Overloaded, "full\ndata: forged\n\n", "wait");
    let text = written(|out| sse::append_refusal(out, &problem, Duration::from_secs(2)));
    assert_eq!(text, ": overloaded: full data: forged  \nretry: 2000\n");
    assert!(parse_sse(&text).is_empty());
}

fn command(text: &str) -> Result<Command, BadCommand> {
    v1::parse(text, Speaker::default(), &Rules::default(), NOW)
}

#[test]
fn a_publish_goes_to_the_channel_that_it_names_whichever_the_last_one_was() {
    let last = channel("news");
    for name in ["news", "new", "newsy"] {
        let text = format!("{{\"type\":\"publish\",\"channel\":\"{name}\",\"data\":1}}");
        let speaker = Speaker { last: Some(&last), ..Speaker::default() };
        let found = v1::parse(&text, speaker, &Rules::default(), NOW).unwrap().ask;
        let Ask::Publish(found, _) = found else { panic!("{found:?}") };
        assert_eq!((found.as_str(), found.hash48()), (name, channel(name).hash48()));
    }
}

#[test]
fn the_commands_of_v1_are_read() {
    let ask = |text: &str| command(text).unwrap().ask;
    assert!(matches!(ask("{\"id\":1,\"type\":\"ping\"}"), Ask::Ping));
    let nameless = command("{\"type\":\"ping\"}").unwrap().id;
    let reply = object(|out| v1::append_ponged(out, &nameless));
    assert_eq!(reply, json!({"id": null, "type": "ok"}));
    let subscribe =
        ask("{\"type\":\"subscribe\",\"id\":\"x\",\"channel\":\"a\",\"since\":\"all\"}");
    assert!(
        matches!(subscribe, Ask::Subscribe { channel, since: Some(_), .. } if channel.as_str() == "a")
    );
    let subscribe =
        ask("{\"type\":\"subscribe\",\"id\":-1,\"channel\":\"a\",\"since\":1700000000}");
    assert!(matches!(subscribe, Ask::Subscribe { since: Some(_), .. }));
    let unsubscribe = ask("{\"id\":1,\"type\":\"unsubscribe\",\"channel\":\"a\"}");
    assert!(matches!(unsubscribe, Ask::Unsubscribe(_)));
    let publish =
        ask("{\"id\":1,\"type\":\"publish\",\"channel\":\"a\",\"data\":{\"x\":1},\"event\":\"e\"}");
    let Ask::Publish(_, draft) = publish else { panic!("{publish:?}") };
    assert_eq!(draft.content.unwrap().data, Data::Json("{\"x\":1}".into()));
    let history = ask(
        "{\"id\":1,\"type\":\"history\",\"channel\":\"a\",\"since\":\"last:3\",\"limit\":5000,\"order\":\"desc\"}",
    );
    let Ask::History(_, query) = history else { panic!("{history:?}") };
    assert_eq!((query.since, query.limit, query.order), (Start::Last(3), 1_000, Order::Descending));
}

#[test]
fn a_bad_command_is_answered_with_its_id_or_null() {
    for (text, id, code) in [
        ("", "null", Code::CommandInvalid),
        ("x", "null", Code::CommandInvalid),
        ("[]", "null", Code::CommandInvalid),
        ("{\"type\":\"fly\"}", "null", Code::CommandUnknown),
        ("{\"id\":null,\"type\":\"fly\"}", "null", Code::CommandUnknown),
        ("{\"id\":{},\"type\":\"ping\"}", "null", Code::CommandInvalid),
        ("{\"id\":true,\"type\":\"ping\"}", "null", Code::CommandInvalid),
        ("{\"id\":7}", "7", Code::CommandInvalid),
        ("{\"id\":7,\"type\":\"fly\"}", "7", Code::CommandUnknown),
        ("{\"id\":7,\"type\":\"presence\"}", "7", Code::ChannelMissing),
        ("{\"id\":\"a\\\"b\",\"type\":\"subscribe\"}", "\"a\\\"b\"", Code::ChannelMissing),
        ("{\"id\":7,\"type\":\"subscribe\",\"channel\":\"$\"}", "7", Code::ChannelInvalid),
        (
            "{\"id\":7,\"type\":\"subscribe\",\"channel\":\"a\",\"since\":\"x\"}",
            "7",
            Code::SinceInvalid,
        ),
        ("{\"id\":7,\"type\":\"publish\",\"channel\":\"a\"}", "7", Code::ParameterInvalid),
        (
            "{\"id\":7,\"type\":\"history\",\"channel\":\"a\",\"limit\":\"x\"}",
            "7",
            Code::ParameterInvalid,
        ),
    ] {
        let bad = command(text).unwrap_err();
        assert_eq!(bad.problem.code(), code, "{text}");
        let reply = written(|out| v1::append_error(out, bad.id.as_ref(), &bad.problem));
        assert!(
            reply.starts_with(&format!("{{\"id\":{id},\"type\":\"error\",\"code\":")),
            "{reply}"
        );
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert!(reply["detail"].is_string() && reply["hint"].is_string());
    }
}

#[test]
fn members_without_a_meaning_are_passed_over() {
    let strange: String = (0..1_000).map(|place| format!(",\"x{place}\":[{{}}]")).collect();
    let text = format!("{{\"id\":1{strange},\"type\":\"fly\",\"id\":2,\"\\u0074ype\":\"ping\"}}");
    let command = command(&text).unwrap();
    assert!(matches!(command.ask, Ask::Ping));
    let reply = written(|out| v1::append_ponged(out, &command.id));
    assert_eq!(reply, "{\"id\":2,\"type\":\"ok\"}", "of two with one name the last counts");
    assert_eq!(self::command("{\"id\":1} x").unwrap_err().problem.code(), Code::CommandInvalid);
}

#[test]
fn lists_and_places_of_a_command_are_bounded() {
    let many = vec!["\"\""; 1_001].join(",");
    let text =
        format!("{{\"id\":1,\"type\":\"publish\",\"channel\":\"a\",\"data\":1,\"tags\":[{many}]}}");
    assert_eq!(command(&text).unwrap_err().problem.code(), Code::ParameterInvalid);
    let since = "~".repeat(16 * 1024);
    let text =
        format!("{{\"id\":1,\"type\":\"subscribe\",\"channel\":\"a\",\"since\":\"{since}\"}}");
    let problem = command(&text).unwrap_err().problem;
    assert_eq!(problem.code(), Code::SinceInvalid);
    assert!(problem.detail().contains("longer than 16384 bytes"), "{}", problem.detail());
}

fn publication() -> Arc<Publication> {
    Arc::new(Publication {
        channel: channel("news"),
        position: Some(position(7)),
        prev: 6,
        time: NOW,
        expires_at: None,
        content: Content::plain(Data::Text("x".into())),
    })
}

fn page() -> HistoryPage {
    HistoryPage {
        publications: vec![Served { publication: publication(), prev: 5 }; 2],
        cursor: entry("news", 7),
        next: Some(position(7)),
        gap: Some(gap()),
        ended: false,
    }
}

fn published(stored: Stored, repeat: Repeat) -> Answer {
    Answer::Published(Published { entry: entry("news", 7), stored, repeat })
}

#[test]
fn publishers_are_answered_alike_everywhere() {
    let news = channel("news");
    let whole = json!({
        "channel": "news", "offset": 7, "epoch": "bI0VniavN7w",
        "cursor": entry_text(entry("news", 7)),
    });
    let answer = published(Stored::Yes, Repeat::First);
    let body = publish::answer(&news, &answer).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), whole);
    let body = publish::answer(&news, &published(Stored::No, Repeat::Duplicate)).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((body.get("offset"), &body["duplicate"]), (None, &json!(true)));
    let refusal =
        Answer::Refused(Refusal { code: Code::ChannelEnded, head: Some(entry("news", 7)) });
    assert_eq!(publish::answer(&news, &refusal).unwrap_err().status(), 409);
    let results = publish::results(&[
        Ok((news.clone(), answer.clone())),
        Ok((news.clone(), refusal.clone())),
    ]);
    let results: Value = serde_json::from_slice(&results).unwrap();
    assert_eq!(results["results"][0], whole);
    assert_eq!(results["results"][1]["channel"], "news");
    assert_eq!(results["results"][1]["error"]["code"], "channel-ended");
    let removed = publish::answer(&news, &Answer::Removed(entry("news", 0))).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&removed).unwrap()["epoch"], "bI0VniavN7w");
    let batch = batch::answer(&[
        ItemResult::One(news.clone(), answer.clone()),
        ItemResult::Several(vec![Ok((news.clone(), answer.clone()))]),
        ItemResult::Refused(Problem::of(Code::BatchInvalid)),
    ]);
    let batch: Value = serde_json::from_slice(&batch).unwrap();
    assert_eq!(batch["results"][0], whole);
    assert_eq!(batch["results"][1]["results"][0], whole);
    assert_eq!(batch["results"][2]["error"]["code"], "batch-invalid");
    let id = command("{\"id\":9,\"type\":\"ping\"}").unwrap().id;
    let reply = object(|out| v1::append_answer(out, &id, &news, &answer));
    assert_eq!(
        (&reply["id"], &reply["type"], &reply["offset"]),
        (&json!(9), &json!("ok"), &json!(7))
    );
    let reply = object(|out| v1::append_answer(out, &id, &news, &refusal));
    assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!("channel-ended")));
    assert_eq!(reply["offset"], 7);
    let reply = object(|out| v1::append_subscribed(out, &id, &opened("c", None)));
    assert_eq!(reply, json!({"id": 9, "type": "ok", "channel": "c", "cursor": "~!"}));
    let reply = object(|out| v1::append_unsubscribed(out, &id, &news));
    assert_eq!(reply, json!({"id": 9, "type": "ok", "channel": "news"}));
    assert_eq!(object(|out| v1::append_ponged(out, &id)), json!({"id": 9, "type": "ok"}));
}

#[test]
fn history_is_asked_and_answered() {
    let until = position_text(position(4));
    let asked = |query: &str| match get(&format!("/c/news/history?{query}")) {
        Ok(Route::History(asked)) => asked.query,
        other => panic!("{query}: {other:?}"),
    };
    let plain = asked("");
    assert_eq!((plain.since, plain.until, plain.limit), (Start::All, None, 100));
    assert_eq!(asked("limit=0").limit, 1);
    assert_eq!(asked("limit=99999999999999999999999").limit, 1_000);
    assert_eq!(asked("order=desc").order, Order::Descending);
    assert_eq!(asked("since=last:5").since, Start::Last(5));
    assert_eq!(asked(&format!("until={until}")).until, Some(Until::Position(position(4))));
    let cursor = entry_text(entry("news", 4));
    assert_eq!(asked(&format!("until={cursor}")).until, Some(Until::Position(position(4))));
    assert_eq!(asked("until=10s").until, Some(Until::Time(NOW - 10_000)));
    assert_eq!(asked("until=1700000000").until, Some(Until::Time(NOW)));
    for query in ["limit=x", "order=up", "until=now", "until=~!"] {
        let problem = refused(get(&format!("/c/news/history?{query}")));
        assert_eq!(problem.code(), Code::ParameterInvalid, "{query}");
    }
    let answer: Value = serde_json::from_slice(&history::answer(&page())).unwrap();
    assert_eq!(answer["publications"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["publications"][0]["prev"], 5);
    assert_eq!(answer["cursor"], entry_text(entry("news", 7)));
    assert_eq!(answer["next"], position_text(position(7)));
    assert_eq!(answer["gaps"][0]["reason"], "trimmed");
    let last = HistoryPage { next: None, gap: None, publications: Vec::new(), ..page() };
    let answer: Value = serde_json::from_slice(&history::answer(&last)).unwrap();
    assert_eq!(answer["next"], Value::Null);
    assert_eq!(answer["gaps"], json!([]));
}

#[test]
fn a_poll_is_answered_with_lines_and_gaps() {
    let mut cursor = Cursor::new();
    cursor.set(entry("news", 7));
    let lines = [Bytes::from_static(b"{\"a\":1}\n"), Bytes::from_static(b"{\"a\":2}\n")];
    let answer = poll::answer(&PollAnswer {
        cursor: &cursor,
        publications: &lines,
        gaps: &[gap()],
        end: PollEnd::Ended,
    });
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["publications"], json!([{"a": 1}, {"a": 2}]));
    assert_eq!(answer["cursor"], entry_text(entry("news", 7)));
    assert_eq!(answer["gaps"][0]["channel"], "news");
    assert_eq!(answer["end"], true);
    let empty = PollAnswer { cursor: &cursor, publications: &[], gaps: &[], end: PollEnd::Open };
    let expected = format!(
        "{{\"cursor\":\"{}\",\"publications\":[],\"gaps\":[],\"end\":false}}",
        entry_text(entry("news", 7))
    );
    assert_eq!(String::from_utf8(poll::answer(&empty)).unwrap(), expected);
}

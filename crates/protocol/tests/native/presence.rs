//! As whom readers come, the list of members, and news of them in every format.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::frame::Format;
use fanfare_core::presence::{
    Attendance, Change, Member, MemberId, News, Notices, PresencePage, PresenceQuery,
};
use fanfare_protocol::native::presence::{self, PresenceRequest, encode_news};
use fanfare_protocol::native::reading::BodyWanted;
use fanfare_protocol::native::route::{Route, Rules};
use fanfare_protocol::native::v1::{self, Ask, Speaker};
use serde_json::{Value, json};

use crate::asking::{NOW, ask, channel, get, handshake, reading, refused};

fn member(client: &str, user: Option<&str>, info: Option<&str>) -> Arc<Member> {
    let id = MemberId { user: user.map(Into::into), client: client.into() };
    Arc::new(Member { id, info: info.map(Into::into) })
}

fn request(target: &str) -> PresenceRequest {
    match get(target) {
        Ok(Route::Presence(request)) => *request,
        other => panic!("{target}: {other:?}"),
    }
}

#[test]
fn a_reader_says_who_it_is() {
    for (query, client, info) in [
        ("", None, None),
        ("?client=", None, None),
        ("?client=a+b%C3%A4", Some("a bä"), None),
        ("?client=a&info=%7B%22name%22%3A%0A1%7D", Some("a"), Some("{\"name\": 1}")),
        ("?info=null", None, Some("null")),
        ("?info=+%22x%22+&client=a", Some("a"), Some("\"x\"")),
    ] {
        let reading = reading(&format!("/c/a{query}"), &[]);
        let (found, said) = match &reading.attendance {
            Attendance::Unnamed { info, .. } => (None, info.as_deref()),
            Attendance::Named(member) => (Some(&*member.id.client), member.info.as_deref()),
            Attendance::Absent => panic!("{query}"),
        };
        assert_eq!((found, said), (client, info), "{query}");
    }
}

#[test]
fn a_reader_asks_to_be_told_of_others() {
    let upgrade = handshake(&[]);
    for (target, headers, notices) in [
        ("/c/a,b", [].as_slice(), Notices::Off),
        ("/c/a,b?presence=1", &[], Notices::On),
        ("/c/a,b?presence=0", &[], Notices::Off),
        ("/c/a,b?presence=1", &upgrade, Notices::On),
        ("/c/a,b?presence=true&wait=20", &[], Notices::On),
    ] {
        let reading = reading(target, headers);
        assert_eq!(reading.subscriptions.len(), 2);
        let all = reading.subscriptions.iter().all(|asked| asked.notices == notices);
        assert!(all, "{target}: {reading:?}");
    }
}

#[test]
fn what_no_member_can_be_is_refused() {
    let long = "x".repeat(256);
    let much = format!("%22{}%22", "x".repeat(1023));
    for query in [
        format!("client={long}"),
        "client=a%00b".to_owned(),
        "client=a%C2%85".to_owned(),
        "client=%ff".to_owned(),
        "info=hello".to_owned(),
        "info=%7B%22a%22%7D".to_owned(),
        format!("info={much}"),
        "presence=maybe".to_owned(),
    ] {
        for target in [format!("/c/a?{query}"), format!("/c/a?wait=1&{query}")] {
            let problem = refused(get(&target));
            assert_eq!(problem.code(), Code::ParameterInvalid, "{target}");
            let name = query.split('=').next().unwrap_or_default();
            assert!(problem.detail().contains(name), "{target}: {problem:?}");
        }
        let problem = refused(ask("GET", &format!("/c/a?{query}"), &handshake(&[])));
        assert_eq!(problem.code(), Code::ParameterInvalid, "{query}");
    }
    let target = format!("/c/a?client={}&info=%22{}%22", "x".repeat(255), "x".repeat(1022));
    assert!(get(&target).is_ok(), "as much as is allowed");
}

#[test]
fn members_are_listed_in_pages() {
    let all = |limit| PresenceQuery { after: None, limit, bytes: 1 << 20 };
    for (target, limit) in [
        ("/c/a/presence", 100),
        ("/c/a/presence?limit=7", 7),
        ("/c/a/presence?limit=0", 1),
        ("/c/a/presence?limit=5000", 1_000),
    ] {
        assert_eq!(request(target).query, all(limit), "{target}");
    }
    assert_eq!(request("/c/runs%2F1/presence").channel, channel("runs/1"));
    match ask("HEAD", "/c/a/presence", &[]) {
        Ok(Route::Presence(request)) => assert_eq!(request.body, BodyWanted::No),
        other => panic!("{other:?}"),
    }
    for (target, code) in [
        ("/c/a,b/presence", Code::ParameterInvalid),
        ("/c/a/presence?channel=b", Code::ParameterInvalid),
        ("/c/a/presence?limit=x", Code::ParameterInvalid),
        ("/c/a/presence?after=*", Code::ParameterInvalid),
        ("/c/$a/presence", Code::ChannelInvalid),
        ("/c//presence", Code::ChannelMissing),
    ] {
        assert_eq!(refused(get(target)).code(), code, "{target}");
    }
    let problem = refused(ask("POST", "/c/a/presence", &[]));
    assert_eq!(problem.code(), Code::MethodNotAllowed);
}

#[test]
fn the_next_page_begins_where_the_answer_says() {
    let (ada, bob) = (member("ada", None, Some("{\"x\":[1]}")), member("b\"b", Some("bob"), None));
    let next = Some(bob.id.clone());
    let page = PresencePage { members: vec![ada, bob], count: 5, next: next.clone() };
    let answer: Value = serde_json::from_slice(&presence::answer(&page)).unwrap();
    let members = json!([
        {"client": "ada", "user": null, "info": {"x": [1]}},
        {"client": "b\"b", "user": "bob", "info": null},
    ]);
    assert_eq!(answer["members"], members);
    assert_eq!(answer["count"], 5);
    let after = answer["next"].as_str().unwrap();
    assert_eq!(request(&format!("/c/a/presence?after={after}")).query.after, next);
    let command = format!("{{\"type\":\"presence\",\"channel\":\"a\",\"after\":\"{after}\"}}");
    let command = v1::parse(&command, Speaker::default(), &Rules::default(), NOW).unwrap();
    let Ask::Presence(_, query) = command.ask else { panic!("{command:?}") };
    assert_eq!((query.after, query.limit), (next, 100));
    let empty = PresencePage { members: Vec::new(), count: 0, next: None };
    assert_eq!(presence::answer(&empty), b"{\"members\":[],\"count\":0,\"next\":null}");
}

#[test]
fn a_command_may_ask_for_news() {
    for (more, notices) in [
        ("", Some(Notices::Off)),
        (",\"presence\":true", Some(Notices::On)),
        (",\"presence\":false", Some(Notices::Off)),
        (",\"presence\":null", Some(Notices::Off)),
        (",\"presence\":\"x\"", None),
    ] {
        let text = format!("{{\"id\":1,\"type\":\"subscribe\",\"channel\":\"a\"{more}}}");
        let found =
            match v1::parse(&text, Speaker::default(), &Rules::default(), NOW).map(|it| it.ask) {
                Ok(Ask::Subscribe { notices, .. }) => Some(notices),
                Ok(other) => panic!("{other:?}"),
                Err(bad) => {
                    assert_eq!(bad.problem.code(), Code::ParameterInvalid);
                    None
                }
            };
        assert_eq!(found, notices, "{text}");
    }
}

#[test]
fn news_are_written_in_every_format_that_has_words_for_them() {
    let ada = member("ada", None, Some("{\"name\":\"Ada\"}"));
    let who = "\"channel\":\"a\\\"b\",\"client\":\"ada\",\"user\":null,\"info\":{\"name\":\"Ada\"}";
    let number = "\"channel\":\"a\\\"b\",\"count\":7";
    for (change, kind, members) in [
        (Change::Joined(Arc::clone(&ada)), "join", who),
        (Change::Left(ada), "leave", who),
        (Change::Counted, "presence", number),
    ] {
        let news = News { channel: channel("a\"b"), change, count: 7 };
        for format in Format::PLAIN {
            let frame = encode_news(&news, format);
            let object = format!("{{\"type\":\"{kind}\",{members}}}");
            let body = match format {
                Format::Sse | Format::SseChannel | Format::SseEnvelope => {
                    format!("event: fanfare.{kind}\ndata: {{{members}}}\n\n")
                }
                Format::Ndjson => format!("{object}\n"),
                Format::WebSocketV1 => {
                    let header = [0x81, u8::try_from(object.len()).unwrap()];
                    assert_eq!(frame.bytes()[..2], header);
                    assert_eq!(frame.bytes()[2..], *object.as_bytes());
                    continue;
                }
                Format::Text | Format::WebSocketRaw | Format::Compressed(_) => {
                    assert!(frame.bytes().is_empty(), "{format:?}");
                    continue;
                }
            };
            assert_eq!(frame.body(), body, "{format:?}");
            let chunk = format!("{:x}\r\n{body}\r\n", body.len());
            assert_eq!(*frame.bytes(), chunk, "{format:?}");
        }
    }
}

//! An answer means what it says or nothing at all, and a backend sees no more than it is to be shown.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::Data;
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::publish::plain_draft;
use serde_json::{Value, json};

use super::answer::{Answered, Verdict};
use super::{Facts, Hook};
use crate::auth::grant::Right;
use crate::auth::{Admission, Caller};
use crate::limit::ClientAddress;

const NOW: u64 = 1_800_000_000_000;

fn admission(answer: &str) -> Result<Verdict<Admission>, String> {
    Answered::read(answer.as_bytes())?.verdict(Hook::Connect, |it| it.admission(NOW))
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

#[test]
fn whom_an_answer_lets_in_is_who_it_says() {
    let answer = json!({
        "allow": true,
        "user": "ada",
        "info": {"name": "Ada\nL"},
        "grants": {"subscribe": ["chat:*", "user:{sub}:**"], "dance": ["**"]},
        "expires": 1_800_000_060,
        "more": [1, 2, 3],
    });
    let Ok(Verdict::Allowed(admission)) = admission(&answer.to_string()) else {
        panic!("it lets them in");
    };
    assert_eq!(admission.user.as_deref(), Some("ada"));
    assert_eq!(admission.info.as_deref(), Some(r#"{"name":"Ada\nL"}"#));
    assert_eq!(admission.expires, Some(NOW + 60_000));
    assert!(admission.grants.cover(Right::Subscribe, "user:ada:inbox"));
    assert!(!admission.grants.cover(Right::Subscribe, "user:bob:inbox"));
    assert!(!admission.grants.give(Right::Publish));
}

#[test]
fn what_is_no_answer_is_none_and_is_not_repeated() {
    let long = format!("{{\"allow\":true,\"user\":\"{}\"}}", "u".repeat(256));
    let info = format!("{{\"allow\":true,\"info\":\"{}\"}}", "i".repeat(1024));
    let many = json!({"allow": true, "grants": {"publish": vec!["a"; 257]}}).to_string();
    for (answer, expected) in [
        ("", "no JSON"),
        ("<html>hunter2", "no JSON"),
        ("{\"allow\":true", "no JSON"),
        ("[]", "another form"),
        ("{}", "another form"),
        ("{\"allow\":\"yes\"}", "another form"),
        ("{\"allow\":true,\"user\":7}", "another form"),
        ("{\"allow\":true,\"grants\":[\"hunter2\"]}", "another form"),
        ("{\"allow\":true,\"grants\":{\"publish\":[\"{hunter2}\"]}}", "only thing"),
        ("{\"allow\":true,\"expires\":1799999999}", "has passed"),
        ("{\"allow\":true,\"expires\":-1}", "no time"),
        ("{\"allow\":true,\"expires\":1e99}", "no time"),
        ("{\"allow\":false,\"code\":\"hunter2\"}", "`code`"),
        (&long, "more than 255"),
        (&info, "more than 1024"),
        (&many, "more than 256 patterns"),
    ] {
        let why = admission(answer).unwrap_err();
        assert!(why.contains(expected), "{answer:.60}: {why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
}

#[test]
fn a_refusal_is_told_in_its_words() {
    for (hook, answer, code, detail) in [
        (Hook::Connect, json!({"allow": false}), Code::Unauthorized, "The application refuses"),
        (Hook::Subscribe, json!({"allow": false, "reason": ""}), Code::Forbidden, "The applic"),
        (Hook::Publish, json!({"allow": false, "reason": "No\r\nway"}), Code::Forbidden, "No  way"),
        (Hook::Publish, json!({"allow": false, "code": "rate-limited"}), Code::RateLimited, "The "),
        (Hook::Connect, json!({"allow": false, "code": "forbidden"}), Code::Forbidden, "The app"),
    ] {
        let read = Answered::read(answer.to_string().as_bytes()).unwrap();
        let Ok(Verdict::Refused(problem)) = read.verdict(hook, |_| Ok(())) else {
            panic!("{answer} refuses");
        };
        assert_eq!(problem.code(), code, "{answer}");
        assert!(problem.detail().starts_with(detail), "{}", problem.detail());
    }
    let read =
        Answered::read(json!({"allow": false, "reason": "x".repeat(9000)}).to_string().as_bytes());
    let Ok(Verdict::Refused(problem)) = read.unwrap().verdict(Hook::Publish, |_| Ok(())) else {
        panic!("it refuses");
    };
    assert_eq!(problem.detail().len(), 500);
}

#[test]
fn who_stays_is_who_they_were() {
    let read = |answer: Value| Answered::read(answer.to_string().as_bytes()).unwrap();
    let Ok(was) = read(json!({
        "allow": true, "user": "ada", "info": 1, "grants": {"publish": ["a"]},
        "expires": 1_800_000_060,
    }))
    .admission(NOW) else {
        panic!("it lets them in");
    };
    let was = Caller::admitted(was);
    let stays =
        read(json!({"allow": true, "expires": 1_800_000_120})).prolonged(&was, NOW).unwrap();
    assert_eq!(stays.expires(), Some(NOW + 120_000));
    assert_eq!((stays.user(), stays.info()), (was.user(), was.info()));
    assert!(stays.grants().unwrap().cover(Right::Publish, "a"));
    let changed =
        read(json!({"allow": true, "grants": {}, "info": 2})).prolonged(&was, NOW).unwrap();
    assert_eq!((changed.expires(), changed.info().map(|it| &**it)), (None, Some("2")));
    assert!(!changed.grants().unwrap().give(Right::Publish));
    assert!(read(json!({"allow": true, "user": "bob"})).prolonged(&was, NOW).is_err());
}

#[test]
fn a_backend_is_shown_what_is_forwarded_and_no_more() {
    let headers: [(&str, &[u8]); 6] = [
        ("Cookie", b"sid=1"),
        ("cookie", b"b=2"),
        ("Authorization", b"Bearer hunter2"),
        ("User-Agent", b"Test/1"),
        ("Accept-Language", b"de"),
        ("accept-language", b"en\xff"),
    ];
    let forwarded = ["cookie", "accept-language", "origin"].map(str::to_owned);
    let address = ClientAddress::of_peer("192.0.2.7:1".parse().unwrap());
    let shown = |method: &str| {
        let head = Head::new(method, "/c/a?token=hunter2", Version::Http11, &headers);
        let facts = Facts::of(&head, address, "sse", &forwarded);
        assert!(!format!("{facts:?}").contains("sid"));
        serde_json::from_slice::<Value>(&facts.connect(&["a", "b"])).unwrap()
    };
    let mut read = shown("GET");
    assert!(read.as_object_mut().unwrap().remove("time").unwrap().is_u64());
    assert_eq!(
        read,
        json!({
            "type": "connect",
            "channels": ["a", "b"],
            "address": "192.0.2.7",
            "transport": "sse",
            "headers": {"cookie": "sid=1; b=2", "accept-language": "de, en\u{fffd}"},
        })
    );
    // Whatever page asked, its browser has added the cookie.
    assert_eq!(shown("POST")["headers"], json!({"accept-language": "de, en\u{fffd}"}));
}

#[test]
fn a_command_is_shown_with_who_sends_it() {
    let admission = admission(r#"{"allow":true,"user":"ada","info":{"a":[1]}}"#);
    let Ok(Verdict::Allowed(admission)) = admission else { panic!("it lets them in") };
    let caller = Caller::admitted(Admission { expires: Some(NOW + 1_500), ..admission });
    let draft = plain_draft(Data::Text(Bytes::from_static(b"hi")), caller.publisher());
    let facts = Facts::default();
    for (body, expected) in [
        (
            facts.publish(&caller, &channel("chat:a"), &draft),
            json!({
                "type": "publish", "user": "ada", "info": {"a": [1]}, "channel": "chat:a",
                "message": {"data": "hi"}, "transport": "websocket",
            }),
        ),
        (
            facts.subscribe(&caller, &channel("chat:a")),
            json!({
                "type": "subscribe", "user": "ada", "info": {"a": [1]}, "channel": "chat:a",
                "transport": "websocket",
            }),
        ),
        (
            facts.refresh(&caller),
            json!({
                "type": "refresh", "user": "ada", "info": {"a": [1]}, "expires": NOW / 1000 + 1,
            }),
        ),
    ] {
        let mut read: Value = serde_json::from_slice(&body).unwrap();
        read.as_object_mut().unwrap().remove("time");
        assert_eq!(read, expected);
    }
}

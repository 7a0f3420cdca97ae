//! Changes of a live stream: what a body asks for, and what is answered.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::presence::Notices;
use fanfare_core::settings::SlowReader;
use fanfare_core::shard::Opened;
use fanfare_protocol::native::change::{
    CHANGES_MAX, ChangeItem, ChangeRequest, Changed, answer, parse,
};
use fanfare_protocol::native::cursor::entry_text;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::starts::Since;
use serde_json::{Value, json};

use crate::asking::{NOW, channel, entry, position};

/// What a body asks for, a word for each item.
fn read(body: &str) -> Result<Vec<String>, Code> {
    let ChangeRequest { items, .. } = parse(body.as_bytes(), NOW).map_err(|problem| {
        assert!(problem.detail().len() > 10 && problem.hint().len() > 10, "{problem:?}");
        problem.code()
    })?;
    let word = |item: &ChangeItem| match item {
        ChangeItem::Drop(channel) => format!("-{channel}"),
        ChangeItem::Add { channel, since, notices } => match since {
            None if *notices == Notices::On => format!("+{channel} heard"),
            None => format!("+{channel}"),
            Some(Since::Start(start)) => format!("+{channel} {start:?}"),
            Some(Since::Position(position)) => format!("+{channel} {}", position.offset),
            Some(Since::Cursor(cursor)) => format!("+{channel} ~{}", cursor.entries.len()),
        },
        ChangeItem::Refused(problem) => {
            format!("{} {}", problem.code().name(), problem.channel().unwrap_or("?"))
        }
    };
    Ok(items.iter().map(word).collect())
}

#[test]
fn what_is_dropped_comes_before_what_is_added() {
    let cursor = entry_text(entry("a", 3));
    let from_cursor =
        format!(r#" {{ "subscribe" : [ {{"since":"{cursor}", "channel":"\u0061" }} ] }} "#);
    let table: [(&str, &[&str]); 8] = [
        ("{}", &[]),
        (r#"{"subscribe":[],"unsubscribe":null}"#, &[]),
        (
            r#"{"subscribe":[{"channel":"b","since":"all"},{"channel":"a"}],"unsubscribe":["a","c"]}"#,
            &["-a", "-c", "+b All", "+a"],
        ),
        (&from_cursor, &["+a ~1"]),
        (
            r#"{"subscribe":[{"channel":"a","presence":true},{"presence":false,"channel":"b"}]}"#,
            &["+a heard", "+b"],
        ),
        (r#"{"subscribe":[{"channel":"a","since":1700000000}]}"#, &["+a Since(1700000000000)"]),
        (
            r#"{"subscribe":[{"channel":"a","since":""},{"channel":"b","since":null}]}"#,
            &["+a", "+b"],
        ),
        (r#"{"unsubscribe":["a","a"]}"#, &["-a", "-a"]),
    ];
    for (body, expected) in table {
        let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(read(body), Ok(expected), "{body}");
    }
}

#[test]
fn a_channel_that_is_none_does_not_keep_the_others_from_being_changed() {
    let body = r#"{"subscribe":[{"channel":"$x"},{"channel":"a","since":"never"},{"channel":"b"}],
                   "unsubscribe":["","c"]}"#;
    let expected = ["channel-invalid ", "-c", "channel-invalid $x", "since-invalid a", "+b"];
    assert_eq!(read(body), Ok(expected.map(str::to_owned).to_vec()));
}

#[test]
fn a_body_that_is_no_change_changes_nothing() {
    for body in [
        "",
        "x",
        "[]",
        "\"subscribe\"",
        r#"{"subscribe":["a"]}"#,
        r#"{"subscribe":{"channel":"a"}}"#,
        r#"{"subscribe":[{"channel":1}]}"#,
        r#"{"subscribe":[{"channel":null}]}"#,
        r#"{"subscribe":[{"since":"all"}]}"#,
        r#"{"subscribe":[{"channel":"a","since":true}]}"#,
        r#"{"subscribe":[{"channel":"a","from":"all"}]}"#,
        r#"{"subscribe":[{"channel":"a","presence":"ada"}]}"#,
        r#"{"unsubscribe":"a"}"#,
        r#"{"unsubscribe":[{"channel":"a"}]}"#,
        r#"{"unsubscribe":[1]}"#,
        r#"{"subscribed":[]}"#,
        r#"{"subscribe":[{"channel":"a"}]"#,
    ] {
        assert_eq!(read(body), Err(Code::CommandInvalid), "{body}");
    }
    let unknown = parse(br#"{"unsubscribe":[],"channel":"a"}"#, NOW).unwrap_err();
    assert!(unknown.detail().contains("`channel`"), "{unknown:?}");
    assert!(parse(b"{\"unsubscribe\":[\"\xff\"]}", NOW).is_err());
}

#[test]
fn as_many_channels_as_a_connection_may_have_can_be_named() {
    let names = |count: usize| (0..count).map(|at| format!("c{at}")).collect::<Vec<_>>();
    let body = |count| {
        let subscribe: Vec<Value> =
            names(count).into_iter().map(|name| json!({"channel": name})).collect();
        json!({"subscribe": subscribe}).to_string()
    };
    assert_eq!(read(&body(CHANGES_MAX)).map(|items| items.len()), Ok(CHANGES_MAX));
    assert_eq!(read(&body(CHANGES_MAX + 1)), Err(Code::ChannelsTooMany));
    let body = json!({"unsubscribe": names(CHANGES_MAX + 1)}).to_string();
    assert_eq!(read(&body), Err(Code::ChannelsTooMany));
}

#[test]
fn each_channel_has_its_result() {
    let opened = |name: &str, place: Option<u64>| Opened {
        channel: channel(name),
        entry: place.map(|offset| entry(name, offset)),
        head: position(9),
        gap_follows: place.is_none(),
        over: false,
        policy: SlowReader::Recover,
    };
    let results = [
        Ok(Changed::Dropped(channel("a"))),
        Ok(Changed::Added(opened("b", Some(3)))),
        Ok(Changed::Added(opened("c", None))),
        Err(Problem::of(Code::AlreadySubscribed).about(&channel("d"), None)),
    ];
    let told: Value = serde_json::from_slice(&answer(&results, None)).unwrap();
    let told = told["results"].as_array().unwrap();
    assert_eq!(told[0], json!({"channel": "a"}));
    assert_eq!(told[1], json!({"channel": "b", "cursor": entry_text(entry("b", 3))}));
    assert_eq!(told[2], json!({"channel": "c", "cursor": "~!"}));
    assert_eq!(told[3]["channel"], "d");
    assert_eq!(told[3]["error"]["code"], "already-subscribed");
    assert_eq!(answer(&[], None), b"{\"results\":[]}");
    let left = Some(Duration::from_millis(61_999));
    assert_eq!(answer(&[], left), b"{\"results\":[],\"expires_in\":61}");
}

//! What the fuzz target `native_request` does with one input; the tests run it too.
//!
//! The input is a request in lines: method and target, `name:value` for each header, an empty
//! line, the body. Whatever is routed keeps its bounds; whatever is not gets a whole answer.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::cursor::CURSOR_ENTRIES_MAX;
use fanfare_core::frame::Format;
use fanfare_core::presence::{Attendance, Change, Member, News};
use fanfare_core::publication::SessionId;
use fanfare_protocol::native::alias::{Alias, Posting};
use fanfare_protocol::native::batch::ITEMS_MAX;
use fanfare_protocol::native::cors::{
    AllowedOrigin, Hosts, OriginPolicy, Origins, check, preflight_headers,
};
use fanfare_protocol::native::cursor::{cursor_text, parse_cursor};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::presence::encode_news;
use fanfare_protocol::native::problem::{CLOSE_REASON_BYTES_MAX, Problem};
use fanfare_protocol::native::reading::Reading;
use fanfare_protocol::native::response::{Persistence, append_problem};
use fanfare_protocol::native::route::{Compression, Route, Rules, route};
use fanfare_protocol::native::session::SESSION_TEXT;

/// What came of one input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Routed,
    Refused,
    NoText,
}

/// Panics if a decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(first) = std::str::from_utf8(lines.next().unwrap_or_default()) else {
        return Seen::NoText;
    };
    let (method, target) = first.split_once(' ').unwrap_or(("GET", first));
    let headers: Vec<(&str, &[u8])> = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line.get(colon + 1..)?))
        })
        .collect();
    let body: Vec<u8> = lines.collect::<Vec<_>>().join(&b'\n');
    let head = Head::new(method, target, Version::Http11, &headers);
    let compression = Compression { websocket: true, streams: true };
    let rules = Rules { payload_bytes_max: 64, compression, ..Rules::default() };
    let policy = OriginPolicy { hosts: Hosts::Loopback, origins: Origins::Loopback };
    if let Err(problem) = check(&head, &policy) {
        assert_eq!(problem.status(), 403);
        check_answer(&problem);
    }
    for (_, value) in preflight_headers(&head) {
        assert!(!value.contains(['\r', '\n']));
    }
    check_aliases(&head, target, &rules);
    match route(&head, &rules, 1_700_000_000_000) {
        Ok(route) => {
            follow(route, Bytes::from(body), &rules);
            Seen::Routed
        }
        Err(problem) => {
            check_answer(&problem);
            Seen::Refused
        }
    }
}

/// What is accepted as an alias is answered, and whatever a request adds to one, the channels stay
/// those of the alias.
fn check_aliases(head: &Head<'_>, target: &str, rules: &Rules) {
    if let Ok(alias) = Alias::new("/alias", target, Posting::Reads, None, rules) {
        let get = Head { method: "GET", ..Head::default() };
        assert!(route(&alias.resolve(None, 7).head(&get), rules, 1_700_000_000_000).is_ok());
    }
    let Ok(alias) = Alias::new("/alias", "/c/own?since=last", Posting::Publishes, None, rules)
    else {
        unreachable!("it is a URL");
    };
    let aliased = alias.resolve(head.query, 7);
    assert!(aliased.target().bytes().all(|byte| byte.is_ascii_graphic()));
    match route(&aliased.head(head), rules, 1_700_000_000_000) {
        Ok(Route::Read(reading)) => {
            assert!(reading.channels().all(|channel| channel.as_str() == "own"));
        }
        Ok(Route::History(history)) => assert_eq!(history.channel.as_str(), "own"),
        Ok(Route::Presence(request)) => assert_eq!(request.channel.as_str(), "own"),
        Ok(Route::Publish(publishing)) => assert_eq!(publishing.channels.len(), 1),
        Ok(Route::Remove(channels)) => assert_eq!(channels.len(), 1),
        Ok(route) => assert!(matches!(route, Route::Preflight | Route::ChannelPage(_))),
        Err(problem) => check_answer(&problem),
    }
}

/// Reads the body that a route takes, and checks what its reader is promised.
fn follow(route: Route, body: Bytes, rules: &Rules) {
    match route {
        Route::Read(reading) => {
            let asked = reading.subscriptions.len();
            assert!(asked + reading.carried.entries().len() <= CURSOR_ENTRIES_MAX);
            assert!((5..=60).contains(&reading.heartbeat.every.as_secs()));
            let text = cursor_text(&reading.carried);
            assert!(text.is_empty() || parse_cursor(&text).is_ok());
            check_member(*reading);
        }
        Route::Publish(publishing) => match publishing.drafts(body, &None, rules) {
            Ok(drafts) => assert!((1..=CURSOR_ENTRIES_MAX).contains(&drafts.len())),
            Err(problem) => check_answer(&problem),
        },
        Route::Batch(batch) => match batch.items(&body, &None, rules) {
            Ok(items) => assert!(items.len() <= ITEMS_MAX),
            Err(problem) => check_answer(&problem),
        },
        Route::History(history) => assert!((1..=1_000).contains(&history.query.limit)),
        Route::Presence(presence) => assert!((1..=1_000).contains(&presence.query.limit)),
        Route::Remove(channels) => assert!(!channels.is_empty()),
        Route::ChannelPage(channels) => assert!(!channels.is_empty()),
        Route::Change(session) => {
            let mut text = Vec::new();
            session.append(&mut text);
            assert_eq!(text.len(), SESSION_TEXT);
        }
        Route::Preflight | Route::Other => {}
    }
}

/// What others are told of a reader is one line of JSON, whatever it says of itself.
fn check_member(reading: Reading) {
    let member = match reading.attendance {
        Attendance::Named(member) => member,
        Attendance::Unnamed { info, .. } => Arc::new(Member::unnamed(SessionId(1), info)),
        Attendance::Absent => return,
    };
    let Some(asked) = reading.subscriptions.first() else { return };
    let (channel, change) = (asked.channel.clone(), Change::Joined(member));
    let line = encode_news(&News { channel, change, count: 1 }, Format::Ndjson).body();
    assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
    assert_eq!(line.iter().position(|byte| matches!(byte, b'\r' | b'\n')), Some(line.len() - 1));
}

/// A problem's answer is one head, whose headers nothing of the request can forge, and a JSON text.
fn check_answer(problem: &Problem) {
    let status = problem.status();
    assert!((400..=426).contains(&status), "{problem:?}");
    assert!(problem.close_reason().len() <= CLOSE_REASON_BYTES_MAX);
    let mut answer = Vec::new();
    append_problem(&mut answer, problem, &AllowedOrigin::None, Persistence::Close);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = end.and_then(|end| answer.get(end + 4..)).unwrap_or_default();
    assert_eq!(body, problem.body());
    assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
}

//! Who may publish what over HTTP.

use super::{KEY, Serving, post};
use crate::wire::body;

fn assert_status(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
}

#[test]
fn publishing_takes_a_key_where_the_namespace_does_not_open_it() {
    let serving = Serving::start();
    for (channel, headers, status, hint) in [
        ("talk:a", &[][..], "200", ""),
        ("talk:a", &["Authorization: Bearer wrong"], "401", "none where none is needed"),
        ("news:a", &[], "401", "`namespaces.news.anonymous_publish`"),
        ("closed", &[], "401", "`auth.anonymous_publish`"),
        ("news:a", &[KEY], "200", ""),
        ("closed", &[KEY], "200", ""),
    ] {
        let answer = post(&mut serving.connect(), &format!("/c/{channel}"), "x", headers);
        assert_status(&answer, status);
        assert!(body(&answer).contains(hint), "{channel}: {answer}");
        let mut wire = serving.connect();
        let line = format!("POST /c/{channel} HTTP/1.1");
        wire.ask(&line, &[&["Transfer-Encoding: chunked"], headers].concat());
        wire.send("1\r\nx\r\n0\r\n\r\n");
        let chunked = wire.answer();
        assert_status(&chunked, status);
        assert!(body(&chunked).contains(hint), "{channel}: {chunked}");
    }
}

#[test]
fn whoever_may_not_publish_is_told_before_the_body_is_asked_for() {
    let serving = Serving::start();
    for (target, expected) in [
        ("/c/talk:a", "HTTP/1.1 100 "),
        ("/c/closed", "HTTP/1.1 401 "),
        ("/c/closed,news:a", "HTTP/1.1 401 "),
        ("/c/closed,talk:a", "HTTP/1.1 100 "),
        ("/c/talk:a?end=1", "HTTP/1.1 401 "),
        ("/publish", "HTTP/1.1 100 "),
    ] {
        let mut wire = serving.connect();
        let headers = ["Content-Length: 1", "Expect: 100-continue"];
        wire.ask(&format!("POST {target} HTTP/1.1"), &headers);
        let head = wire.until("\r\n\r\n");
        assert!(head.starts_with(expected), "{target}: {head}");
    }
}

#[test]
fn of_several_channels_those_that_may_not_be_published_to_are_refused() {
    let serving = Serving::start();
    let answer = post(&mut serving.connect(), "/c/closed,talk:a,news:a", "x", &[]);
    assert_status(&answer, "200");
    let results = body(&answer);
    assert!(results.starts_with("{\"results\":[{\"channel\":\"closed\",\"error\":{"), "{results}");
    assert!(results.contains("{\"channel\":\"talk:a\",\"offset\":1,"), "{results}");
    assert!(results.contains("{\"channel\":\"news:a\",\"error\":{"), "{results}");
    assert_eq!(results.matches("\"status\":401").count(), 2, "{results}");
    let answer = post(&mut serving.connect(), "/c/closed,news:a", "x", &[]);
    assert_status(&answer, "401");
    let answer = post(&mut serving.connect(), "/c/closed,talk:a,news:a", "x", &[KEY]);
    assert_eq!(body(&answer).matches("\"offset\":").count(), 3, "{answer}");
}

#[test]
fn an_item_of_a_batch_is_refused_by_itself() {
    let serving = Serving::start();
    let items = "[{\"channel\":\"talk:a\",\"data\":1},{\"channel\":\"closed\",\"data\":1},\
                 {\"channels\":[\"news:a\",\"talk:b\"],\"data\":1},\
                 {\"channel\":\"talk:a\",\"end\":true},{\"channel\":\"talk:a\",\"data\":2}]";
    let answer = post(&mut serving.connect(), "/publish", items, &[]);
    assert_status(&answer, "200");
    let results = body(&answer);
    for part in [
        "[{\"channel\":\"talk:a\",\"offset\":1,",
        ",{\"channel\":\"closed\",\"error\":{",
        ",{\"results\":[{\"channel\":\"news:a\",\"error\":{",
        ",{\"channel\":\"talk:b\",\"offset\":1,",
        "To end a channel takes a key",
        ",{\"channel\":\"talk:a\",\"offset\":2,",
    ] {
        assert!(results.contains(part), "{part}: {results}");
    }
    assert_eq!(results.matches("\"status\":401").count(), 3, "{results}");
    serving.connect().wait_for_figure("fanfare_refusals_total{reason=\"unauthorized\"}", 3);
    let answer = post(&mut serving.connect(), "/publish", items, &[KEY]);
    assert_eq!(body(&answer).matches("\"error\"").count(), 1, "what has ended: {answer}");
    let answer = post(&mut serving.connect(), "/publish", items, &["Authorization: Bearer wrong"]);
    assert_status(&answer, "401");
}

#[test]
fn to_end_or_remove_a_channel_takes_a_key_wherever_anyone_publishes() {
    let serving = Serving::start();
    serving.publish("talk:a", "first");
    for end in ["/c/talk:a?end=1", "/c/talk:a,talk:b?end=1"] {
        for mut wire in serving.connections() {
            let answer = post(&mut wire, end, "last", &[]);
            assert!(answer.contains("To end a channel takes a key"), "{answer}");
            assert!(!answer.contains("\"offset\""), "{answer}");
        }
    }
    for mut wire in serving.connections() {
        wire.ask("DELETE /c/talk:a HTTP/1.1", &[]);
        let answer = wire.answer();
        assert_status(&answer, "401");
        assert!(answer.contains("To remove a channel takes a key"), "{answer}");
    }
    let mut wire = serving.connect();
    let answer = post(&mut wire, "/c/talk:a?end=1", "last", &[KEY]);
    assert!(answer.contains("\"offset\":2"), "nobody has published or ended it: {answer}");
    wire.ask("DELETE /c/talk:a HTTP/1.1", &[KEY]);
    assert_status(&wire.answer(), "200");
}

//! What is told over the limit: a reader comes back, everyone else learns which limit it was.

use std::time::Duration;

use fanfare_protocol::native::cors::{AllowedOrigin, Hosts, OriginPolicy, Origins};

use super::{Ending, Limit, Seen, Terms, answer};

fn seen(request: &str) -> Seen {
    let listed = Origins::Listed(vec!["https://app.example".to_owned()]);
    Seen::of(request.as_bytes(), &OriginPolicy { hosts: Hosts::Any, origins: listed })
}

fn told(request: &str) -> (String, Ending) {
    let (answer, ending) =
        answer(&seen(request), Limit::Connections, &Terms::default(), Duration::from_secs(3));
    (String::from_utf8(answer).unwrap(), ending)
}

#[test]
fn an_event_source_is_asked_to_come_back_with_the_very_origin_it_has() {
    let (told, ending) = told(
        "GET /c/a HTTP/1.1\r\naccept: Text/Event-Stream\r\nOrigin: https://app.example\r\n\r\n",
    );
    assert!(told.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), "{told}");
    assert!(told.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"), "{told}");
    assert!(told.contains("\r\nAccess-Control-Allow-Credentials: true\r\n"), "{told}");
    assert!(told.contains("retry: 3000\n"), "{told}");
    assert!(!told.ends_with("0\r\n\r\n"), "an end would be final: {told}");
    assert_eq!(ending, Ending::Close);
}

#[test]
fn a_reader_behind_an_old_proxy_is_reset() {
    let (told, ending) = told("GET /c/a HTTP/1.0\r\naccept: text/event-stream\r\n\r\n");
    assert!(told.contains("retry: 3000\n") && !told.contains("chunked"), "{told}");
    assert_eq!(ending, Ending::Reset);
}

#[test]
fn everyone_else_gets_the_problem_and_its_key() {
    for request in [
        "POST /c/a HTTP/1.1\r\naccept: text/event-stream\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a",
        "\u{16}\u{3}\u{1}",
        "",
    ] {
        let (told, ending) = told(request);
        assert!(told.starts_with("HTTP/1.1 503 "), "{request}: {told}");
        assert!(told.contains("\"code\":\"connections-full\""), "{told}");
        assert!(
            told.contains("limits.connections_max") && told.contains("Retry-After: "),
            "{told}"
        );
        assert!(!told.contains("Access-Control"), "{told}");
        assert_eq!(ending, Ending::Close);
    }
}

#[test]
fn a_foreign_page_is_allowed_nothing_and_a_part_of_a_head_is_waited_for() {
    let foreign = seen("GET / HTTP/1.1\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(foreign.origin, AllowedOrigin::None);
    assert!(foreign.is_whole());
    assert!(!seen("GET / HTTP/1.1\r\nOrigin: https://app.exa").is_whole());
    assert!(seen("no HTTP at all \u{0}\r\n\r\n").is_whole());
}

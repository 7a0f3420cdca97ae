//! Problems, the heads of answers, Host and Origin.

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::shard::Refusal;
use fanfare_protocol::native::cors::{
    AllowedOrigin, Hosts, OriginPolicy, Origins, check, preflight_headers,
};
use fanfare_protocol::native::cursor::entry_text;
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::{CLOSE_REASON_BYTES_MAX, Problem};
use fanfare_protocol::native::response::{
    BodyLength, Media, Persistence, ResponseHead, append_head, append_problem,
};
use serde_json::{Value, json};

use crate::asking::{channel, entry};

fn dev() -> OriginPolicy {
    OriginPolicy { hosts: Hosts::Loopback, origins: Origins::Loopback }
}

fn checked(policy: &OriginPolicy, method: &str, headers: &[(&str, &str)]) -> Result<bool, Code> {
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let head = Head::new(method, "/c/a", Version::Http11, &headers);
    check(&head, policy)
        .map(|allowed| allowed != AllowedOrigin::None)
        .map_err(|problem| problem.code())
}

#[test]
fn dev_answers_to_loopback_alone() {
    for host in
        ["localhost", "LOCALHOST:8300", "127.0.0.1:1", "127.9.9.9", "[::1]:8300", "a.localhost"]
    {
        assert_eq!(checked(&dev(), "GET", &[("Host", host)]), Ok(false), "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]", "0.0.0.0"]
    {
        let refused = checked(&dev(), "POST", &[("Host", host)]);
        assert_eq!(refused, Err(Code::HostRefused), "{host}");
    }
    for origin in
        ["http://localhost", "http://localhost:3000", "https://127.0.0.1:5173", "http://[::1]:9"]
    {
        let headers = [("Host", "localhost:8300"), ("Origin", origin)];
        assert_eq!(checked(&dev(), "POST", &headers), Ok(true), "{origin}");
    }
    for origin in [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "file://localhost",
        "http://localhost@evil.example",
        "",
        "localhost",
    ] {
        let headers = [("Host", "localhost:8300"), ("Origin", origin)];
        assert_eq!(checked(&dev(), "POST", &headers), Err(Code::OriginRefused), "{origin}");
    }
    let two = [("Origin", "http://localhost"), ("Origin", "http://localhost")];
    assert_eq!(checked(&dev(), "GET", &two), Err(Code::OriginRefused));
}

#[test]
fn serve_allows_its_own_host_and_those_that_are_listed() {
    let same = OriginPolicy::default();
    let listed = OriginPolicy {
        hosts: Hosts::Listed(vec!["live.example".to_owned(), "b.example:81".to_owned()]),
        origins: Origins::Listed(vec!["https://app.example/".to_owned()]),
    };
    let both = OriginPolicy {
        hosts: Hosts::Any,
        origins: Origins::SameHostAnd(vec!["https://app.example".to_owned()]),
    };
    let refused = Err(Code::OriginRefused);
    for (policy, host, origin, expected) in [
        (&same, "live.example", "https://live.example", Ok(true)),
        (&same, "live.example:443", "https://live.example", Ok(true)),
        (&same, "live.example:8300", "http://LIVE.example:8300", Ok(true)),
        (&same, "live.example", "https://live.example:444", refused),
        (&same, "live.example", "https://app.example", refused),
        (&listed, "live.example:8300", "https://app.example", Ok(true)),
        (&listed, "live.example", "https://app.example:443", Ok(true)),
        (&listed, "live.example", "http://app.example", refused),
        (&listed, "live.example", "https://live.example", refused),
        (&listed, "b.example", "https://app.example", Err(Code::HostRefused)),
        (&both, "live.example", "https://live.example", Ok(true)),
        (&both, "live.example", "https://app.example", Ok(true)),
        (&both, "live.example", "null", refused),
    ] {
        let headers = [("Host", host), ("Origin", origin)];
        assert_eq!(checked(policy, "POST", &headers), expected, "{host} {origin}");
    }
}

#[test]
fn a_foreign_page_without_an_origin_may_only_lead_here() {
    let cross = ("Sec-Fetch-Site", "cross-site");
    let navigate = ("Sec-Fetch-Mode", "navigate");
    for (method, headers, expected) in [
        ("GET", &[cross, navigate][..], Ok(false)),
        ("GET", &[cross], Err(Code::OriginRefused)),
        ("GET", &[cross, ("Sec-Fetch-Mode", "no-cors")], Err(Code::OriginRefused)),
        ("POST", &[cross, navigate], Err(Code::OriginRefused)),
        ("HEAD", &[cross, navigate], Err(Code::OriginRefused)),
        ("POST", &[("Sec-Fetch-Site", "same-origin")], Ok(false)),
        ("POST", &[("Sec-Fetch-Site", "none")], Ok(false)),
        ("POST", &[cross, ("Origin", "http://localhost")], Ok(true)),
    ] {
        assert_eq!(checked(&dev(), method, headers), expected, "{method} {headers:?}");
    }
}

#[test]
fn a_preflight_is_answered_with_the_names_it_asked_for() {
    let asked = "Authorization, X-Secret, Fanfare-Event, HX-Request, fanfare-é, idempotency-key";
    let headers: [(&str, &[u8]); 2] = [
        ("Access-Control-Request-Method", b"POST"),
        ("Access-Control-Request-Headers", asked.as_bytes()),
    ];
    let answer = preflight_headers(&Head::new("OPTIONS", "/c/a", Version::Http11, &headers));
    let allowed = answer.iter().find(|(name, _)| *name == "Access-Control-Allow-Headers").unwrap();
    assert_eq!(allowed.1, "authorization, fanfare-event, hx-request, idempotency-key");
}

#[test]
fn a_problem_says_what_is_wrong_where_and_what_to_change() {
    let head = entry("news", 7);
    let refusal = Refusal { code: Code::ExpectFailed, head: Some(head) };
    let problem = Problem::refused(&channel("news"), refusal);
    let body: Value = serde_json::from_slice(&problem.body()).unwrap();
    assert_eq!(body["status"], 409);
    assert_eq!(body["code"], "expect-failed");
    assert_eq!(body["channel"], "news");
    assert_eq!(body["offset"], 7);
    assert_eq!(body["epoch"], "bI0VniavN7w");
    assert_eq!(body["cursor"], entry_text(head));
    for member in ["type", "title", "detail", "hint"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
    for row in fanfare_core::code::TABLE {
        let problem = Problem::of(row.code);
        let body: Value = serde_json::from_slice(&problem.body()).unwrap();
        assert_eq!(body["code"], row.name);
        assert_eq!(
            problem.retry_after().is_some(),
            matches!(row.status, 429 | 503),
            "{}",
            row.name
        );
    }
    let quoting =
        Problem::new(Code::SinceInvalid, "a \"quoted\"\n\u{1}".to_owned() + &"é".repeat(200), "b");
    assert!(serde_json::from_slice::<Value>(&quoting.body()).is_ok());
    assert!(quoting.close_reason().len() <= CLOSE_REASON_BYTES_MAX);
    assert!(quoting.close_reason().starts_with("since-invalid: a \"quoted\""));
}

#[test]
fn the_heads_of_answers_have_what_the_protocol_demands() {
    let mut cursor = Cursor::new();
    cursor.set(entry("news", 7));
    let origin = AllowedOrigin::Origin("http://localhost:3000".into());
    let head = ResponseHead::new(200, Media::EventStream, &origin).with_cursor(&cursor);
    let mut out = Vec::new();
    append_head(&mut out, &head, BodyLength::Chunked, Persistence::KeepAlive);
    let expected = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
         Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n\
         Vary: Accept, Origin\r\nX-Content-Type-Options: nosniff\r\nFanfare-Cursor: {}\r\n\
         Access-Control-Allow-Origin: http://localhost:3000\r\n\
         Access-Control-Allow-Credentials: true\r\n\
         Access-Control-Expose-Headers: Fanfare-Cursor\r\nTransfer-Encoding: chunked\r\n\r\n",
        entry_text(entry("news", 7))
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    let problem = Problem::of(Code::Overloaded);
    append_problem(&mut out, &problem, &AllowedOrigin::None, Persistence::Close);
    let out = String::from_utf8(out).unwrap();
    let (head, body) = out.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    for line in [
        "Content-Type: application/problem+json",
        "Cache-Control: no-store",
        "Retry-After: 2",
        "Connection: close",
        &format!("Content-Length: {}", body.len()),
    ] {
        assert!(head.lines().any(|known| known == line), "{line} in {head}");
    }
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["code"], json!("overloaded"));
}

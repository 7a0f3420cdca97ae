//! Aliases: exactly the URL that they stand for, and nothing else can be one.

use fanfare_core::code::Code;
use fanfare_core::start::Start;
use fanfare_protocol::native::alias::{Alias, AliasError, Aliases, Posting};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::route::{Route, Rules, route};

use crate::asking::{NOW, ask, channel, handshake};

const BITS: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

fn alias(to: &str, post: Posting, greeting: Option<&str>) -> Result<Alias, AliasError> {
    Alias::new("/events", to, post, greeting, &Rules::default())
}

fn plain(to: &str) -> Alias {
    alias(to, Posting::Publishes, None).unwrap()
}

/// What a request to an alias is.
fn through(
    alias: &Alias,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Route, Problem> {
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let asked = Head::new(method, target, Version::Http11, &headers);
    assert_eq!(asked.path, alias.path());
    let aliased = alias.resolve(asked.query, BITS);
    route(&aliased.head(&asked), &Rules::default(), NOW)
}

#[test]
fn a_request_has_its_own_parameters_and_then_those_of_the_alias() {
    for (to, query, expected) in [
        ("/c/clock", None, "/c/clock"),
        ("/c/clock", Some(""), "/c/clock"),
        ("/c/clock?since=last", None, "/c/clock?since=last"),
        ("/c/clock?since=last", Some("as=ndjson"), "/c/clock?as=ndjson&since=last"),
        ("/c/clock?since=last&as=raw", Some("since=all"), "/c/clock?since=all&as=raw"),
        // An empty value counts as absent.
        ("/c/clock?since=last", Some("since="), "/c/clock?since&since=last"),
        ("/c/clock", Some("history"), "/c/clock?history"),
        ("/c/clock?history", Some("history=0"), "/c/clock?history=0"),
        // Which channels are read is not the request's to say.
        ("/c/clock", Some("channel=other&as=raw"), "/c/clock?as=raw"),
        ("/c?channel=runs/1&channel=b", Some("channel=c"), "/c?channel=runs/1&channel=b"),
        ("/c/a-{unique}", None, "/c/a-0123456789abcdef0011223344556677"),
        (
            "/c?channel=a/{unique}&since=all",
            Some("x"),
            "/c?x&channel=a/0123456789abcdef0011223344556677&since=all",
        ),
        ("/c/stra\u{df}e", None, "/c/stra%C3%9Fe"),
    ] {
        assert_eq!(plain(to).resolve(query, BITS).target(), expected, "{to} with {query:?}");
    }
}

/// A method, a query and headers.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[test]
fn an_alias_is_exactly_its_url_for_every_transport() {
    let alias = plain("/c/clock?since=last");
    let websocket = handshake(&[]);
    let rows: [Row<'_>; 9] = [
        ("GET", "", &[]),
        ("HEAD", "", &[]),
        ("GET", "", &websocket),
        ("GET", "", &[("Accept", "application/x-ndjson")]),
        ("GET", "?wait=5", &[]),
        ("GET", "", &[("Last-Event-ID", "7.kEJxmIQv7o2")]),
        ("OPTIONS", "", &[]),
        ("DELETE", "", &[]),
        ("PATCH", "", &[]),
    ];
    for (method, query, headers) in rows {
        let there = format!(
            "/c/clock{query}{}",
            if query.is_empty() { "?since=last" } else { "&since=last" }
        );
        let expected = format!("{:?}", ask(method, &there, headers));
        let found = format!("{:?}", through(&alias, method, &format!("/events{query}"), headers));
        assert_eq!(found, expected, "{method} {query} {headers:?}");
    }
    let Ok(Route::Read(reading)) = through(&alias, "GET", "/events?since=all", &[]) else {
        panic!()
    };
    assert_eq!(reading.subscriptions[0].start, Start::All);
}

#[test]
fn a_post_publishes_or_reads_as_the_alias_says() {
    let publishes = plain("/c/clock");
    for method in ["POST", "PUT"] {
        let found = through(&publishes, method, "/events", &[]);
        let Ok(Route::Publish(publishing)) = found else { panic!("{method}: {found:?}") };
        assert_eq!(publishing.channels, [Ok(channel("clock"))]);
    }
    let reads = alias("/c/clock?since=all", Posting::Reads, None).unwrap();
    for method in ["POST", "PUT", "GET"] {
        let found = through(&reads, method, "/events", &[]);
        let Ok(Route::Read(reading)) = found else { panic!("{method}: {found:?}") };
        assert_eq!(reading.subscriptions[0].start, Start::All);
    }
    assert!(matches!(through(&reads, "DELETE", "/events", &[]), Ok(Route::Remove(_))));
    assert!(publishes.is_plain() && !reads.is_plain());
    // What only can be published to is good for that.
    plain("/c/deploys?event=deploy");
    let refused = alias("/c/deploys?event=deploy", Posting::Reads, None).unwrap_err();
    assert!(
        matches!(refused, AliasError::Refused(_, problem) if problem.code() == Code::ParameterInvalid)
    );
}

#[test]
fn paths_are_found_as_they_were_sent() {
    let rules = Rules::default();
    let make =
        |path: &str, to: &str| Alias::new(path, to, Posting::Publishes, None, &rules).unwrap();
    let aliases = Aliases::new(vec![
        make("/sse", "/c/a"),
        make("/events", "/c/b"),
        make("/api/stock-prices", "/c/c"),
        make("/sse", "/c/d"),
        make("/caf%C3%A9", "/c/e"),
    ]);
    let find = |path: &str| aliases.find(path).map(Alias::to);
    assert_eq!(find("/sse").as_deref(), Some("/c/a"));
    assert_eq!(find("/events").as_deref(), Some("/c/b"));
    assert_eq!(find("/api/stock-prices").as_deref(), Some("/c/c"));
    assert_eq!(find("/caf%C3%A9").as_deref(), Some("/c/e"));
    for path in ["", "/", "/events/", "/event", "/Events", "/api", "/c/a", "events"] {
        assert_eq!(find(path), None, "{path}");
    }
    assert_eq!(aliases.iter().count(), 4);
    assert!(Aliases::default().find("/events").is_none());
}

#[test]
fn only_paths_that_are_free_can_be_aliases() {
    let make = |path: &str| Alias::new(path, "/c/a", Posting::Publishes, None, &Rules::default());
    for path in [
        "/events",
        "/api/chat-stream",
        "/cc",
        "/c%2Fa",
        "/publisher",
        "/healthy",
        "/x/c/y",
        "/~a;b@c:d",
    ] {
        make(path).unwrap();
    }
    for path in
        ["", "events", "/a b", "/a?b", "/a#b", "/\u{e9}", "/a\"b", "/a{b}", "/a\\b", "http://a/b"]
    {
        assert_eq!(make(path), Err(AliasError::Path), "{path}");
    }
    assert_eq!(make(&format!("/{}", "a".repeat(1_024))), Err(AliasError::Path));
    for path in [
        "/",
        "/c",
        "/c/",
        "/c/a",
        "/publish",
        "/publish/a",
        "/sessions",
        "/sessions/a",
        "/health",
        "/ready",
        "/metrics",
    ] {
        assert_eq!(make(path), Err(AliasError::Reserved), "{path}");
    }
}

#[test]
fn only_urls_that_would_be_answered_can_be_stood_for() {
    for to in [
        "",
        "/",
        "/c",
        "c/a",
        "/publish",
        "/sessions/x",
        "/events",
        "http://localhost/c/a",
        "/c/a#b",
    ] {
        let refused = alias(to, Posting::Publishes, None);
        assert!(matches!(refused, Err(AliasError::Target(_))), "{to}: {refused:?}");
    }
    for (to, code) in [
        ("/c/", Code::ChannelMissing),
        ("/c/$a", Code::ChannelInvalid),
        ("/c/a b", Code::ChannelInvalid),
        ("/c/a?since=gestern", Code::SinceInvalid),
        ("/c/a,b/history", Code::ParameterInvalid),
    ] {
        let refused = alias(to, Posting::Reads, None);
        let Err(AliasError::Refused(_, problem)) = &refused else { panic!("{to}: {refused:?}") };
        assert_eq!(problem.code(), code, "{to}: {problem:?}");
    }
    assert_eq!(alias("/c/{user}", Posting::Publishes, None), Err(AliasError::Placeholder));
    assert_eq!(alias("/c/a-{unique", Posting::Publishes, None), Err(AliasError::Placeholder));
    let long = format!("/c/a?x={}", "y".repeat(1_024));
    assert_eq!(alias(&long, Posting::Publishes, None), Err(AliasError::TooLong(long.len())));
    plain("/c/a/history");
    plain("/c/a,b,c?as=envelope");
}

#[test]
fn a_greeting_has_one_channel_and_something_to_say() {
    for to in ["/c/a", "/c/a-{unique}?since=all", "/c?channel=runs/1"] {
        let greeted = alias(to, Posting::Publishes, Some("Welcome")).unwrap();
        assert_eq!(greeted.greeting().unwrap(), "Welcome");
        assert!(!greeted.is_plain());
    }
    for to in ["/c/a,b", "/c/a/history"] {
        let refused = alias(to, Posting::Publishes, Some("Welcome"));
        assert_eq!(refused, Err(AliasError::Greeting), "{to}");
    }
    let refused = alias("/c/a?event=b", Posting::Publishes, Some("Welcome"));
    assert!(matches!(refused, Err(AliasError::Refused(..))), "nobody could read it: {refused:?}");
    assert_eq!(alias("/c/a", Posting::Publishes, Some("")), Err(AliasError::GreetingSize(0)));
    let large = "x".repeat((1 << 20) + 1);
    let refused = alias("/c/a", Posting::Publishes, Some(&large));
    assert_eq!(refused, Err(AliasError::GreetingSize(large.len())));
}

#[test]
fn every_mistake_says_what_to_change() {
    let problem = Problem::of(Code::ChannelInvalid);
    for error in [
        AliasError::Path,
        AliasError::Reserved,
        AliasError::Target("x".to_owned()),
        AliasError::TooLong(2_000),
        AliasError::Placeholder,
        AliasError::Refused("/c/x".to_owned(), Box::new(problem)),
        AliasError::Greeting,
        AliasError::GreetingSize(0),
    ] {
        assert!(error.change().len() > 10 && error.to_string().len() > 8, "{error:?}");
    }
}

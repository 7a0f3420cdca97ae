//! A route that leads elsewhere than its owner wrote serves strangers what was not meant for them.

use fanfare_protocol::native::alias::{Alias, Aliases, Posting};

use super::{MACHINE, mistake, read_file, settings};
use crate::config::effective::Effective;
use crate::config::settings::{Mode, Settings};
use crate::config::{environment, file, reference};
use crate::demo;

/// A file of routes in every form.
const FILE: &str = "
[routes]
\"/events\" = \"/c/clock?since=last\"
\"/v1.0/live\" = { to = \"/c/live\" }

[routes.\"/socket\"]
to = \"/c/echo-{unique}?since=all\"
greeting = \"Hello Client!\"
post = \"read\"
";

fn routes(text: &str) -> Vec<Alias> {
    settings(text, Mode::Serve).unwrap().routes
}

#[test]
fn a_route_is_a_text_or_a_table() {
    let aliases = Aliases::new(routes(FILE));
    assert_eq!(aliases.iter().count(), 3);
    let events = aliases.find("/events").unwrap();
    assert!(events.is_plain() && events.to() == "/c/clock?since=last");
    assert!(aliases.find("/v1.0/live").is_some_and(Alias::is_plain));
    let socket = aliases.find("/socket").unwrap();
    assert_eq!(socket.to(), "/c/echo-{unique}?since=all");
    assert_eq!(socket.greeting().unwrap(), "Hello Client!");
    assert_eq!(socket.post(), Posting::Reads);
    assert!(routes("").is_empty() && routes("[routes]\n").is_empty());
}

#[test]
fn what_holds_is_shown_with_where_it_came_from() {
    let effective = Effective::of(&[read_file(FILE).unwrap()]).unwrap();
    let rows = effective.routes.values().flat_map(|route| route.rows.iter());
    let shown: Vec<_> =
        rows.map(|row| format!("{} # {}", reference::assignment(row), row.origin)).collect();
    assert_eq!(
        shown,
        [
            "routes.\"/events\".to = \"/c/clock?since=last\" # fanfare.toml:3",
            "routes.\"/events\".greeting = (none) # default",
            "routes.\"/events\".post = \"publish\" # default",
            "routes.\"/socket\".to = \"/c/echo-{unique}?since=all\" # fanfare.toml:7",
            "routes.\"/socket\".greeting = \"Hello Client!\" # fanfare.toml:8",
            "routes.\"/socket\".post = \"read\" # fanfare.toml:9",
            "routes.\"/v1.0/live\".to = \"/c/live\" # fanfare.toml:4",
            "routes.\"/v1.0/live\".greeting = (none) # default",
            "routes.\"/v1.0/live\".post = \"publish\" # default",
        ]
    );
}

/// File, and what its owner is told.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[routes]\nevents = \"/c/clock\"\n",
        "fanfare.toml:2: `routes.\"events\"` is no path; write a path as browsers send it, such as \
         `/events`",
    ),
    (
        "[routes]\n\"/c/x\" = \"/c/clock\"\n",
        "fanfare.toml:2: `routes.\"/c/x\"` is a path of the server's own; choose another",
    ),
    (
        "[routes.\"/metrics\"]\nto = \"/c/a\"\n",
        "fanfare.toml:1: `routes.\"/metrics\"` is a path of",
    ),
    (
        "[routes]\n\"/events\" = \"/clock\"\n",
        "fanfare.toml:2: `routes.\"/events\".to` is \"/clock\", which is no URL of a channel; write \
         what stands behind the host, such as `/c/clock?since=last`",
    ),
    (
        "[routes.\"/events\"]\npost = \"read\"\nto = \"/c/clock?since=gestern\"\n",
        "fanfare.toml:3: `routes.\"/events\".to` is \"/c/clock?since=gestern\", which would be \
         refused; ",
    ),
    ("[routes]\n\"/e\" = \"/c/{user}\"\n", "has braces around something else than `unique`"),
    (
        "\n[routes.\"/events\"]\n",
        "fanfare.toml:2: `routes.\"/events\"` leads nowhere; say in `to` which URL it stands for",
    ),
    (
        "[routes]\n\"/e\" = { to = \"/c/a,b\", greeting = \"x\" }\n",
        "fanfare.toml:2: `routes.\"/e\".greeting` greets readers of several channels, or of none; \
         name one channel",
    ),
    (
        "[routes]\n\"/e\" = { to = \"/c/a\", greeting = \"\" }\n",
        "`routes.\"/e\".greeting` has 0 bytes; write at least one",
    ),
    (
        "[routes.\"/e\"]\nto = \"/c/a\"\nposts = \"read\"\n",
        "fanfare.toml:3: unknown key `routes.\"/e\".posts`; did you mean `routes.\"/e\".post`?",
    ),
    ("[routes.\"/e\"]\nzebra = 1\n", "`routes.\"/e\".zebra`; a route has to, greeting, post"),
    (
        "[routes]\n\"/e\" = { to = \"/c/a\", post = \"both\" }\n",
        "`routes.\"/e\".post` is \"both\"; write `publish` or `read`",
    ),
    ("[routes]\n\"/e\" = [\"/c/a\", \"/c/b\"]\n", "`routes.\"/e\".to` is a list; write a text"),
    ("[routes]\n\"/e\" = 1.5\n", "`routes.\"/e\".to` cannot be a TOML float"),
    ("[routes]\n\"/e\" = \"/c/a\"\n\"/e\" = \"/c/b\"\n", "fanfare.toml:3: not TOML: duplicate key"),
    ("routes = 1\n", "fanfare.toml:1: `routes` is a table; write its keys under `[routes]`"),
    ("[route]\nx = 1\n", "unknown key `route`; did you mean `routes`?"),
];

#[test]
fn mistakes_in_a_route_say_what_where_and_what_to_change() {
    for (text, expected) in MISTAKES {
        let told = mistake(text, Mode::Serve);
        assert!(told.contains(expected), "{text:?} told\n{told}\nnot\n{expected}");
        assert_eq!(told.lines().count(), 1, "{text:?} told\n{told}");
    }
}

#[test]
fn a_greeting_is_as_large_as_a_payload_may_be() {
    let file = |bytes: usize| {
        let greeting = "x".repeat(bytes);
        format!(
            "[limits]\npayload_bytes_max = \"1 KiB\"\n\
             [routes]\n\"/e\" = {{ to = \"/c/a\", greeting = \"{greeting}\" }}\n"
        )
    };
    assert_eq!(routes(&file(1_024)).len(), 1);
    assert!(mistake(&file(1_025), Mode::Serve).contains("has 1025 bytes"));
}

#[test]
fn there_may_be_256_and_no_more() {
    let file = |count: usize| {
        let lines = (0..count).map(|number| format!("\"/r{number:03}\" = \"/c/a\"\n"));
        format!("[routes]\n{}", lines.collect::<String>())
    };
    assert_eq!(routes(&file(256)).len(), 256);
    let told = mistake(&file(257), Mode::Serve);
    assert_eq!(told, "fanfare.toml:258: `routes` has 257; leave at most 256");
}

#[test]
fn a_route_is_what_its_last_source_makes_of_it() {
    let below = "[routes]\n\"/a\" = { to = \"/c/a\", greeting = \"hi\" }\n\"/b\" = \"/c/b\"\n";
    let below = file::read("below.toml".as_ref(), below).unwrap();
    let above = read_file("[routes]\n\"/a\" = \"/c/other\"\n").unwrap();
    let effective = Effective::of(&[below, above]).unwrap();
    let origins = effective.routes.values().map(|route| route.origin.to_string());
    assert_eq!(origins.collect::<Vec<_>>(), ["fanfare.toml:2", "below.toml:3"]);
    let routes = Settings::build(&effective, Mode::Serve, MACHINE).unwrap().routes;
    assert_eq!(routes.len(), 2);
    assert_eq!((routes[0].to().as_str(), routes[0].greeting()), ("/c/other", None));
}

#[test]
fn the_environment_has_no_routes() {
    let variables = super::variables(&[("FANFARE_ROUTES__EVENTS__TO", "/c/a")]);
    let told = environment::read(&variables).unwrap_err().to_string();
    assert!(told.contains("unknown environment variable"), "{told}");
}

#[test]
fn the_configuration_of_the_demo_holds() {
    let (name, text) = demo::CONFIGURATION;
    let source = file::read(name.as_ref(), text).unwrap();
    let effective = Effective::of(&[source]).unwrap();
    Settings::build(&effective, Mode::Demo, MACHINE).unwrap();
}

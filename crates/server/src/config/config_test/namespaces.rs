//! A namespace that holds other rules than its owner reads in `config show` gives his channels away.

use std::time::Duration;

use super::{MACHINE, mistake, read_file, settings, variables};
use crate::config::effective::Effective;
use crate::config::mistake::Origin;
use crate::config::namespace::{OWN_HISTORY_COUNT, PREFIX};
use crate::config::place::Place;
use crate::config::settings::{Mode, Settings, SlowReader};
use crate::config::table::{Kind, Standard};
use crate::config::{environment, reference};

/// A file of two namespaces.
const FILE: &str = "
slow_reader = \"disconnect\"
[history]
count = 7
[auth]
anonymous_publish = true
[namespaces.chat]
history_count = 50
presence = true
anonymous_publish = false
[namespaces.stock-prices]
prefix = \"stocks/\"
slow_reader = \"latest\"
client_publish = false
";

#[test]
fn a_namespace_inherits_what_it_does_not_set() {
    let settings = settings(FILE, Mode::Serve).unwrap();
    let [chat, stocks] = settings.namespaces.as_slice() else {
        panic!("{:?}", settings.namespaces);
    };
    assert_eq!((chat.name.as_str(), chat.prefix.as_str()), ("chat", "chat:"));
    assert_eq!((stocks.name.as_str(), stocks.prefix.as_str()), ("stock-prices", "stocks/"));
    let counts = [&settings.rest, &chat.rules, &stocks.rules].map(|rules| rules.history.count);
    assert_eq!(counts, [7, 50, 7]);
    assert_eq!(stocks.rules.history.age, Duration::from_hours(24), "a default is inherited too");
    let policies = [&settings.rest, &chat.rules, &stocks.rules].map(|rules| rules.slow_reader);
    assert_eq!(policies, [SlowReader::Disconnect, SlowReader::Disconnect, SlowReader::Latest]);
    let rules = [&settings.rest, &chat.rules, &stocks.rules];
    assert_eq!(rules.map(|rules| rules.presence), [false, true, false]);
    assert_eq!(rules.map(|rules| rules.anonymous_subscribe), [false; 3]);
    assert_eq!(rules.map(|rules| rules.anonymous_publish), [true, false, true]);
    assert_eq!(rules.map(|rules| rules.client_publish), [true, true, false]);
}

#[test]
fn dev_lets_anyone_in_everywhere_and_knows_who_is_there() {
    let file = "[namespaces.a]\nanonymous_subscribe = false\npresence = false\n[namespaces.b]\n";
    let settings = settings(file, Mode::Dev).unwrap();
    for namespace in &settings.namespaces {
        let rules = &namespace.rules;
        assert!(rules.anonymous_subscribe && rules.anonymous_publish, "{namespace:?}");
        assert_eq!(rules.presence, namespace.name == "b", "{namespace:?}");
    }
    assert!(settings.rest.presence);
}

#[test]
fn the_environment_wins_over_the_file_and_makes_namespaces_of_its_own() {
    let variables = variables(&[
        ("FANFARE_NAMESPACES__CHAT__HISTORY_COUNT", "60"),
        ("FANFARE_NAMESPACES__CHAT__HISTORY_BYTES", ""),
        ("FANFARE_NAMESPACES__STOCK-PRICES__PRESENCE", "true"),
        ("FANFARE_NAMESPACES__ON_CALL__PREFIX", "calls:"),
        ("FANFARE_NAMESPACES__NEVER__PREFIX", ""),
        ("FANFARE_HISTORY__COUNT", "8"),
    ]);
    let environment = environment::read(&variables).unwrap();
    let effective = Effective::of(&[read_file(FILE).unwrap(), environment]).unwrap();
    let names: Vec<_> = effective.namespaces.keys().map(String::as_str).collect();
    assert_eq!(names, ["chat", "on_call", "stock-prices"]);
    let counts = effective.namespaces.values().map(|rows| rows.number(&OWN_HISTORY_COUNT));
    assert_eq!(counts.collect::<Vec<_>>(), [Some(60), Some(8), Some(8)]);
    let origins = effective.namespaces.values().map(|rows| rows.origin(&OWN_HISTORY_COUNT));
    let inherited = "from history.count (FANFARE_HISTORY__COUNT)";
    assert_eq!(
        origins.map(|origin| origin.to_string()).collect::<Vec<_>>(),
        ["FANFARE_NAMESPACES__CHAT__HISTORY_COUNT", inherited, inherited]
    );
    let settings = Settings::build(&effective, Mode::Serve, MACHINE).unwrap();
    let presence = settings.namespaces.iter().map(|namespace| namespace.rules.presence);
    assert_eq!(presence.collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn what_holds_is_shown_with_where_it_came_from() {
    let effective = Effective::of(&[read_file(FILE).unwrap()]).unwrap();
    let stocks = effective.namespaces["stock-prices"].iter();
    let shown: Vec<_> =
        stocks.map(|row| format!("{} # {}", reference::assignment(row), row.origin)).collect();
    let expected = [
        "prefix = \"stocks/\" # fanfare.toml:12",
        "history_count = 7 # from history.count (fanfare.toml:4)",
        "history_bytes = \"1 MiB\" # from history.bytes (default)",
        "history_age = \"1d\" # from history.age (default)",
        "durability = \"sync\" # from durability (default)",
        "slow_reader = \"latest\" # fanfare.toml:13",
        "presence = (true in dev, false in serve) # from presence (default)",
        "anonymous_subscribe = false # from auth.anonymous_subscribe (default)",
        "anonymous_publish = true # from auth.anonymous_publish (fanfare.toml:6)",
        "client_publish = false # fanfare.toml:14",
        "users = (not set) # from auth.users (default)",
        "ask_subscribe = true # from hooks.ask_subscribe (default)",
        "ask_publish = true # from hooks.ask_publish (default)",
        "events = (not set) # from hooks.events (default)",
    ];
    assert_eq!(shown, expected.map(|line| format!("namespaces.stock-prices.{line}")));
    let chat = &effective.namespaces["chat"];
    assert_eq!(chat.text(&PREFIX), Some("chat:"));
    assert_eq!(chat.origin(&PREFIX), Origin::Default);
}

/// File, and what its owner is told.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[namespaces.chat]\nhistory_cuont = 1\n",
        "fanfare.toml:2: unknown key `namespaces.chat.history_cuont`; \
         did you mean `namespaces.chat.history_count`?",
    ),
    (
        "[namespaces.chat]\nzebra = 1\n",
        "fanfare.toml:2: unknown key `namespaces.chat.zebra`; a namespace has prefix, \
         history_count, history_bytes, history_age, durability, slow_reader, presence, \
         anonymous_subscribe, anonymous_publish, client_publish",
    ),
    (
        "[namespaces.chat.history]\ncount = 1\n",
        "fanfare.toml:1: unknown key `namespaces.chat.history`; \
         did you mean `namespaces.chat.history_age`?",
    ),
    (
        "[namespace.chat]\npresence = true\n",
        "fanfare.toml:1: unknown key `namespace`; did you mean `namespaces`?",
    ),
    (
        "namespaces = 1\n",
        "fanfare.toml:1: `namespaces` is a table; write its keys under `[namespaces.NAME]`",
    ),
    (
        "[namespaces]\nchat = \"chat:\"\n",
        "fanfare.toml:2: `namespaces.chat` is a table; write its keys under `[namespaces.chat]`",
    ),
    ("[[namespaces.chat]]\n", "`namespaces.chat` is a table"),
    (
        "[namespaces.chat]\nhistory_count = 0\n",
        "fanfare.toml:2: `namespaces.chat.history_count` is \"0\"; \
         write a whole number from 1 to 1000000",
    ),
    ("[namespaces.chat]\nslow_reader = \"never\"\n", "write `recover` or `latest` or `disconnect`"),
    (
        "\n[namespaces.Chat]\n",
        "fanfare.toml:2: a namespace cannot be called `Chat`; call it by 1 to 64 lower-case letters",
    ),
    ("[namespaces.a__b]\n", "a namespace cannot be called `a__b`"),
    ("[namespaces._a]\n", "a namespace cannot be called `_a`"),
    ("[namespaces.\"\"]\n", "a namespace cannot be called ``"),
    (
        "[namespaces.chat]\nprefix = \"a b\"\n",
        "fanfare.toml:2: `namespaces.chat.prefix` is \"a b\"; write 1 to 255 bytes that a \
         channel's name can begin with",
    ),
    (
        "[namespaces.chat]\nprefix = \"\"\n",
        "`namespaces.chat.prefix` is \"\"; write 1 to 255 bytes",
    ),
    ("[namespaces.chat]\nprefix = \"$a\"\n", "neither `$` nor `fanfare.` at the beginning"),
    ("[namespaces.chat]\nprefix = \"fanfare.a\"\n", "neither `$` nor `fanfare.` at the beginning"),
    (
        "[namespaces.a]\nprefix = \"x:\"\n[namespaces.b]\nprefix = \"x:\"\n",
        "fanfare.toml:4: `namespaces.b.prefix` is \"x:\", which `namespaces.a` has already; \
         give one of them another",
    ),
    (
        "[namespaces.a]\nprefix = \"b:\"\n[namespaces.b]\n",
        "fanfare.toml:2: `namespaces.a.prefix` is \"b:\", which `namespaces.b` has already",
    ),
];

#[test]
fn mistakes_in_a_namespace_say_what_where_and_what_to_change() {
    for (text, expected) in MISTAKES {
        let told = mistake(text, Mode::Serve);
        assert!(told.contains(expected), "{text:?} told\n{told}\nnot\n{expected}");
        assert_eq!(told.lines().count(), 1, "{text:?} told\n{told}");
    }
    let long = format!("[namespaces.chat]\nprefix = \"{}\"\n", "x".repeat(256));
    assert!(mistake(&long, Mode::Serve).contains("write 1 to 255 bytes"));
}

#[test]
fn an_unknown_variable_of_a_namespace_is_a_mistake() {
    for (name, expected) in [
        ("FANFARE_NAMESPACES__CHAT__HISTORY_CUONT", "`FANFARE_NAMESPACES__CHAT__HISTORY_COUNT`?"),
        ("FANFARE_NAMESPACES__chat__PREFIX", "did you mean `FANFARE_NAMESPACES__CHAT__PREFIX`?"),
        ("FANFARE_NAMESPACES__A__B__PREFIX", "a namespace cannot be called `a.b`"),
        ("FANFARE_NAMESPACES____PREFIX", "a namespace cannot be called ``"),
        ("FANFARE_NAMESPACES__PREFIX", "unknown environment variable"),
    ] {
        let told = environment::read(&variables(&[(name, "1")])).unwrap_err().to_string();
        assert!(told.starts_with(name) && told.contains(expected), "{told}");
    }
}

#[test]
fn prefixes_are_whatever_names_can_begin_with() {
    for prefix in ["a", ".", "..", "fanfare", "a,b", "é", &"x".repeat(255)] {
        let file = format!("[namespaces.a]\nprefix = {prefix:?}\n");
        assert_eq!(settings(&file, Mode::Serve).unwrap().namespaces[0].prefix, prefix);
    }
}

#[test]
fn there_may_be_a_thousand_and_no_more() {
    let file = |count: usize| {
        (0..count).map(|number| format!("[namespaces.n{number:04}]\n")).collect::<String>()
    };
    assert_eq!(settings(&file(1_000), Mode::Serve).unwrap().namespaces.len(), 1_000);
    let told = mistake(&file(1_001), Mode::Serve);
    assert_eq!(told, "fanfare.toml:1001: `namespaces` has 1001; leave at most 1000");
}

#[test]
fn what_is_inherited_is_of_the_same_kind() {
    for key in Place::Namespace(String::new()).keys() {
        if let Standard::Inherited(from) = key.default {
            let same = std::mem::discriminant(&key.kind) == std::mem::discriminant(&from.kind);
            assert!(same && !matches!(from.kind, Kind::SecretList), "{}", key.name);
        }
    }
}

#[test]
fn the_example_of_the_documents_holds_what_they_say() {
    let page = include_str!("../../../../../docs/configuration.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let settings = settings(&example.replace("\"…\"", "\"key\""), Mode::Serve).unwrap();
    let told: Vec<_> = settings
        .namespaces
        .iter()
        .map(|it| (it.prefix.as_str(), it.rules.anonymous_subscribe, it.rules.anonymous_publish))
        .collect();
    assert_eq!(told, [("chat:", true, true), ("stocks/", true, false), ("staff:", false, false)]);
}

//! A configuration that is read wrongly, or a mistake that is not told, costs its owner a night.

use std::path::Path;
use std::time::Duration;

use super::effective::Effective;
use super::mistake::{Mistakes, Origin};
use super::namespace::NAMESPACE_KEYS;
use super::place::{Place, name_of_variable};
use super::route::ROUTE_KEYS;
use super::settings::{Machine, Mode, Settings, SlowReader};
use super::source::Source;
use super::table::{KEYS, PAYLOAD_BYTES_MAX};
use super::{environment, file, reference, table};

#[path = "config_test/credentials.rs"]
mod credentials;
#[path = "config_test/hooks.rs"]
mod hooks;
#[path = "config_test/namespaces.rs"]
mod namespaces;
#[path = "config_test/routes.rs"]
mod routes;

const MACHINE: Machine = Machine { cores: 4, open_files: 10_000 };

fn read_file(text: &str) -> Result<Source, Mistakes> {
    file::read(Path::new("fanfare.toml"), text)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn settings(text: &str, mode: Mode) -> Result<Settings, Mistakes> {
    Settings::build(&Effective::of(&[read_file(text)?])?, mode, MACHINE)
}

fn mistake(text: &str, mode: Mode) -> String {
    settings(text, mode).unwrap_err().to_string()
}

#[test]
fn defaults_are_what_the_documents_say() {
    let dev = settings("", Mode::Dev).unwrap();
    assert_eq!(dev.listen, ["127.0.0.1:8300".parse().unwrap()]);
    assert!(dev.rest.anonymous_subscribe);
    let serve = settings("", Mode::Serve).unwrap();
    assert_eq!(serve.listen, ["0.0.0.0:8300".parse().unwrap()]);
    assert!(!serve.rest.anonymous_subscribe && serve.auth.publisher_keys.is_empty());
    assert_eq!(serve.shards, 4);
    assert_eq!(serve.limits.payload_bytes_max, 1 << 20);
    assert_eq!(serve.limits.connections_max, 10_000 - 512);
    assert_eq!(serve.limits.handshakes_max, 4_096);
    assert_eq!(serve.limits.channels_max, 1_000_000);
    assert_eq!(serve.rest.history.count, 100);
    assert_eq!(serve.rest.history.age, Duration::from_hours(24));
    assert_eq!(serve.rest.slow_reader, SlowReader::Recover);
    assert_eq!(serve.heartbeat, Duration::from_secs(15));
    assert_eq!(serve.drain.retry.max, Duration::from_secs(10));
}

#[test]
fn every_default_is_accepted_by_its_own_key() {
    let effective = Effective::of(&[]).unwrap();
    assert_eq!(effective.top.iter().count(), KEYS.len());
    for row in effective.top.iter() {
        let table::Standard::Value(text) = row.key.default else {
            continue;
        };
        assert!(row.value.is_some(), "{} = {text}", row.key.name);
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = "[limits]\npayload_bytes_max = \"2 MiB\"\nchannels_max = 5\nhandshakes_max = 6\n";
    let file = read_file(text).unwrap();
    let environment = environment::read(&variables(&[
        ("FANFARE_LIMITS__PAYLOAD_BYTES_MAX", "3MiB"),
        ("FANFARE_LIMITS__CHANNELS_MAX", "7"),
        ("FANFARE_LIMITS__HANDSHAKES_MAX", ""),
        ("FANFARE_ORIGINS", "https://a, https://b"),
        ("FANFARE_URL", "http://x"),
        ("FANFARE_TOKEN", "t"),
        ("FANFARE_KEY", "k"),
    ]))
    .unwrap();
    let mut flags = Source::default();
    flags.flag(&PAYLOAD_BYTES_MAX, "--flag", Some("4MiB"));
    let effective = Effective::of(&[file, environment, flags]).unwrap();
    assert_eq!(effective.top.number(&PAYLOAD_BYTES_MAX), Some(4 << 20));
    assert_eq!(effective.top.origin(&PAYLOAD_BYTES_MAX).to_string(), "--flag");
    assert_eq!(effective.top.number(&table::CHANNELS_MAX), Some(7));
    assert_eq!(
        effective.top.origin(&table::CHANNELS_MAX).to_string(),
        "FANFARE_LIMITS__CHANNELS_MAX"
    );
    assert_eq!(effective.top.number(&table::HANDSHAKES_MAX), Some(6));
    assert_eq!(effective.top.origin(&table::HANDSHAKES_MAX).to_string(), "fanfare.toml:4");
    assert_eq!(effective.top.list(&table::ORIGINS), ["https://a", "https://b"]);
    assert_eq!(effective.top.origin(&table::SHARDS), Origin::Default);
}

/// File, and what its owner is told.
const MISTAKES: &[(&str, &str)] = &[
    (
        "shards = 2\n[limits]\npayload_byte_max = 1\n",
        "fanfare.toml:3: unknown key `limits.payload_byte_max`; \
             did you mean `limits.payload_bytes_max`?",
    ),
    ("zebra = 1\n", "fanfare.toml:1: unknown key `zebra`; see `fanfare config show` for all keys"),
    ("[limit]\nx = 1\n", "fanfare.toml:1: unknown key `limit`; did you mean `limits`?"),
    (
        "heartbeat = \"3s\"\n",
        "fanfare.toml:1: `heartbeat` is \"3s\"; write a duration from 5s to 1m",
    ),
    ("heartbeat = 15\n", "`heartbeat` is \"15\"; write a duration"),
    ("\n\nshards = 0\n", "fanfare.toml:3: `shards` is \"0\"; write a whole number from 1 to 256"),
    ("slow_reader = \"newest\"\n", "write `recover` or `latest` or `disconnect`"),
    ("shards = 1.5\n", "fanfare.toml:1: `shards` cannot be a TOML float"),
    ("shards = \n", "fanfare.toml:1: not TOML"),
    ("shards = 1\nshards = 2\n", "fanfare.toml:2: not TOML: duplicate key"),
    ("shards = [1, 2]\n", "`shards` is a list; write a whole number"),
    ("limits = 3\n", "fanfare.toml:1: `limits` is a table; write its keys under `[limits]`"),
    ("[limits]\npayload_bytes_max = \"33 MiB\"\n", "write a size from 1 KiB to 32 MiB"),
    ("listen = \"8300\"\n", "`listen` has \"8300\"; write `address:port`"),
    ("origins = [\"https://a/b\"]\n", "without a path"),
    ("hosts = [\"https://a\"]\n", "write a name or `name:port`"),
    ("public_url = \"a.example\"\n", "write a whole URL"),
    ("retry_min = \"9s\"\n", "`retry_max` is less than `retry_min`"),
    (
        "[limits]\nconnections_max = 9489\n",
        "fanfare.toml:2: `limits.connections_max` is 9489, but this process may open 10000 \
             files and keeps 512 for itself; raise the hard limit (`ulimit -Hn`), or write at \
             most 9488",
    ),
    (
        "[limits]\npayload_bytes_max = \"8 MiB\"\npublishes_in_flight_bytes_max = \"4 MiB\"\n",
        "is less than `limits.payload_bytes_max`",
    ),
    (
        "[limits]\npresence_members_max = 99\n",
        "`presence_told_max` is more than `limits.presence_members_max`",
    ),
];

#[test]
fn mistakes_say_what_where_and_what_to_change() {
    for (text, expected) in MISTAKES {
        let told = mistake(text, Mode::Serve);
        assert!(told.contains(expected), "{text:?} told\n{told}\nnot\n{expected}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = mistake("shards = 0\nheartbeat = \"1s\"\n", Mode::Serve);
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn a_secret_is_never_told() {
    let told = mistake("[auth]\npublisher_keys = [\"hunter 2\"]\n", Mode::Serve);
    assert!(told.contains("visible ASCII") && !told.contains("hunter"), "{told}");
    let good = settings("[auth]\npublisher_keys = [\"hunter2\"]\n", Mode::Serve).unwrap();
    assert!(!format!("{good:?}").contains("hunter2"));
    let file = read_file("[auth]\npublisher_keys = [\"hunter2\"]\n").unwrap();
    let effective = Effective::of(&[file]).unwrap();
    let shown: Vec<_> = effective.top.iter().map(reference::assignment).collect();
    assert!(shown.contains(&"auth.publisher_keys = (1 hidden)".to_owned()), "{shown:?}");
}

#[test]
fn an_unknown_variable_is_a_mistake() {
    let told = environment::read(&variables(&[("FANFARE_LIMIT__CHANNELS_MAX", "1")]))
        .unwrap_err()
        .to_string();
    assert!(told.contains("did you mean `FANFARE_LIMITS__CHANNELS_MAX`?"), "{told}");
}

#[test]
fn dev_listens_on_loopback_only() {
    for good in ["[\"127.0.0.1:0\", \"[::1]:0\"]", "\"localhost:1\"", "\"127.9.9.9:1\""] {
        settings(&format!("listen = {good}\n"), Mode::Dev).unwrap();
    }
    let told = mistake("listen = \"0.0.0.0:8300\"\n", Mode::Dev);
    assert!(told.contains("start `fanfare serve`"), "{told}");
}

#[test]
fn keys_and_variables_are_found_by_name() {
    let name = || "chat-2_b".to_owned();
    for place in
        [Place::Top, Place::Namespace(name()), Place::PublisherKey(name()), Place::Issuer(name())]
    {
        for key in place.keys().iter().copied() {
            let (name, variable) = (place.name(key), place.variable(key));
            assert_eq!(name_of_variable(&variable), name);
            let (found, written) = Place::of(&name);
            assert_eq!(found, place, "{name}");
            assert!(place.find(written).is_some_and(|found| std::ptr::eq(found, key)), "{name}");
        }
    }
    let variable = Place::Top.variable(&PAYLOAD_BYTES_MAX);
    assert_eq!(variable, "FANFARE_LIMITS__PAYLOAD_BYTES_MAX");
}

#[test]
fn the_file_of_init_holds_every_key_with_a_value_that_holds() {
    let starter = reference::starter();
    let none = Effective::of(&[read_file(&starter).unwrap()]).unwrap();
    assert!(none.top.iter().all(|row| row.origin == Origin::Default));
    assert!(none.namespaces.is_empty() && none.routes.is_empty());
    let text: String = starter
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(assignment) if !assignment.starts_with(' ') => format!("{assignment}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let all = Effective::of(&[read_file(&text).unwrap()]).unwrap();
    let namespace = &all.namespaces["chat"];
    assert_eq!(namespace.iter().count(), NAMESPACE_KEYS.len());
    let route = &all.routes["/events"].rows;
    assert_eq!(route.iter().count(), ROUTE_KEYS.len());
    let credentials = all.keys["backend"].iter().chain(all.issuers["app"].iter());
    for row in all.top.iter().chain(namespace.iter()).chain(route.iter()).chain(credentials) {
        assert!(matches!(row.origin, Origin::File { .. }), "{}", row.name);
    }
    let roomy = Machine { open_files: 20_000, ..MACHINE };
    Settings::build(&all, Mode::Serve, roomy).unwrap();
}

#[test]
fn the_reference_lists_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let namespace = Place::Namespace("NAME".to_owned());
    let route = Place::Route("PATH".to_owned());
    let key = Place::PublisherKey("NAME".to_owned());
    let issuer = Place::Issuer("NAME".to_owned());
    let places = [
        ("keys", Place::Top),
        ("namespace keys", namespace),
        ("route keys", route),
        ("publisher keys", key),
        ("issuer keys", issuer),
    ];
    let expected = places.into_iter().fold(text.clone(), |text, (mark, place)| {
        let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->\n"));
        let (before, rest) = text.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        format!("{before}{begin}{}{end}{after}", markdown(&place))
    });
    if std::env::vars_os().any(|(name, _)| name == "UPDATE_DOCS") {
        std::fs::write(path, &expected).unwrap();
    } else {
        assert!(
            text == expected,
            "docs/configuration.md is out of date; write it anew with\n\
             UPDATE_DOCS=1 cargo test -p fanfare the_reference_lists_the_table"
        );
    }
}

fn markdown(place: &Place) -> String {
    let mut text = String::new();
    for key in place.keys() {
        let (name, variable) = (place.name(key), place.variable(key));
        let accepted = reference::accepted(key);
        text += &format!("\n### `{name}`\n\n{}\n\n", key.about);
        text += &match variable.as_str() {
            "" => format!("{accepted}\n"),
            variable => format!("{accepted} Environment: `{variable}`\n"),
        };
    }
    text + "\n"
}

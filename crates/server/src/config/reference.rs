//! What is written about keys, derived from the table: the file `fanfare init` writes and the lines
//! `fanfare config show` prints. (The reference in `docs/configuration.md` is derived in the tests,
//! which keep it up to date.)

use std::fmt::Write;

use super::credential::{ISSUER_KEYS, PUBLISHER_KEY_KEYS};
use super::effective::{Row, Value, wanted};
use super::namespace::NAMESPACE_KEYS;
use super::place::{ISSUERS, NAMESPACES, PUBLISHER_KEYS, name_of_route};
use super::quantity::{show_bytes, show_duration, show_rate};
use super::route::ROUTE_KEYS;
use super::table::{KEYS, Key, Kind, Standard, Takes};

/// What the example of a namespace is called.
const NAMESPACE_EXAMPLE: &str = "chat";

/// What a namespace is, in front of the example.
const NAMESPACE_ABOUT: &str = "A namespace: the channels whose names begin with its prefix, and what \
    holds for them. There may be any number up to 1000, each in a table with a name of its own; what \
    one leaves out is as the keys above say.";

/// What the example of a key is called.
const KEY_EXAMPLE: &str = "backend";

/// What a key is, in front of the example.
const KEY_ABOUT: &str = "A publisher's key with a name, and what it grants. There may be any number up \
    to 10000.";

/// What the example of an issuer is called.
const ISSUER_EXAMPLE: &str = "app";

/// What an issuer is, in front of the example.
const ISSUER_ABOUT: &str = "An issuer of tokens (JWT) and the keys that check them. There may be any \
    number up to 64.";

/// What the example of a route is called.
const ROUTE_EXAMPLE: &str = "/events";

/// What a route is, in front of the example.
const ROUTE_ABOUT: &str = "A route: a path of your own that stands for the URL of a channel, on every \
    transport. There may be any number up to 256. One that needs nothing but its URL may be a line \
    under [routes], such as \"/events\" = \"/c/clock?since=last\".";

/// One `key = value` line; what has no value is told in parentheses.
pub(crate) fn assignment(row: &Row) -> String {
    let name = &row.name;
    match (&row.value, row.key.default, row.key.kind) {
        (Some(Value::List(secrets)), _, Kind::SecretList) => {
            format!("{name} = ({} hidden)", secrets.len())
        }
        (Some(value), _, kind) => format!("{name} = {}", literal(value, kind)),
        (None, default, _) => format!("{name} = ({})", without_value(default)),
    }
}

/// What to tell of a key that nothing sets.
fn without_value(default: Standard) -> String {
    match default {
        Standard::Computed { how, .. } => how.replace('`', ""),
        Standard::Inherited(from) => without_value(from.default),
        _ => "not set".to_owned(),
    }
}

/// A configuration file with every key commented out at its default, or at an example where the
/// default is found out at start, and a namespace and a route as examples.
pub(crate) fn starter() -> String {
    let mut text = String::from(
        "# Configuration of Fanfare. Every key is here, commented out, with its default or an example.\n\
         # `fanfare check` checks this file, `fanfare config show` prints what holds.\n\
         # The environment wins over this file, and flags win over both.\n",
    );
    let mut table = "";
    for key in KEYS {
        let (own, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own != table {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\n[{own}]\n");
            table = own;
        }
        append_key(&mut text, key, name);
    }
    let examples: [(&str, String, &[&Key]); 4] = [
        (NAMESPACE_ABOUT, format!("{NAMESPACES}.{NAMESPACE_EXAMPLE}"), &NAMESPACE_KEYS),
        (KEY_ABOUT, format!("{PUBLISHER_KEYS}.{KEY_EXAMPLE}"), &PUBLISHER_KEY_KEYS),
        (ISSUER_ABOUT, format!("{ISSUERS}.{ISSUER_EXAMPLE}"), &ISSUER_KEYS),
        (ROUTE_ABOUT, name_of_route(ROUTE_EXAMPLE), &ROUTE_KEYS),
    ];
    for (about, table, keys) in examples {
        text.push('\n');
        append_comment(&mut text, about);
        let _infallible = writeln!(text, "#[{table}]");
        for key in keys {
            append_key(&mut text, key, key.name);
        }
    }
    text
}

/// A key with what it means, commented out.
fn append_key(text: &mut String, key: &Key, name: &str) {
    text.push('\n');
    append_comment(text, key.about);
    append_comment(text, &accepted(key).replace('`', ""));
    let _infallible = writeln!(text, "#{name} = {}", example(key));
}

fn append_comment(text: &mut String, words: &str) {
    for line in wrapped(words, 96) {
        let _infallible = writeln!(text, "# {line}");
    }
}

/// What a key accepts, its default and what a new value takes, in words, with code in backticks.
pub(crate) fn accepted(key: &Key) -> String {
    let default = match key.default {
        Standard::Value(text) => format!("`{text}`"),
        Standard::Computed { how, .. } => how.to_owned(),
        Standard::Inherited(from) => format!("what `{}` says", from.name),
        Standard::NameAnd(end) => format!("the table's name and `{end}`"),
        Standard::Unset => "not set".to_owned(),
    };
    let wanted = wanted(key.kind);
    let mut letters = wanted.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let takes = match key.takes {
        Takes::Reload => "Read again on SIGHUP.",
        Takes::Restart => "A new value takes a restart.",
    };
    format!("{}{}; default: {default}. {takes}", first.unwrap_or_default(), letters.as_str())
}

fn example(key: &Key) -> String {
    match (key.default, key.kind) {
        (Standard::Value(text), Kind::Count { .. } | Kind::Switch) => text.to_owned(),
        (Standard::Value(text), _) => format!("{text:?}"),
        (Standard::Computed { example, .. }, _) => example.to_owned(),
        (Standard::Inherited(from), _) => example(from),
        (Standard::NameAnd(end), _) => format!("\"{NAMESPACE_EXAMPLE}{end}\""),
        (_, Kind::List | Kind::Choices(_) | Kind::SecretList) => "[]".to_owned(),
        (_, _) => "\"https://live.example.com\"".to_owned(),
    }
}

fn literal(value: &Value, kind: Kind) -> String {
    match (value, kind) {
        (Value::Number(number), Kind::Bytes { .. }) => format!("\"{}\"", show_bytes(*number)),
        (Value::Number(number), _) => number.to_string(),
        (Value::Duration(duration), _) => format!("\"{}\"", show_duration(*duration)),
        (Value::Rate(rate), _) => format!("{:?}", show_rate(*rate)),
        (Value::Switch(switch), _) => switch.to_string(),
        (Value::Text(text), _) => format!("{text:?}"),
        (Value::List(list), _) => format!("{list:?}"),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let full = lines.last().is_some_and(|line| line.len() + 1 + word.len() > width);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

//! What `serve` prints when it refuses must work when it is pasted.

use std::ffi::OsString;

use super::refusal;
use crate::config::effective::Effective;
use crate::config::settings::{Machine, Mode, Settings};
use crate::config::{FILE, file};

fn line(words: &[&str]) -> impl Iterator<Item = OsString> {
    words.iter().map(OsString::from).collect::<Vec<_>>().into_iter()
}

fn settings(text: &str) -> Settings {
    let source = file::read(FILE.as_ref(), text).unwrap();
    let machine = Machine { cores: 1, open_files: 10_000 };
    Settings::build(&Effective::of(&[source]).unwrap(), Mode::Serve, machine).unwrap()
}

/// What it is told, and the commands that fix it.
fn told(text: &str, typed: &[&str]) -> Option<(String, Vec<String>)> {
    let refusal = refusal(&settings(text), line(typed))?;
    let why = refusal.split(". ").next().unwrap().to_owned();
    let first = refusal.split("Or these two").next().unwrap();
    let commands = first.lines().filter_map(|line| line.strip_prefix("  "));
    Some((why, commands.map(str::to_owned).collect()))
}

#[test]
fn the_corrected_line_keeps_what_was_typed_and_shows_no_key() {
    let typed = ["/usr/bin/fanfare", "serve", "--publisher-key", "secret", "--config", "a b.toml"];
    let (_, commands) = told("", &typed).unwrap();
    assert_eq!(
        commands,
        [
            "export FANFARE_KEY=\"${FANFARE_KEY:-$(openssl rand -hex 24)}\"",
            "fanfare serve --config 'a b.toml' --publisher-key \"$FANFARE_KEY\" \
             --anonymous-subscribe",
        ]
    );
    let typed = ["fanfare", "serve", "--publisher-key=secret", "--listen", "[::]:80"];
    let (_, commands) = told("", &typed).unwrap();
    assert!(commands[1].contains("\"$FANFARE_KEY\"") && !commands[1].contains("secret"));
}

#[test]
fn what_the_file_says_is_not_asked_for_again() {
    let (why, commands) = told("[auth]\npublisher_keys = \"k\"\n", &["fanfare", "serve"]).unwrap();
    assert_eq!(
        why,
        "fanfare serve does not start: it is not said that anyone may read (--anonymous-subscribe)"
    );
    assert_eq!(commands, ["fanfare serve --anonymous-subscribe"]);
    let (why, commands) =
        told("[namespaces.a]\nanonymous_subscribe = true\n", &["fanfare", "serve"]).unwrap();
    assert_eq!(
        why,
        "fanfare serve does not start: there is no publisher key, so nobody could publish"
    );
    assert_eq!(commands[1], "fanfare serve --publisher-key \"$FANFARE_KEY\"");
}

#[test]
fn tokens_are_the_other_way_in() {
    let refusal =
        refusal(&settings(""), line(&["fanfare", "serve", "--listen", "[::]:80"])).unwrap();
    let (_, tokens) = refusal.split_once("Or these two").unwrap();
    let commands: Vec<_> = tokens.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [secret, serve, new] = commands[..] else { panic!("{commands:?}") };
    assert!(secret.starts_with("export FANFARE_ISSUERS__APP__SECRET="), "{secret}");
    assert_eq!(serve, "fanfare serve --listen [::]:80");
    assert!(new.starts_with("fanfare token new --sub ada --subscribe '**'"), "{new}");
    let issuer = format!("[issuers.app]\nsecret = \"{}\"\n", "s".repeat(32));
    assert_eq!(told(&issuer, &["fanfare", "serve"]), None);
}

/// What the file has beside a namespace `a`, what that has, and why `serve` does not start.
const STARTS: &[(&str, &str, Option<&str>)] = &[
    ("publisher_keys = \"k\"\nanonymous_subscribe = true", "", None),
    ("publisher_keys = \"k\"", "anonymous_subscribe = true", None),
    ("publisher_keys = \"k\"\nanonymous_subscribe = true", "anonymous_subscribe = false", None),
    ("anonymous_subscribe = true\nanonymous_publish = true", "", None),
    (
        "",
        "",
        Some(
            "there is no publisher key, so nobody could publish, and it is not said that anyone \
             may read (--anonymous-subscribe)",
        ),
    ),
    (
        "anonymous_subscribe = true",
        "anonymous_publish = true",
        Some("so nobody could publish to the channels of no namespace"),
    ),
    (
        "anonymous_subscribe = true\nanonymous_publish = true",
        "anonymous_publish = false",
        Some("so nobody could publish to the channels of `namespaces.a`"),
    ),
    (
        "anonymous_subscribe = true\nanonymous_publish = true",
        "anonymous_subscribe = false",
        Some("so nobody could read the channels of `namespaces.a`"),
    ),
    (
        "anonymous_publish = true",
        "",
        Some("so nobody could read, and it is not said that anyone may read"),
    ),
    ("publisher_keys = \"k\"", "anonymous_publish = true", Some("not said that anyone may read")),
    ("", "[keys.k]\nhash = \"HASH\"\npublish = [\"**\"]\nsubscribe = [\"**\"]", None),
    ("", "[keys.k]\nhash = \"HASH\"\npublish = [\"**\"]", Some("not said that anyone may read")),
    ("", "[keys.k]\nhash = \"HASH\"\nsubscribe = [\"**\"]", Some("nobody could publish")),
];

#[test]
fn it_starts_only_if_every_channel_can_be_used_and_it_is_said_who_may_read() {
    for (auth, namespace, expected) in STARTS {
        let hash = format!("sha256:{}", "0f".repeat(32));
        let file = format!("[auth]\n{auth}\n[namespaces.a]\n{namespace}\n").replace("HASH", &hash);
        let told = told(&file, &["fanfare", "serve"]).map(|(why, _)| why);
        match (told, expected) {
            (None, None) => {}
            (Some(why), Some(expected)) => assert!(why.contains(expected), "{file}: {why}"),
            (told, _) => panic!("{file}: {told:?}"),
        }
    }
}

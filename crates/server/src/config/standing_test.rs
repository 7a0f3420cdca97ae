//! What is exchanged while a server runs and what is not, in every kind of place.

use super::Changes;
use crate::config::effective::Effective;
use crate::config::settings::{Machine, Mode, Settings};
use crate::config::{FILE, file};

fn effective(text: &str) -> Effective {
    Effective::of(&[file::read(FILE.as_ref(), text).unwrap()]).unwrap()
}

fn settings(effective: &Effective) -> Settings {
    let machine = Machine { cores: 2, open_files: 10_000 };
    Settings::build(effective, Mode::Serve, machine).unwrap()
}

fn told(before: &str, after: &str) -> (Settings, Changes) {
    let (renewed, changes) = effective(before).renewed(effective(after));
    (settings(&renewed), changes)
}

fn changes(exchanged: &[&str], restart: &[&str]) -> Changes {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Changes { exchanged: names(exchanged), restart: names(restart) }
}

#[test]
fn the_same_text_changes_nothing() {
    let text =
        "shards = 2\norigins = [\"https://a\"]\n[namespaces.chat]\n[routes]\n\"/e\" = \"/c/e\"\n";
    assert_eq!(told(text, text).1, Changes::default());
    assert_eq!(told("", "shards = 2").1, changes(&[], &["shards"]), "a value is said at last");
}

#[test]
fn what_takes_a_restart_stays_and_is_named() {
    let (settings, told) = told(
        "shards = 2\nheartbeat = \"15s\"\n[limits]\nconnections_max = 10",
        "shards = 3\nheartbeat = \"20s\"\n[limits]\nconnections_max = 20",
    );
    assert_eq!(told, changes(&["heartbeat", "limits.connections_max"], &["shards"]));
    assert_eq!((settings.shards, settings.limits.connections_max), (2, 20));
    assert_eq!(settings.heartbeat.as_secs(), 20);
}

#[test]
fn a_key_goes_and_the_default_holds() {
    let (settings, told) = told("[auth]\npublisher_keys = [\"one\", \"two\"]", "");
    assert_eq!(told, changes(&["auth.publisher_keys"], &[]));
    assert!(settings.auth.publisher_keys.is_empty());
}

#[test]
fn a_namespace_exchanges_who_may_and_keeps_what_its_channels_are() {
    let (settings, told) = told(
        "[namespaces.chat]\nhistory_count = 10\nanonymous_subscribe = false\n[namespaces.old]\n",
        "[namespaces.chat]\nhistory_count = 20\nanonymous_subscribe = true\n[namespaces.new]\n",
    );
    let restart = ["namespaces.chat.history_count", "namespaces.old", "namespaces.new"];
    assert_eq!(told, changes(&["namespaces.chat.anonymous_subscribe"], &restart));
    let names: Vec<_> = settings.namespaces.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["chat", "old"]);
    let chat = &settings.namespaces[0].rules;
    assert_eq!((chat.history.count, chat.anonymous_subscribe), (10, true));
}

#[test]
fn what_a_namespace_inherits_is_told_once() {
    let (settings, told) = told(
        "[auth]\nanonymous_subscribe = false\n[namespaces.chat]\n[history]\ncount = 1",
        "[auth]\nanonymous_subscribe = true\n[namespaces.chat]\n[history]\ncount = 2",
    );
    assert_eq!(told, changes(&["auth.anonymous_subscribe"], &["history.count"]));
    assert!(settings.namespaces[0].rules.anonymous_subscribe);
    assert_eq!(settings.namespaces[0].rules.history.count, 1);
}

#[test]
fn routes_come_change_and_go() {
    let (settings, told) = told(
        "[routes]\n\"/gone\" = \"/c/a\"\n\"/other\" = \"/c/a\"\n\"/same\" = \"/c/a\"\n",
        "[routes]\n\"/new\" = \"/c/a\"\n\"/other\" = \"/c/b\"\n\"/same\" = \"/c/a\"\n",
    );
    let expected = ["routes.\"/gone\"", "routes.\"/new\"", "routes.\"/other\""];
    assert_eq!(told, changes(&expected, &[]));
    assert_eq!(settings.routes.len(), 3);
}

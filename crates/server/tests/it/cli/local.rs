//! The commands that talk to no server.

use std::fs;

use super::run::{Folder, Outcome, fanfare, finish};

fn within(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = fanfare(arguments);
    command.current_dir(folder.path()).envs(variables.iter().copied());
    finish(command.spawn().unwrap())
}

#[test]
fn init_writes_a_file_that_check_accepts_and_never_overwrites() {
    let folder = Folder::new();
    let outcome = within(&folder, &["init"], &[]);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(0), ""));
    let path = folder.path().join("fanfare.toml");
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.contains("#payload_bytes_max = \"1 MiB\""), "{written}");
    let outcome = within(&folder, &["check"], &[]);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(0), "OK: fanfare.toml\n"));
    fs::write(&path, "shards = 3\n").unwrap();
    let outcome = within(&folder, &["init"], &[]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("exists and is left as it is"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "shards = 3\n");
}

#[test]
fn check_tells_every_mistake_on_stderr() {
    let folder = Folder::new();
    fs::write(folder.path().join("x.toml"), "shard = 1\nheartbeet = \"5s\"\n").unwrap();
    let outcome = within(&folder, &["check", "x.toml"], &[]);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(2), ""));
    assert_eq!(
        outcome.stderr,
        "x.toml:1: unknown key `shard`; did you mean `shards`?\n\
         x.toml:2: unknown key `heartbeet`; did you mean `heartbeat`?\n"
    );
    let outcome = within(&folder, &["check", "--config", "none.toml"], &[]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.starts_with("none.toml: cannot be read"), "{}", outcome.stderr);
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let folder = Folder::new();
    let file = "shards = 3\nheartbeat = \"20s\"\n[auth]\npublisher_keys = [\"tell-nobody\"]\n";
    fs::write(folder.path().join("fanfare.toml"), file).unwrap();
    let variables = [("FANFARE_HEARTBEAT", "30s"), ("FANFARE_URL", "http://x")];
    let outcome = within(&folder, &["config", "show", "--log-level", "warn"], &variables);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines: Vec<Vec<String>> = outcome
        .text()
        .lines()
        .map(|line| line.split("  #").map(|part| part.trim().to_owned()).collect())
        .collect();
    for expected in [
        ["shards = 3", "fanfare.toml:1"],
        ["heartbeat = \"30s\"", "FANFARE_HEARTBEAT"],
        ["log.level = \"warn\"", "--log-level"],
        ["retry_min = \"2s\"", "default"],
        ["auth.publisher_keys = (1 hidden)", "fanfare.toml:4"],
    ] {
        assert!(lines.iter().any(|line| *line == expected), "{expected:?} not in {lines:?}");
    }
    assert!(!outcome.text().contains("tell-nobody"));
    let outcome = within(&folder, &["config", "show"], &[("FANFARE_HEARTBEET", "1s")]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("did you mean `FANFARE_HEARTBEAT`?"), "{}", outcome.stderr);
}

#[test]
fn a_namespace_is_shown_with_what_it_inherits_and_checked_with_its_lines() {
    let folder = Folder::new();
    let file = folder.path().join("fanfare.toml");
    fs::write(&file, "[history]\ncount = 9\n[namespaces.chat]\npresence = true\n").unwrap();
    let variables = [("FANFARE_NAMESPACES__CHAT__SLOW_READER", "latest")];
    let outcome = within(&folder, &["config", "show"], &variables);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let shown = outcome.text();
    for (assignment, origin) in [
        ("namespaces.chat.prefix = \"chat:\"", "default"),
        ("namespaces.chat.history_count = 9", "from history.count (fanfare.toml:2)"),
        ("namespaces.chat.presence = true", "fanfare.toml:4"),
        ("namespaces.chat.slow_reader = \"latest\"", "FANFARE_NAMESPACES__CHAT__SLOW_READER"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(assignment));
        let told = line.is_some_and(|line| line.ends_with(&format!("  # {origin}")));
        assert!(told, "{assignment} # {origin}: {shown}");
    }
    fs::write(&file, "[namespaces.chat]\nprefix = \"a:\"\n[namespaces.a]\npresense = true\n")
        .unwrap();
    let outcome = within(&folder, &["check"], &[]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(
        outcome.stderr,
        "fanfare.toml:4: unknown key `namespaces.a.presense`; \
         did you mean `namespaces.a.presence`?\n"
    );
    fs::write(&file, "[namespaces.chat]\nprefix = \"a:\"\n[namespaces.a]\n").unwrap();
    let outcome = within(&folder, &["check"], &[]);
    assert_eq!(
        outcome.stderr,
        "fanfare.toml:2: `namespaces.chat.prefix` is \"a:\", which `namespaces.a` has already; \
         give one of them another\n"
    );
}

#[test]
fn serve_does_not_start_unguarded_and_says_the_two_commands() {
    let folder = Folder::new();
    for flags in [&[][..], &["--publisher-key", "k"], &["--anonymous-subscribe"]] {
        let outcome = within(&folder, &[&["serve"], flags].concat(), &[]);
        assert_eq!((outcome.code, outcome.text().as_str()), (Some(2), ""));
        let commands = outcome.stderr.lines().filter(|line| line.starts_with("  "));
        // What follows are those that admit tokens instead.
        let commands: Vec<_> = commands.take(2).collect();
        assert_eq!(
            commands,
            [
                "  export FANFARE_KEY=\"${FANFARE_KEY:-$(openssl rand -hex 24)}\"",
                "  fanfare serve --publisher-key \"$FANFARE_KEY\" --anonymous-subscribe",
            ]
        );
    }
}

#[test]
fn dev_refuses_an_address_that_others_can_reach() {
    let folder = Folder::new();
    let outcome = within(&folder, &["dev", "--listen", "0.0.0.0:0"], &[]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.starts_with("--listen: `listen` is 0.0.0.0:0"), "{}", outcome.stderr);
}

#[test]
fn version_and_help_are_data_and_a_mistyped_command_is_not() {
    let folder = Folder::new();
    let outcome = within(&folder, &["version"], &[]);
    assert_eq!(outcome.text(), concat!("fanfare ", env!("CARGO_PKG_VERSION"), "\n"));
    let outcome = within(&folder, &["--help"], &[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let outcome = within(&folder, &["publish"], &[]);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("pub"), "{}", outcome.stderr);
}

//! What `fanfare log` prints, as the page of the commands shows it.

use std::path::Path;

use super::published;
use crate::cli::run::{Outcome, run};
use crate::crash::{Directory, start};

fn log(verb: &str, directory: &Path) -> Outcome {
    run(&["log", verb, "--data", directory.to_str().unwrap()])
}

/// A log that was left by a stop, with two segments and more.
fn stopped(directory: &Path) {
    let mut server = start(directory, &[]);
    let mut wire = server.connect();
    published(&mut wire, "/c/news", "Hello");
    published(&mut wire, "/c/news?key=order-17&ttl=1d", "World");
    for _ in 0..50 {
        published(&mut wire, "/c/filler", &"x".repeat(60_000));
    }
    server.terminate();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_sound_log_is_verified_counted_and_shown() {
    let directory = Directory::new("commands");
    stopped(directory.path());
    let verified = log("verify", directory.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let lines: Vec<String> = verified.text().lines().map(str::to_owned).collect();
    assert!(lines.len() > 1, "{lines:?}");
    assert!(
        lines[0].starts_with("segment 1: ") && lines[0].ends_with(" bytes, intact"),
        "{lines:?}"
    );
    assert!(lines.last().unwrap().ends_with(" bytes, intact, not yet full"), "{lines:?}");

    let counted = log("stat", directory.path()).text();
    for line in ["channels         2\n", "publications     19\n", "keys             1\n"] {
        assert!(counted.contains(line), "{counted}");
    }
    let shown = log("dump", directory.path()).text();
    assert!(shown.contains(" news publication 1.") && shown.contains("5 bytes"), "{shown}");
    assert!(!shown.contains("Hello") && !shown.contains("order-17"), "no payload, no key");
    print!("{}{counted}{}", verified.text(), shown.lines().take(6).collect::<Vec<_>>().join("\n"));
}

#[test]
fn damage_is_named_and_repaired() {
    let directory = Directory::new("repair");
    stopped(directory.path());
    let segment = directory.path().join("segments/0000000000000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let verified = log("verify", directory.path());
    assert_eq!(verified.code, Some(1));
    let told = verified.text();
    assert!(told.contains("damaged") && told.contains("0000000000000001.log at byte "), "{told}");

    // A checkpoint lets a start pass over it; what reads everything does not.
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    let to = directory.path().join("copy");
    let (from, to) = (directory.path().to_str().unwrap(), to.to_str().unwrap());
    let refused = run(&["log", "backup", "--data", from, to]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("repair the log first"),
        "{refused:?}"
    );
    let repaired = log("repair", directory.path());
    assert_eq!(repaired.code, Some(0), "{}", repaired.stderr);
    assert!(repaired.text().contains("set aside: "), "{}", repaired.text());
    assert!(repaired.text().contains("begin anew: 2 channels\n"), "{}", repaired.text());
    assert_eq!(log("verify", directory.path()).code, Some(0));
    print!("{told}{}", repaired.text());

    // Readers of what was lost are told so.
    let server = start(directory.path(), &[]);
    let mut wire = server.connect();
    wire.ask("GET /ready HTTP/1.1", &[]);
    assert!(wire.answer().ends_with("\r\n\r\nready\n"), "it was mended before");
}

#[test]
fn a_server_that_sets_damage_aside_says_so_and_wants_traffic() {
    let directory = Directory::new("damaged");
    stopped(directory.path());
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    let segment = directory.path().join("segments/0000000000000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let refusing = [("FANFARE_LOG__ON_CORRUPTION", "refuse")];
    let mut command = crate::cli::run::fanfare(&["dev", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(directory.path()).env("FANFARE_ENGINE", "log").envs(refusing);
    let refused = crate::cli::run::finish(command.spawn().unwrap());
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("0000000000000001.log at byte "), "{}", refused.stderr);

    let server = start(directory.path(), &[]);
    let mut wire = server.connect();
    wire.ask("GET /ready HTTP/1.1", &[]);
    let ready = wire.answer();
    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.contains("found damaged"), "{ready}");
    assert!(!ready.contains("segments/"), "anyone may ask");
    assert_eq!(wire.figure("fanfare_log_damaged"), 1);
}

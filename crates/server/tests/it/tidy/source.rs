//! Sources: arrows, module docs, lengths, nothing left to do.

use super::{files, read};

/// The folders with sources of ours.
const SOURCES: [&str; 2] = ["crates", "fuzz"];

/// Lines of a file at most.
const LINES_MAX: usize = 700;

#[test]
fn crates_know_only_those_before_them() {
    let core = dependencies("crates/core/Cargo.toml");
    assert!(core.len() <= 5, "core stays small: {core:?}");
    for foreign in ["fanfare-protocol", "fanfare", "tokio", "mio", "hyper", "serde", "serde_json"] {
        assert!(!core.iter().any(|name| name == foreign), "core knows {foreign}");
    }
    let protocol = dependencies("crates/protocol/Cargo.toml");
    assert!(protocol.len() <= 6, "protocol stays small: {protocol:?}");
    assert!(protocol.iter().any(|name| name == "fanfare-core"), "{protocol:?}");
    for foreign in ["fanfare", "tokio", "mio", "hyper", "socket2", "rustix"] {
        assert!(!protocol.iter().any(|name| name == foreign), "protocol knows {foreign}");
    }
}

#[test]
fn core_reads_no_clock_and_does_no_io() {
    for path in files(&["crates/core/src", "crates/protocol/src"], ".rs") {
        let text = read(&path);
        for banned in [
            "Instant::now",
            "SystemTime",
            "net::Tcp",
            "net::Udp",
            "std::fs",
            "std::env",
            "std::thread",
        ] {
            assert!(!text.contains(banned), "{} has {banned}", path.display());
        }
    }
}

#[test]
fn every_source_says_what_it_is_and_stays_readable() {
    for path in files(&SOURCES, ".rs") {
        let text = read(&path);
        // A fuzz target has to say first that it has no main.
        let first = text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default();
        let says = first.starts_with("//!") || text.starts_with("//!");
        assert!(says, "{} has no module doc", path.display());
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_is_left_to_do() {
    // Spelled apart, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!(")];
    let scripts = files(&["tests/browser"], ".mjs");
    let documents = files(&["docs"], ".md");
    for path in files(&SOURCES, ".rs").into_iter().chain(scripts).chain(documents) {
        let text = read(&path);
        for mark in marks {
            assert!(!text.contains(mark), "{} has {mark}", path.display());
        }
    }
}

#[test]
fn every_code_that_is_documented_can_be_told() {
    let sources: Vec<String> = files(&["crates"], ".rs")
        .into_iter()
        .filter(|path| !path.ends_with("core/src/code.rs"))
        .filter(|path| !path.to_string_lossy().contains("test"))
        .filter(|path| !path.to_string_lossy().contains("simulation"))
        .map(read)
        .collect();
    for row in fanfare_core::code::TABLE {
        let name = format!("Code::{:?}", row.code);
        let made = sources.iter().any(|text| text.match_indices(&name).any(|at| makes(text, at)));
        let later = read("docs/protocol.md").lines().any(|line| {
            line.contains(&format!("<a id=\"{}\">", row.name)) && line.contains("*(later)*")
        });
        assert!(made != later, "{}: told {made}, coming {later}", row.name);
    }
}

/// Whether a code that stands there is told, and not only looked for.
fn makes(text: &str, (at, name): (usize, &str)) -> bool {
    let behind = text[at + name.len()..].trim_start();
    let before = text[..at].trim_end();
    let whole = !text[at + name.len()..].starts_with(|next: char| next.is_alphanumeric());
    whole && !behind.starts_with("=>") && !behind.starts_with('|') && !before.ends_with("==")
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = read(manifest);
    let (_, behind) = text.split_once("\n[dependencies]\n").unwrap();
    behind
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

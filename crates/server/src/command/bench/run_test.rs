//! When figures are refused, and that the commands of the documents are commands.

use std::time::Duration;

use clap::Parser;

use super::super::flags::Flags;
use super::super::report::{Machine, Report};
use super::super::{Scenario, With};
use super::Bench;

#[derive(Debug, Parser)]
struct Typed {
    #[command(subcommand)]
    scenario: Scenario,
}

fn bench(words: &[&str]) -> anyhow::Result<Bench> {
    let words = ["bench", "delivery"].iter().chain(words);
    let Scenario::Delivery(With { flags, .. }) = Typed::try_parse_from(words)?.scenario else {
        panic!("another scenario");
    };
    Bench::new(flags, empty())
}

fn empty() -> Report {
    Report {
        command: String::new(),
        version: "0",
        machine: Machine::here(),
        sections: Vec::new(),
        tallies: Vec::new(),
        notes: Vec::new(),
        seconds: 0.0,
    }
}

#[test]
fn a_client_without_time_to_spare_tells_no_figures() {
    let wall = Duration::from_millis(100);
    let mut strict = bench(&[]).unwrap();
    strict.check_client(89_000_000, wall).unwrap();
    let error = strict.check_client(95_000_000, wall).unwrap_err().to_string();
    assert!(error.starts_with("the client was the bottleneck"), "{error}");
    assert!(error.contains("busy for 95 %"), "{error}");

    let mut tolerant = bench(&["--tolerate-busy-client"]).unwrap();
    tolerant.check_client(95_000_000, wall).unwrap();
    tolerant.check_client(95_000_000, wall).unwrap();
    assert_eq!(tolerant.report.notes.len(), 1, "{:?}", tolerant.report.notes);
}

#[test]
fn servers_that_reports_could_not_tell_apart_are_refused() {
    assert_eq!(bench(&["--floor"]).unwrap().sides.len(), 2);
    assert!(bench(&["--server", "fanfare", "--server", "fanfare"]).is_err());
    let url = ["--url", "http://127.0.0.1:1"];
    assert!(bench(&[&url[..], &["--server", "fanfare"]].concat()).is_ok());
}

#[test]
fn flags_have_the_scenarios_own_defaults() {
    let flags: Flags = bench(&[]).unwrap().flags;
    assert_eq!((flags.connections(7), flags.rounds(3), flags.size), (7, 3, 128));
    assert_eq!(flags.transports(&["sse"]), ["sse"]);
    let flags = bench(&["--connections", "9", "--transport", "v1,raw"]).unwrap().flags;
    assert_eq!(flags.connections(7), 9);
    assert_eq!(flags.transports(&["sse"]), ["v1", "raw"]);
}

#[test]
fn the_commands_of_the_documents_are_commands() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = 0;
    for page in ["docs/benchmarks.md", "docs/cli.md", "benches/README.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let text = text.replace("\\\n", " ");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("fanfare bench ")) {
            let line = line.split(['#', '>', '|']).next().unwrap().trim();
            if line.starts_with("SCENARIO") {
                continue;
            }
            let words = std::iter::once("bench").chain(line.split_whitespace());
            Typed::try_parse_from(words).unwrap_or_else(|error| panic!("{page}: {line}: {error}"));
            found += 1;
        }
    }
    assert!(found >= 15, "{found} commands");
}

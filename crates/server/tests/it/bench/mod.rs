//! `fanfare bench` against real servers: what it says of them is so.

mod broken;
mod stored;

use serde_json::Value;

use crate::cli::run::{Folder, Outcome, run};
use broken::Broken;

/// What a busy machine has no say in: whether the client had time to spare.
const TOLERANT: [&str; 2] = ["--tolerate-busy-client", "--json"];

fn bench(words: &[&str]) -> Outcome {
    run(&[&["bench"], words, &TOLERANT].concat())
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.stderr))
}

/// What became of a server's publications.
fn tally(report: &Value, who: &str) -> Value {
    let tallies = report["tallies"].as_array().unwrap();
    let found = tallies.iter().find(|tally| tally[0] == who);
    found.unwrap_or_else(|| panic!("{who} in {tallies:?}"))[1].clone()
}

/// The names of those who have a figure in a row of each section that has such a row.
fn figures(report: &Value, row: &str) -> Vec<Vec<String>> {
    let sections = report["sections"].as_array().unwrap();
    let rows = sections.iter().flat_map(|section| section["rows"].as_array().unwrap());
    let found = rows.filter(|found| found["name"] == row);
    let who = |figure: &Value| figure["who"].as_str().unwrap().to_owned();
    found.map(|row| row["figures"].as_array().unwrap().iter().map(who).collect()).collect()
}

#[test]
fn nothing_is_lost_between_a_server_and_hundreds_of_subscribers_on_any_transport() {
    let words = "delivery --connections 300 --rounds 1 --singles 2 --bursts 2 --floor \
                 --transport sse,ndjson,raw,v1";
    let outcome = bench(&words.split_whitespace().collect::<Vec<_>>());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = report(&outcome);
    // Two before the measurement, two one at a time, two bursts of eight; four transports.
    let due = 300 * (2 + 2 + 2 * 8) * 4;
    let tally = tally(&report, "Fanfare");
    assert_eq!((&tally["expected"], &tally["delivered"]), (&due.into(), &due.into()), "{tally}");
    for nothing in ["lost", "doubled", "reordered", "stray", "disconnected"] {
        assert_eq!(tally[nothing], 0, "{tally}");
    }
    let both = vec![vec!["Fanfare".to_owned(), "floor".to_owned()]; 4];
    assert_eq!(figures(&report, "CPU, delivery, one at a time"), both);
    assert_eq!(figures(&report, "CPU, delivery, bursts of 8"), both);
}

#[test]
fn a_server_that_drops_doubles_and_reorders_is_told() {
    let server = Broken::start();
    let folder = Folder::new();
    let description = folder.path().join("broken.toml");
    std::fs::write(&description, broken::DESCRIPTION).unwrap();
    let url = format!("http://{}", server.address());
    let outcome = bench(&[
        "delivery",
        "--server",
        description.to_str().unwrap(),
        "--url",
        &url,
        "--connections",
        "20",
        "--rounds",
        "1",
        "--singles",
        "8",
        "--bursts",
        "0",
        "--patience",
        "1s",
        "--transport",
        "sse",
    ]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let tally = tally(&report(&outcome), "broken");
    // Ten publications each: one never comes, one comes twice, one comes after the next.
    let pairs =
        [("expected", 200), ("delivered", 180), ("lost", 20), ("doubled", 20), ("reordered", 20)];
    for (name, count) in pairs {
        assert_eq!(tally[name], count, "{name}: {tally}");
    }
}

#[test]
fn every_scenario_comes_to_its_end_and_loses_nothing() {
    let folder = Folder::new();
    let charts = folder.path().join("charts.svg");
    let charts = charts.to_str().unwrap();
    for words in [
        "audiences --channels 4 --connections 40 --rounds 1 --singles 1 --transport sse --floor",
        "publish --count 320 --publishers 4 --batch 8 --rounds 1 --floor",
        "idle --for 1s --connections 20 --transport v1 --per-connection 3 --presence",
        "accept --connections 50 --rounds 1 --transport sse --floor",
        "reconnect --connections 50 --missed 5 --rounds 1",
        "latency --connections 20 --rate 50 --for 1s --rounds 1 --transport sse --floor",
        "throughput --connections 20 --for 1s --in-flight 4 --rounds 1 --transport raw",
        "fairness --connections 50 --for 1s --rounds 1",
        "soak --connections 40 --for 2s --churn 20",
        "curves --many 10 --sizes 32,65536 --channels 1,5 --connections 20 --rates 20 --few 10 --for 1s \
         --rounds 1",
    ] {
        let mut words: Vec<_> = words.split_whitespace().collect();
        let draws = matches!(words[0], "latency" | "soak" | "curves");
        if draws {
            words.extend(["--svg", charts]);
        }
        let outcome = bench(&words);
        assert_eq!(outcome.code, Some(0), "{words:?}: {}", outcome.stderr);
        let report = report(&outcome);
        assert!(!report["sections"].as_array().unwrap().is_empty(), "{words:?}");
        if draws {
            let page = std::fs::read_to_string(charts).unwrap();
            assert!(page.contains("<polyline"), "{words:?}");
            std::fs::remove_file(charts).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_measured_is_told_and_costs_nothing() {
    let cases = [
        (vec!["delivery", "--server", "nowhere.toml"], "cannot read nowhere.toml"),
        (vec!["accept", "--connections", "1000000"], "raise `ulimit -n`"),
        (vec!["delivery", "--size", "8"], "a payload has from 28 bytes"),
        (vec!["delivery", "--pid", "1"], "--url"),
        (vec!["latency", "--url", "http://127.0.0.1:1"], "connection 0 to 127.0.0.1:1"),
    ];
    for (words, told) in cases {
        let outcome = bench(&words);
        assert_ne!(outcome.code, Some(0), "{words:?}");
        assert!(outcome.stderr.contains(told), "{words:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty(), "{words:?} told figures");
    }
}

//! The scenarios about what is on the disk: what they say was stored was stored, and nothing is left
//! behind of it.

use serde_json::Value;

use super::{TOLERANT, figures, report, tally};
use crate::cli::run::{Folder, Outcome, run};

/// Measures with a folder for what is stored; it has to be empty again afterwards.
fn bench(words: &str) -> Outcome {
    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    let words: Vec<&str> = words.split_whitespace().collect();
    let outcome = run(&[&["bench"], &words[..], &["--data", data], &TOLERANT].concat());
    let left: Vec<_> = std::fs::read_dir(data).unwrap().collect();
    assert!(left.is_empty(), "{left:?}; {}", outcome.stderr);
    outcome
}

/// The figures of a row that stands once in the report, of the one who has one there.
fn figure(report: &Value, row: &str, who: &str) -> f64 {
    let sections = report["sections"].as_array().unwrap();
    let rows = sections.iter().flat_map(|section| section["rows"].as_array().unwrap());
    let found = rows.filter(|found| found["name"] == row);
    let mut figures = found.flat_map(|row| row["figures"].as_array().unwrap());
    let figure = figures.find(|figure| figure["who"] == who);
    let figure = figure.unwrap_or_else(|| panic!("{row} of {who} in {report}"));
    figure["spread"]["median"].as_f64().unwrap()
}

#[test]
fn publications_are_acknowledged_synced_beside_the_floor_that_writes_and_syncs() {
    let outcome = bench("durable --publishers 1,20 --for 300ms --rounds 1");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = report(&outcome);
    let both = vec![vec!["Fanfare".to_owned(), "floor".to_owned()]; 2];
    for row in ["publications", "until it is acknowledged, p99"] {
        assert_eq!(figures(&report, row), both, "{row}");
    }
    assert!(figure(&report, "publications", "Fanfare") > 1.0);
    let title = report["sections"][0]["title"].as_str().unwrap();
    assert!(title.starts_with("stored and synced, 1 publishers"), "{title}");
}

#[test]
fn everyone_who_comes_back_to_the_disk_gets_exactly_what_was_missed() {
    let words =
        "storm --connections 20 --missed 300 --history 3000 --rate 50 --quiet 300ms --rounds 2";
    let outcome = bench(words);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = report(&outcome);
    let tally = tally(&report, "Fanfare");
    let caught_up = 2 * (20 * 300 + 3_000);
    // Beside them there are those of the live channel.
    assert!(tally["delivered"].as_u64().unwrap() > caught_up, "{tally}");
    for nothing in ["lost", "doubled", "reordered", "stray", "disconnected"] {
        assert_eq!(tally[nothing], 0, "{tally}");
    }
    assert!(figure(&report, "live channel in the storm, p99", "Fanfare") > 0.0);
    assert!(figure(&report, "the most memory, resident", "Fanfare") > 1.0);
}

#[test]
fn what_was_acknowledged_is_counted_again_after_each_start() {
    let words = "reopen --publications 20000 --channels 200 --for 300ms";
    let outcome = bench(words);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = report(&outcome);
    assert!(figure(&report, "open after kill -9", "Fanfare") > 0.0);
    assert!(figure(&report, "disk, publication", "Fanfare") > 128.0);
    let bounded = figure(&report, "the directory, at most", "Fanfare");
    assert!((1.0..=512.0).contains(&bounded), "{bounded}");
}

#[test]
fn a_folder_that_lies_in_memory_is_refused() {
    let words = ["bench", "durable", "--for", "100ms", "--data", "/dev/shm"];
    let outcome = run(&[&words[..], &TOLERANT].concat());
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("lies in memory"), "{}", outcome.stderr);
}

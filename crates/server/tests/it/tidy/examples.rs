//! Examples: short enough to be read, and all of them to be found.

use std::collections::BTreeSet;

use super::{files, read, root};

/// Lines of one example at most, all files of its folder together.
const LINES_MAX: usize = 200;

#[test]
fn an_example_is_short_enough_to_be_read() {
    for folder in folders() {
        let sources = files(&[&format!("examples/{folder}")], "");
        let lines: usize = sources.iter().map(|path| read(path).lines().count()).sum();
        assert!(lines <= LINES_MAX, "examples/{folder} has {lines} lines");
    }
}

#[test]
fn the_start_page_leads_to_every_example() {
    let text = read("examples/index.html");
    let links = text.split("<a class=\"card\" href=\"").skip(1);
    let links: BTreeSet<String> = links
        .map(|rest| rest.split('"').next().unwrap().trim_end_matches('/').to_owned())
        .filter(|link| link != "try")
        .collect();
    assert_eq!(links, folders(), "examples/index.html has a card for each folder");
}

/// The folders that are pages.
fn folders() -> BTreeSet<String> {
    std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            assert!(
                entry.path().join("index.html").is_file(),
                "{} is a page",
                entry.path().display()
            );
            entry.file_name().to_string_lossy().into_owned()
        })
        .collect()
}

//! Scripts rely on the numbers in the documents.

use super::{Exit, of_error};
use crate::command::client::failure::Failure;
use crate::config::mistake::Mistakes;

#[test]
fn the_documents_list_every_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let text = std::fs::read_to_string(path).unwrap();
    let listed: Vec<u8> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let known = [
        Exit::Success,
        Exit::Failure,
        Exit::Usage,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Panic,
        Exit::Disk,
        Exit::Interrupted,
    ];
    assert_eq!(listed, known.map(Exit::code));
}

#[test]
fn each_error_has_its_code() {
    let refused = |status| Failure::Refused { status, what: String::new(), retry_after: None };
    for (error, exit) in [
        (anyhow::anyhow!("anything"), Exit::Failure),
        (Mistakes(Vec::new()).into(), Exit::Usage),
        (Failure::Usage(String::new()).into(), Exit::Usage),
        (refused(Some(404)).into(), Exit::Refused),
        (refused(None).into(), Exit::Refused),
        (refused(Some(503)).into(), Exit::Failure),
        (Failure::Lost(String::new()).into(), Exit::Failure),
    ] {
        assert_eq!(of_error(&error), exit, "{error}");
    }
}

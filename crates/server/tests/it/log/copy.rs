//! A copy that is made while the server runs is a log that another server goes on with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{published, read};
use crate::cli::run::run;
use crate::crash::{Directory, start};
use crate::reader::Carrier;
use crate::wire::Wire;

#[test]
fn a_copy_of_a_running_log_is_gone_on_with_and_gives_no_offset_again() {
    let directory = Directory::new("copy");
    let (store, copy) = (directory.path().join("store"), directory.path().join("copy"));
    let server = start(&store, &[]);
    let mut wire = server.connect();
    let positions: Vec<String> =
        (0..300).map(|number| published(&mut wire, "/c/news", &number.to_string())).collect();
    // Others publish on meanwhile.
    let done = Arc::new(AtomicBool::new(false));
    let (address, stop) = (server.address().to_owned(), Arc::clone(&done));
    let busy = std::thread::spawn(move || {
        let mut wire = Wire::connect(&address);
        while !stop.load(Relaxed) {
            published(&mut wire, "/c/busy", &"x".repeat(20_000));
        }
    });
    let (from, to) = (store.to_str().unwrap(), copy.to_str().unwrap());
    let made = run(&["log", "backup", "--data", from, to]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.text().contains(" bytes in "), "{}", made.text());
    done.store(true, Relaxed);
    busy.join().unwrap();
    // This one the copy does not have.
    let lost = published(&mut wire, "/c/news", "published after the copy");
    drop(server);
    let verified = run(&["log", "verify", "--data", to]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.text(), verified.stderr);

    let restored = start(&copy, &[]);
    let all: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    assert_eq!(read(restored.address(), Carrier::Sse, "all", 300), all);
    // Who was at a position before the copy gets exactly what it missed of it.
    assert_eq!(read(restored.address(), Carrier::V1, &positions[99], 200), all[100..]);
    let next = published(&mut restored.connect(), "/c/news", "published on the copy");
    // However far its offset lies behind the others, they stay.
    let more = read(restored.address(), Carrier::Sse, "all", 301);
    assert_eq!((&more[..300], more[300].as_str()), (&all[..], "published on the copy"));
    let offset = |position: &str| position.split_once('.').unwrap().0.parse::<u64>().unwrap();
    let epoch = |position: &str| position.split_once('.').unwrap().1.to_owned();
    assert_eq!(epoch(&next), epoch(&lost), "the same history");
    assert!(offset(&next) > offset(&lost) + (1 << 35), "{lost} {next}");
    // Who has seen what the copy lacks goes on with what is new, and nothing is taken for something else.
    for from in [&lost, &positions[299]] {
        assert_eq!(read(restored.address(), Carrier::Sse, from, 1), ["published on the copy"]);
    }
}

#[test]
fn a_copy_goes_to_an_empty_place_only_and_of_a_log_only() {
    let directory = Directory::new("copy-refused");
    let store = directory.path().join("store");
    drop(start(&store, &[]));
    let (from, here) = (store.to_str().unwrap(), directory.path().to_str().unwrap());
    let refused = run(&["log", "backup", "--data", from, here]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    let to = directory.path().join("to");
    let refused = run(&["log", "backup", "--data", here, to.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is no log"), "{}", refused.stderr);
}

//! `kill -9` under load, at random moments, over and over.

use std::time::Duration;

use super::crashing::{Directory, start};
use super::crew::Crew;
use crate::soaks;

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let cycles = if soaks() { 1_000 } else { 50 };
    let directory = Directory::new("kill");
    let mut crew = Crew::new();
    for cycle in 0..cycles {
        // The number of shards changes, too.
        let shards = if cycle % 3 == 0 { "1" } else { "3" };
        let server = start(directory.path(), &[("FANFARE_SHARDS", shards)]);
        crew.compare(server.address());
        let at_work = crew.go(server.address());
        // Long enough for some batches, short enough for a thousand cycles.
        std::thread::sleep(Duration::from_millis(fastrand::u64(5..150)));
        drop(server);
        crew.gather(at_work);
    }
    let server = start(directory.path(), &[]);
    crew.compare(server.address());
    let acknowledged = crew.ledger.count();
    println!("{acknowledged} acknowledged through {cycles} kills, none lost");
    assert!(acknowledged > cycles, "the publishers were too slow for anything to be shown");
}

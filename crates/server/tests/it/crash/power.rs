//! Power cuts under load: the disk forgets what was not synced.

use std::time::Duration;

use super::crashing::{Directory, start};
use super::crew::Crew;
use super::disk::Disk;
use crate::soaks;

/// Runs a server on a disk whose power is cut, over and over; says whether this machine can.
fn cut_power(
    mut crew: Crew,
    cycles: usize,
    settings: &[(&str, &str)],
    mut after: impl FnMut(&mut Crew, &str),
) -> bool {
    let directory = Directory::new("power");
    let disk = Disk::new();
    for _ in 0..cycles {
        let mounted = match disk.mount(directory.path()) {
            Ok(mounted) => mounted,
            Err(error) => {
                println!("skipped: no FUSE file system can be mounted here: {error}");
                return false;
            }
        };
        let server = start(&directory.path().join("store"), settings);
        after(&mut crew, server.address());
        let at_work = crew.go(server.address());
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..200)));
        disk.cut_power();
        // What the process still says must be as true as what it said before.
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..30)));
        drop(server);
        crew.gather(at_work);
        mounted.umount_and_join().unwrap();
        disk.restore_power();
    }
    true
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() {
    let cycles = if soaks() { 500 } else { 20 };
    let mut acknowledged = 0;
    let ran = cut_power(Crew::new(), cycles, &[], |crew, address| {
        crew.compare(address);
        acknowledged = crew.ledger.count();
    });
    if ran {
        println!("{acknowledged} acknowledged through {cycles} power cuts, none lost");
        assert!(acknowledged > cycles, "the publishers were too slow for anything to be shown");
    }
}

#[test]
fn the_same_power_cuts_lose_what_was_not_to_be_synced() {
    let mut lost = 0;
    let crew = Crew::of_publishers();
    let ran = cut_power(crew, 8, &[("FANFARE_DURABILITY", "none")], |crew, address| {
        lost = crew.ledger.lost(address, &crew.channels);
    });
    println!("{lost} acknowledged and lost with durability none");
    assert!(!ran || lost > 0, "power cuts that lose nothing show nothing");
}

//! A disk that is full or broken.

use std::io::ErrorKind;

use fanfare_core::code::Code;
use fanfare_core::shard::{Completion, EngineCommand, HistoryQuery, Order};
use fanfare_core::start::Start;

use super::rig::{Setup, name, text};
use crate::engine::log::Report;
use crate::engine::log::disk::{Faults, SimDisk};

/// Appends to channels of every durability, of which not all may be answered.
fn send_all(rig: &mut super::rig::Rig) {
    for channel in ["sync", "os:a", "none:a"] {
        let append = rig.append(channel, Some(text("x")));
        rig.send(EngineCommand::Append(append));
    }
}

fn committed(answers: &[Completion]) -> Vec<&str> {
    let channels = answers.iter().filter_map(|answer| match answer {
        Completion::Committed { channel, .. } => Some(channel.as_str()),
        _ => None,
    });
    channels.collect()
}

#[test]
fn an_error_of_a_sync_is_never_followed_by_an_acknowledgement() {
    // The first batch that is not for sync alone is synced as a whole, so the second is what counts.
    for sync in 1..=2 {
        let (mut rig, _) = Setup::default().open(&SimDisk::default());
        rig.publish("sync", "before").unwrap();
        if sync == 2 {
            send_all(&mut rig);
            rig.run();
            assert_eq!(committed(&rig.answers()).len(), 3);
        }
        rig.disk
            .break_down(Faults { sync_fails: Some((1, ErrorKind::Other)), ..Faults::default() });
        send_all(&mut rig);
        rig.run();
        let answers = rig.answers();
        let told = committed(&answers);
        // What needs no sync may have been answered before it.
        assert!(!told.contains(&"sync"), "{told:?}");
        assert_eq!(told.len(), if sync == 1 { 0 } else { 2 }, "{told:?}");
        assert!(matches!(&rig.reports()[..], [Report::Fatal(_)]));
        for _ in 0..3 {
            send_all(&mut rig);
            rig.rest();
        }
        assert!(rig.answers().is_empty(), "nothing is answered after it");
        assert!(rig.reports().is_empty());
    }
}

#[test]
fn an_end_is_told_to_nobody_before_it_is_synced() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let query = HistoryQuery {
        since: Start::All,
        until: None,
        limit: 10,
        bytes: 1_000,
        order: Order::Ascending,
    };
    let end = rig.append("a", None);
    rig.disk.break_down(Faults { sync_fails: Some((1, ErrorKind::Other)), ..Faults::default() });
    rig.send(EngineCommand::Append(end));
    rig.run();
    assert!(!rig.history("a", query).unwrap().ended);
    let (mut rig, _) = Setup::default().open(&rig.kill());
    assert!(rig.history("a", query).unwrap().ended, "the operating system had it");
}

#[test]
fn every_sync_of_a_life_may_fail_and_what_was_acknowledged_is_there() {
    let setup = Setup::default();
    for sync in 1..400 {
        let disk = SimDisk::default();
        disk.remember();
        let (mut rig, _) = setup.open(&disk);
        disk.break_down(Faults { sync_fails: Some((sync, ErrorKind::Other)), ..Faults::default() });
        let payload = "x".repeat(1_000);
        let mut acknowledged = 0;
        for _ in 0..60 {
            let append = rig.append("a", Some(text(&payload)));
            rig.send(EngineCommand::Append(append));
            rig.run();
            acknowledged += committed(&rig.answers()).len();
        }
        let broken = !rig.reports().is_empty();
        disk.break_down(Faults::default());
        let (mut rig, opened) = setup.open(&disk.crash(disk.acts(), &mut || false));
        assert!(opened.set_aside.is_empty(), "{opened:?}");
        assert!(rig.read_all("a").1.len() >= acknowledged, "sync {sync}");
        if !broken {
            assert!(sync > 60, "each append is synced by itself here");
            return;
        }
    }
    panic!("there is no end of syncs");
}

/// What a failed sync was about may be gone, whatever the error speaks of: a file system that finds out
/// only then that it has no room must not be taken for a full disk.
#[test]
fn a_sync_that_finds_no_room_ends_it_too() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    let payload = "x".repeat(1_000);
    loop {
        // The first is that of the new segment, which nobody has been told of; the second is that of the one
        // which is sealed. A batch has only one.
        let sync_fails = Some((2, ErrorKind::StorageFull));
        rig.disk.break_down(Faults { sync_fails, ..Faults::default() });
        let append = rig.append("sync", Some(text(&payload)));
        rig.send(EngineCommand::Append(append));
        rig.run();
        let (answers, reports) = (rig.answers(), rig.reports());
        if reports.is_empty() {
            assert_eq!(committed(&answers), ["sync"]);
            continue;
        }
        assert!(matches!(&reports[..], [Report::Fatal(_)]), "{reports:?}");
        assert!(answers.is_empty(), "{answers:?}");
        return;
    }
}

#[test]
fn a_full_disk_refuses_publishes_and_heals() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("kept", "kept").unwrap();
    let capacity = Some(rig.disk.used() + 100);
    rig.disk.break_down(Faults { capacity, ..Faults::default() });
    let payload = "x".repeat(1_000);
    let mut stored = 0;
    while rig.publish("a", &payload).is_ok() {
        stored += 1;
    }
    assert!(stored > 5, "what is allocated is used: {stored}");
    assert_eq!(rig.publish("a", &payload), Err(Code::StorageFull));
    assert!(matches!(&rig.reports()[..], [Report::Full(_)]), "it is told once");
    assert_eq!(rig.read_all("a").1.len(), stored, "reads go on");
    assert_eq!(rig.remove("kept", 5), Ok(()), "there is room for a removal");
    assert!(rig.forget("kept"), "and for forgetting");
    rig.now += 500;
    rig.disk.break_down(Faults::default());
    assert_eq!(rig.publish("a", &payload), Err(Code::StorageFull), "not tried all the time");
    rig.now += 600;
    rig.publish("a", &payload).unwrap();
    assert!(matches!(&rig.reports()[..], [Report::Healed]));
    let (mut rig, _) = setup.open(&rig.kill());
    assert_eq!(rig.read_all("a").1.len(), stored + 1);
}

#[test]
fn a_file_system_that_breaks_its_promise_of_room_loses_nothing_silently() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    for channel in ["sync", "os:a", "none:a"] {
        rig.publish(channel, "one").unwrap();
    }
    let write_fails = Some((1, ErrorKind::StorageFull));
    rig.disk.break_down(Faults { write_fails, ..Faults::default() });
    assert_eq!(rig.publish("sync", "refused"), Err(Code::StorageFull));
    rig.disk.break_down(Faults { write_fails, ..Faults::default() });
    assert_eq!(rig.publish("none:a", "seen and lost"), Ok(2));
    assert_eq!(rig.publish("sync", "two"), Ok(2));
    assert_eq!(rig.publish("none:a", "three"), Ok(3));
    let sync = vec![(1, "one".to_owned()), (2, "two".to_owned())];
    let none = (2, vec![(3, "three".to_owned())]);
    assert_eq!(rig.read_all("sync"), (0, sync.clone()));
    assert_eq!(rig.read_all("none:a"), none, "who reads across it is told a gap");
    for disk in [rig.disk.copy(), rig.stop()] {
        let (mut rig, opened) = setup.open(&disk);
        assert!(opened.set_aside.is_empty());
        assert_eq!(rig.read_all("sync"), (0, sync.clone()));
        assert_eq!(rig.read_all("none:a"), none);
    }
}

#[test]
fn a_write_that_fails_otherwise_ends_it() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let write_fails = Some((1, ErrorKind::Other));
    rig.disk.break_down(Faults { write_fails, ..Faults::default() });
    let append = rig.append("a", Some(text("two")));
    rig.send(EngineCommand::Append(append));
    rig.run();
    assert!(rig.answers().is_empty());
    assert!(matches!(&rig.reports()[..], [Report::Fatal(_)]));
    assert!(rig.ready.as_ref().unwrap().writer.is_dead());
}

#[test]
fn what_need_not_be_synced_is_synced_within_a_second() {
    let setup = Setup::default();
    let disk = SimDisk::default();
    disk.remember();
    let (mut rig, _) = setup.open(&disk);
    rig.publish("os:a", "the first is synced at once").unwrap();
    rig.publish("os:a", "two").unwrap();
    let lost = |acts| {
        let (mut rig, _) = setup.open(&disk.crash(acts, &mut || false));
        rig.read_all("os:a").1.len()
    };
    assert_eq!(lost(disk.acts()), 1);
    rig.now += 500;
    rig.run();
    assert_eq!(lost(disk.acts()), 1);
    rig.now += 600;
    rig.run();
    assert_eq!(lost(disk.acts()), 2);
    assert_eq!(rig.owner[&name("os:a")].head, 2);
}

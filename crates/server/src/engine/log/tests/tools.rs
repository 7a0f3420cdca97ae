//! What an operator does beside serving.

use std::path::Path;

use super::rig::{Rig, Setup, directory, segment};
use crate::engine::log::disk::SimDisk;
use crate::engine::log::{
    BackupError, Files, Left, State, Wrong, backup, dump, repair, stat, verify,
};

fn published(setup: &Setup) -> Rig {
    let (mut rig, _) = setup.open(&SimDisk::default());
    for number in 0..120 {
        rig.publish(&format!("channel-{}", number % 3), &"x".repeat(500)).unwrap();
    }
    rig
}

fn states(disk: &SimDisk) -> (Vec<State>, Vec<(u64, Wrong)>) {
    let files = Files::Simulated(disk.clone());
    let mut seen = 0;
    let verdict = verify(directory(), &files, &mut |_| seen += 1).unwrap();
    assert_eq!(verdict.segments.len(), seen);
    assert_eq!(verdict.intact(), verdict.damaged.is_empty());
    let damaged = verdict.damaged.iter().map(|damage| (damage.position, damage.what));
    let damaged = damaged.collect();
    (verdict.segments.iter().map(|segment| segment.state).collect(), damaged)
}

#[test]
fn verifying_tells_intact_torn_and_damaged_apart_and_repair_mends() {
    let setup = Setup::default();
    let disk = published(&setup).kill();
    let (found, damaged) = states(&disk);
    assert_eq!(found.last(), Some(&State::Active { torn: 0 }));
    assert!(found.len() > 3 && damaged.is_empty(), "{found:?}");
    let mut bytes = disk.bytes(&segment(2)).unwrap();
    bytes[3_000] ^= 4;
    disk.put(&segment(2), bytes);
    let mut newest = disk.bytes(&segment(found.len() as u64)).unwrap();
    *newest.last_mut().unwrap() = 1;
    disk.put(&segment(found.len() as u64), newest);
    let (found, damaged) = states(&disk);
    assert_eq!((found[1], damaged.len()), (State::Damaged, 1));
    assert!(matches!(found.last(), Some(State::Active { torn: 1.. })), "{found:?}");
    let files = Files::Simulated(disk.clone());
    let mended = repair(setup.options(), directory(), files).unwrap();
    assert_eq!((mended.set_aside.len(), mended.channels_anew), (1, 3));
    assert!(mended.cut > 0);
    let (found, damaged) = states(&disk);
    assert_eq!((found[1], damaged), (State::SetAside, Vec::new()));
    let (_, opened) = setup.open(&disk);
    assert_eq!(opened.left, Left::Clean, "it is left as a stop would");
}

#[test]
fn counting_and_showing_change_nothing() {
    let setup = Setup::default();
    let mut rig = published(&setup);
    rig.remove("channel-1", 77).unwrap();
    let disk = rig.kill();
    let files = Files::Simulated(disk.clone());
    let before = disk.paths();
    let counted = stat(directory(), &files, setup.options().rules, 1_000_000).unwrap();
    assert_eq!((counted.channels, counted.publications, counted.damaged), (3, 80, 0));
    assert_eq!(counted.times, Some((1_000_000, 1_000_000)));
    let mut shown = Vec::new();
    dump(directory(), &files, &mut |record| {
        shown.push(record.to_string());
    })
    .unwrap();
    let count = |what: &str| shown.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("publication"), count("begins anew at 40.aAAAAAAAABN")), (120, 1));
    assert_eq!(count("commit"), 121);
    assert_eq!(disk.paths(), before);
}

/// The log goes on while it is copied: at every moment the copy is a log that a crash could have left.
#[test]
fn a_copy_is_a_log_of_its_own() {
    let retention = fanfare_core::settings::Retention { count: 20, ..Setup::default().retention };
    let setup = Setup { retention, ..Setup::default() };
    let mut rig = published(&setup);
    for round in 0..10 {
        let files = Files::Simulated(rig.disk.clone());
        let to = format!("/copy-{round}");
        let made = backup(directory(), &files, Path::new(&to)).unwrap();
        assert!(made.segments >= 1 && made.bytes > 1_000);
        let copy = SimDisk::default();
        for path in rig.disk.paths() {
            if let Ok(rest) = path.strip_prefix(&to) {
                copy.put(&directory().join(rest), rig.disk.bytes(&path).unwrap());
            }
        }
        let expected: Vec<_> =
            (0..3).map(|each| rig.read_all(&format!("channel-{each}"))).collect();
        let (mut restored, opened) = setup.open(&copy);
        assert!(opened.set_aside.is_empty() && !opened.begins_anew && opened.cut == 0);
        assert_eq!(opened.left, Left::Copied);
        for (each, expected) in expected.iter().enumerate() {
            assert_eq!(&restored.read_all(&format!("channel-{each}")), expected);
        }
        assert!(restored.publish("channel-0", "on").unwrap() > 1 << 36);
        assert!(restored.publish("new", "above what the log itself gives").unwrap() > 1 << 36);
        let (_, opened) = setup.open(&restored.kill());
        assert_eq!(opened.left, Left::Unclean, "it is a copy once");
        for _ in 0..13 {
            rig.publish("channel-0", &"y".repeat(700)).unwrap();
        }
        rig.rest();
    }
    let files = Files::Simulated(rig.disk.clone());
    let unfinished = rig.disk.copy();
    Files::Simulated(unfinished.clone()).remove(&directory().join("STORE")).unwrap();
    let (_, opened) = setup.open(&unfinished);
    assert_eq!(opened.set_aside.len(), 1, "what lacks its end is told");
    let again = backup(directory(), &files, Path::new("/copy-0"));
    assert!(matches!(again, Err(BackupError::NotEmpty(_))), "{again:?}");
    let nothing = backup(Path::new("/nothing"), &files, Path::new("/copy"));
    assert!(nothing.is_err());
}

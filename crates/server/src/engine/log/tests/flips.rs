//! A bit is turned over anywhere in a store. Nothing corrupt is served, and who may have lost something
//! is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fanfare_core::position::{Epoch, Offset};

use super::rig::{Rig, Setup, directory, name, often};
use crate::engine::log::disk::SimDisk;
use crate::engine::log::format::record::Kind;
use crate::engine::log::open::{Expected, examine};
use crate::engine::log::shared::Paths;
use crate::engine::log::{OnCorruption, OpenError};

/// A store with several sealed segments, and what stands where.
struct Original {
    disk: SimDisk,
    generation: Epoch,
    channels: BTreeMap<String, Channel>,
    /// The channels of each segment.
    held: BTreeMap<PathBuf, BTreeSet<String>>,
    active: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Channel {
    epoch: Epoch,
    all: Vec<(Offset, String)>,
}

fn original(setup: &Setup, stopped: bool) -> Original {
    let (mut rig, opened) = setup.open(&SimDisk::default());
    for number in 0..240_u32 {
        // Channels come one after the other, so that segments hold different ones.
        let channel = format!("channel-{}", number / 40 + number % 3);
        let payload = format!("{number}-{}", "x".repeat(200 + fastrand::usize(..300)));
        rig.publish(&channel, &payload).unwrap();
    }
    rig.remove("channel-0", 77).unwrap();
    rig.publish("channel-0", "anew").unwrap();
    rig.forget("channel-1");
    for number in 0..20 {
        rig.publish(&format!("late-{}", number % 2), &number.to_string()).unwrap();
    }
    let names: Vec<String> = rig.owner.keys().map(|name| name.as_str().to_owned()).collect();
    let channels = names.into_iter().map(|channel| {
        let epoch = rig.owner[&name(&channel)].epoch;
        let all = rig.read_all(&channel).1;
        (channel, Channel { epoch, all })
    });
    let channels = channels.collect();
    let disk = if stopped { rig.stop() } else { rig.kill() };
    let mut held = BTreeMap::new();
    let mut files = Vec::new();
    for path in disk.paths() {
        let bytes = disk.bytes(&path).unwrap();
        let number = path.file_name().and_then(|name| Paths::number(name.to_str()?));
        if let Some(number) = number {
            held.insert(path.clone(), channels_of(&bytes, number));
        }
        files.push((path, bytes));
    }
    assert!(held.len() > 4, "{}", held.len());
    let active = held.keys().last().cloned().unwrap();
    Original { disk, generation: opened.generation, channels, held, active, files }
}

fn channels_of(bytes: &[u8], number: u64) -> BTreeSet<String> {
    let mut channels = BTreeSet::new();
    let expected = Expected { number, newest: true, first: None, generation: None, behind: None };
    examine(bytes, &expected, &mut |batch| {
        let names = batch.records.iter().filter(|record| record.kind == Kind::Channel);
        channels.extend(names.map(|record| String::from_utf8(record.body.to_vec()).unwrap()));
        Some(())
    });
    channels
}

/// Where a bit is turned over: everywhere alike, but for the empty rest of the active segment, which
/// would take most of them.
fn flip(original: &Original) -> (PathBuf, usize, u8) {
    let files = &original.files;
    let (path, bytes) = &files[fastrand::usize(..files.len())];
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 40;
    let at = if fastrand::u8(..10) == 0 {
        fastrand::usize(..bytes.len())
    } else {
        fastrand::usize(..written.min(bytes.len()))
    };
    (path.clone(), at, 1 << fastrand::u8(..8))
}

fn flipped(original: &Original, (path, at, bit): &(PathBuf, usize, u8)) -> SimDisk {
    let disk = original.disk.copy();
    let mut bytes = disk.bytes(path).unwrap();
    bytes[*at] ^= bit;
    disk.put(path, bytes);
    disk
}

/// Holds what is served now against what was published.
fn check(original: &Original, flip: &(PathBuf, usize, u8), rig: &mut Rig, cut: bool) {
    let anew = rig.generation != original.generation;
    let touched = original.held.get(&flip.0);
    for (channel, was) in &original.channels {
        let seat = rig.owner.get(&name(channel)).copied();
        let (floor, all) = rig.read_all(channel);
        for each in &all {
            assert!(was.all.contains(each), "{flip:?}: {channel} was never told {each:?}");
        }
        let same_epoch = !anew && seat.is_some_and(|seat| seat.epoch == was.epoch);
        let touched = touched.is_some_and(|held| held.contains(channel));
        if !touched && !anew {
            assert_eq!(all, was.all, "{flip:?}: {channel} was not touched");
        }
        if touched && same_epoch {
            // It may go on only if a reader is not told less than there was, or is told so. What was cut
            // off at the end lies above the head, where a position is one of the future.
            let newest = all.last().map_or(0, |(at, _)| *at);
            let missing = was.all.iter().filter(|each| !all.contains(each)).map(|(at, _)| *at);
            let told = missing.clone().all(|at| at <= floor || (cut && at > newest));
            assert!(told, "{flip:?}: {channel} lost something silently: {floor}");
        }
    }
}

fn rounds() -> usize {
    often("FANFARE_LOG_FLIPS", 200)
}

/// `FANFARE_LOG_FLIPS=10000 cargo test --release engine::log::tests::flips` does it as often as that.
#[test]
fn a_flipped_bit_is_never_served_and_never_passed_over() {
    fastrand::seed(1);
    let (mut set_aside, mut anew, mut cut, mut read) = (0, 0, 0, 0);
    for stopped in [false, true] {
        let setup = Setup::default();
        let original = original(&setup, stopped);
        for _ in 0..rounds() / 2 {
            let flip = flip(&original);
            let (mut rig, opened) = setup.open(&flipped(&original, &flip));
            set_aside += usize::from(!opened.set_aside.is_empty());
            anew += usize::from(opened.begins_anew);
            cut += usize::from(opened.cut > 0);
            if opened.begins_anew {
                assert_ne!(opened.generation, original.generation);
            }
            check(&original, &flip, &mut rig, opened.cut > 0);
            read += usize::from(!rig.reports().is_empty());
            // And so it stays.
            let was_cut = opened.cut > 0;
            let (mut rig, opened) = setup.open(&rig.kill());
            assert!(opened.set_aside.is_empty() || stopped, "{flip:?}: {opened:?}");
            check(&original, &flip, &mut rig, was_cut || opened.cut > 0);
            rig.publish("channel-2", "and on").unwrap();
        }
    }
    println!("set aside {set_aside}, begun anew {anew}, cut {cut}, found by a reader {read}");
    assert!(set_aside > 0 && cut > 0 && read > 0);
}

#[test]
fn a_log_that_refuses_says_where_it_is_damaged() {
    fastrand::seed(2);
    let setup = Setup { on_corruption: OnCorruption::Refuse, ..Setup::default() };
    let original = original(&setup, false);
    let mut refused = 0;
    for _ in 0..rounds() {
        let flip = flip(&original);
        let disk = flipped(&original, &flip);
        match setup.try_open(&disk) {
            Err(OpenError::Damaged(damage)) => {
                refused += 1;
                assert_eq!(damage.file, flip.0);
                let now = disk.bytes(&flip.0).unwrap();
                assert_eq!(now, flipped(&original, &flip).bytes(&flip.0).unwrap(), "untouched");
            }
            Err(other) => panic!("{flip:?}: {other}"),
            Ok((mut rig, opened)) => {
                let sealed = original.held.contains_key(&flip.0) && flip.0 != original.active;
                let store = flip.0 == directory().join("STORE");
                assert!(!sealed && !store, "{flip:?}: {opened:?}");
                check(&original, &flip, &mut rig, opened.cut > 0);
            }
        }
    }
    println!("refused {refused} of {}", rounds());
    assert!(refused > 0);
}

/// The power goes while damage is being mended, at any moment of that.
#[test]
fn a_crash_while_damage_is_mended_hides_nothing() {
    fastrand::seed(5);
    let setup = Setup::default();
    let original = original(&setup, false);
    for _ in 0..often("FANFARE_LOG_FLIPS", 200) / 25 {
        let flip = flip(&original);
        let disk = flipped(&original, &flip);
        disk.remember_all();
        let (rig, opened) = setup.open(&disk);
        drop(rig);
        for acts in 0..=disk.acts() {
            for kept in [0, 3, 10] {
                let crashed = disk.crash(acts, &mut || fastrand::u8(..10) < kept);
                let (mut rig, again) = setup.open(&crashed);
                check(&original, &flip, &mut rig, opened.cut > 0 || again.cut > 0);
                let (mut rig, last) = setup.open(&rig.kill());
                assert!(last.set_aside.is_empty(), "{flip:?} {acts}: {last:?}");
                check(&original, &flip, &mut rig, opened.cut > 0 || again.cut > 0);
            }
        }
    }
}

#[test]
fn a_segment_that_is_missing_has_every_channel_begin_anew() {
    let setup = Setup::default();
    let (killed, stopped) = (original(&setup, false), original(&setup, true));
    // Only a stop has written down that there was the newest one.
    let older = killed.held.keys().filter(|path| **path != killed.active);
    let missing = older.map(|path| (&killed, path));
    for (original, path) in missing.chain(stopped.held.keys().map(|path| (&stopped, path))) {
        let disk = original.disk.copy();
        crate::engine::log::Files::Simulated(disk.clone()).remove(path).unwrap();
        let (mut rig, opened) = setup.open(&disk);
        assert!(opened.begins_anew && opened.channels == 0, "{path:?}: {opened:?}");
        assert_ne!(opened.generation, original.generation);
        rig.publish("channel-2", "and on").unwrap();
        let (_, opened) = setup.open(&rig.kill());
        assert!(!opened.begins_anew && opened.set_aside.is_empty(), "{opened:?}");
    }
}

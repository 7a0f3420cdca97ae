//! Power cuts: after everything that was ever done to the disk, with any choice of what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::settings::Retention;
use fanfare_core::shard::{Completion, EngineCommand};

use super::rig::{Rig, Setup, Told, name, often, text};
use crate::engine::log::disk::SimDisk;

const CHANNELS: [&str; 6] = ["a", "b", "os:a", "os:b", "none:a", "none:b"];

/// What was sent and what was acknowledged, as the outside saw it.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// What was ever handed over: channel, epoch, offset and payload.
    sent: BTreeMap<(String, Epoch, Offset), String>,
    /// What was acknowledged, after how many acts.
    acknowledged: Vec<(usize, String, Epoch, Offset)>,
    /// Channels that were removed or forgotten, after how many acts that began.
    gone: BTreeMap<String, usize>,
}

fn setup(retention: usize) -> Setup {
    let (bytes, age) = (1 << 30, Duration::from_secs(86_400));
    let retention = Retention { count: retention, bytes, age };
    Setup { retention, bytes_max: 512 << 10, ..Setup::default() }
}

/// Publishes at random, several at once, and notes what is seen.
fn live(rig: &mut Rig, seen: &mut Seen, rounds: usize) {
    for _ in 0..rounds {
        let mut numbers = BTreeMap::new();
        for _ in 0..fastrand::usize(1..5) {
            let channel = CHANNELS[fastrand::usize(..CHANNELS.len())];
            let payload = format!("{}-{}", fastrand::u32(..), "x".repeat(fastrand::usize(..900)));
            let append = rig.append(channel, Some(text(&payload)));
            let publication = append.publication.as_ref().unwrap();
            let (epoch, offset) = (append.after.epoch, publication.offset());
            seen.sent.insert((channel.to_owned(), epoch, offset), payload);
            numbers.insert(append.append, (channel.to_owned(), epoch, offset));
            rig.send(EngineCommand::Append(append));
        }
        rig.run();
        for Told { acts, completion } in rig.told() {
            let Completion::Committed { channel, append } = completion else { continue };
            let stored = |number: &u64, made: &mut (String, Epoch, Offset)| {
                *number <= append && made.0 == channel.as_str()
            };
            for (_, (channel, epoch, offset)) in numbers.extract_if(.., stored) {
                seen.acknowledged.push((acts, channel, epoch, offset));
            }
        }
        match fastrand::usize(..24) {
            0 => {
                let channel = CHANNELS[fastrand::usize(..CHANNELS.len())];
                seen.gone.entry(channel.to_owned()).or_insert(rig.disk.acts());
                rig.remove(channel, fastrand::u64(1..)).unwrap();
            }
            1 => {
                let channel = CHANNELS[fastrand::usize(..CHANNELS.len())];
                seen.gone.entry(channel.to_owned()).or_insert(rig.disk.acts());
                rig.forget(channel);
            }
            2 | 3 => {
                rig.now += 1_100;
                rig.run();
            }
            _ => {}
        }
    }
}

/// Opens what a crash after so many acts has left, and holds it against what was seen.
fn check(setup: &Setup, disk: &SimDisk, seen: &Seen, acts: usize, retention: usize) -> Rig {
    let (mut rig, opened) = setup.open(disk);
    assert!(opened.set_aside.is_empty() && !opened.begins_anew, "a crash is no damage: {opened:?}");
    let told = |entry: &&(usize, String, Epoch, Offset)| entry.0 <= acts;
    for channel in CHANNELS {
        let seat = rig.seat(&name(channel));
        let (_, all) = rig.read_all(channel);
        for (offset, payload) in &all {
            let sent = seen.sent.get(&(channel.to_owned(), seat.epoch, *offset));
            assert_eq!(sent, Some(payload), "{channel}: {offset} was made up");
        }
        let mine = seen.acknowledged.iter().filter(told).filter(|entry| entry.1 == channel);
        for (_, _, epoch, offset) in mine.clone() {
            if *epoch == seat.epoch {
                assert!(seat.next > *offset, "{channel}: {offset} is given twice: {seat:?}");
            }
        }
        let gone = seen.gone.get(channel).is_some_and(|begun| *begun <= acts);
        if channel.contains(':') || gone {
            continue;
        }
        let there: BTreeSet<Offset> = all.iter().map(|(offset, _)| *offset).collect();
        let newest: Vec<_> = mine.rev().take(retention).collect();
        let unanswered = seen.sent.keys().filter(|sent| sent.0 == channel).count() - newest.len();
        // What was not answered yet may have pushed old ones out.
        for (_, _, epoch, offset) in newest.iter().take(retention.saturating_sub(unanswered.min(5)))
        {
            assert_eq!(*epoch, seat.epoch, "{channel} has lost its epoch");
            assert!(there.contains(offset), "{channel}: {offset} was acknowledged and is lost");
        }
    }
    rig
}

/// Takes crashes of every kind: nothing, everything, or any part of what was not synced is kept.
fn crashes(disk: &SimDisk, acts: usize, random: usize) -> Vec<SimDisk> {
    let mut crashes = vec![disk.crash(acts, &mut || false), disk.crash(acts, &mut || true)];
    for _ in 0..random {
        let share = fastrand::u8(1..10);
        crashes.push(disk.crash(acts, &mut || fastrand::u8(..10) < share));
    }
    crashes
}

/// `FANFARE_LOG_SEEDS=50` tries as many lives.
#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged_and_makes_nothing_up() {
    for seed in 0..often("FANFARE_LOG_SEEDS", 2) {
        fastrand::seed(seed as u64);
        // With few kept, old segments go all the time.
        let retention = if seed % 2 == 0 { 1_000 } else { 12 };
        let setup = setup(retention);
        let disk = SimDisk::default();
        disk.remember();
        let (mut rig, _) = setup.open(&disk);
        let mut seen = Seen::default();
        live(&mut rig, &mut seen, 80);
        for acts in 0..=disk.acts() {
            // The first acts make the store; nobody is served before they are done.
            for crashed in crashes(&disk, acts, 2) {
                check(&setup, &crashed, &seen, acts, retention);
            }
        }
    }
}

#[test]
fn a_crash_while_a_crash_is_recovered_from_is_a_crash_like_any_other() {
    fastrand::seed(9);
    let setup = setup(12);
    for _ in 0..often("FANFARE_LOG_SEEDS", 2) {
        let disk = SimDisk::default();
        disk.remember();
        let (mut rig, _) = setup.open(&disk);
        let mut seen = Seen::default();
        live(&mut rig, &mut seen, 60);
        let acts = fastrand::usize(disk.acts() / 2..disk.acts());
        let crashed = disk.crash(acts, &mut || fastrand::bool());
        crashed.remember_all();
        let (mut rig, _) = setup.open(&crashed);
        let opened = crashed.acts();
        let before = Seen {
            acknowledged: {
                let told = seen.acknowledged.iter().filter(|entry| entry.0 <= acts);
                told.map(|entry| (0, entry.1.clone(), entry.2, entry.3)).collect()
            },
            gone: seen
                .gone
                .iter()
                .filter(|(_, begun)| **begun <= acts)
                .map(|(name, _)| (name.clone(), 0))
                .collect(),
            ..seen
        };
        let mut later = before.clone();
        live(&mut rig, &mut later, 30);
        for acts in 0..=crashed.acts() {
            for again in crashes(&crashed, acts, 1) {
                let seen = if acts <= opened { &before } else { &later };
                check(&setup, &again, seen, acts, 12);
            }
        }
    }
}

#[test]
fn without_syncs_the_same_test_would_find_what_is_lost() {
    fastrand::seed(3);
    let setup = setup(1_000);
    let disk = SimDisk::default();
    disk.remember();
    let (mut rig, _) = setup.open(&disk);
    for _ in 0..20 {
        rig.publish("os:a", "x").unwrap();
    }
    let (mut rig, opened) = setup.open(&disk.crash(disk.acts(), &mut || false));
    assert_eq!(rig.read_all("os:a").1.len(), 1, "only the first of a life is synced");
    let next = rig.seat(&name("os:a")).next;
    assert!(next > 20, "what was seen and lost is not given again: {next}");
    assert!(opened.mark >= 1 << 20, "nor in a channel that is lost as a whole");
    let page = rig.page("os:a", Position::new(1, rig.generation), 100).unwrap();
    assert!(page.is_empty());
}

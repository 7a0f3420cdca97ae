//! What a crash leaves at the end.

use super::rig::{Setup, segment};
use crate::engine::log::disk::SimDisk;

/// The tail is lost at every byte of the last records, in two ways: the file ends there, or it goes on
/// with zeros. What was whole before it is kept, and nothing is called damaged.
#[test]
fn the_tail_may_be_cut_at_every_byte() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    let mut ends = Vec::new();
    for number in 0..8_usize {
        rig.publish(if number % 2 == 0 { "a" } else { "b" }, &"x".repeat(number * 7)).unwrap();
        ends.push(rig.ready.as_ref().unwrap().writer.position());
    }
    let disk = rig.kill();
    let whole = disk.bytes(&segment(1)).unwrap();
    for cut in ends[4]..=ends[7] {
        for shorter in [true, false] {
            let mut bytes = whole[..cut].to_vec();
            if !shorter {
                bytes.resize(whole.len(), 0);
            }
            // A batch may end in zeros, which need not be written to be there.
            let there = |end: &&usize| bytes.get(..**end) == Some(&whole[..**end]);
            let kept = ends.iter().filter(there).count();
            let torn = disk.copy();
            torn.put(&segment(1), bytes);
            let (mut rig, opened) = setup.open(&torn);
            assert!(opened.set_aside.is_empty() && !opened.begins_anew, "{cut}: {opened:?}");
            let found = rig.read_all("a").1.len() + rig.read_all("b").1.len();
            assert_eq!(found, kept, "cut at {cut}");
            let next = rig.publish("a", "on").unwrap();
            assert!(next > 1 << 20, "offsets go on far above");
            let (mut rig, opened) = setup.open(&rig.kill());
            assert!(opened.set_aside.is_empty() && opened.cut == 0, "{cut}: {opened:?}");
            let found = rig.read_all("a").1.len() + rig.read_all("b").1.len();
            assert_eq!(found, kept + 1);
        }
    }
}

/// Garbage behind the end, as a disk may leave it.
#[test]
fn garbage_behind_the_end_is_cut_off() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let end = rig.ready.as_ref().unwrap().writer.position();
    let disk = rig.kill();
    let whole = disk.bytes(&segment(1)).unwrap();
    for place in [end, end + 1, end + 100, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] = 0x5a;
        let torn = disk.copy();
        torn.put(&segment(1), bytes);
        let (mut rig, opened) = setup.open(&torn);
        assert!(opened.set_aside.is_empty() && opened.cut > 0, "{opened:?}");
        assert!(opened.mark >= 1 << 20, "a channel may have been seen that is lost");
        assert_eq!(rig.read_all("a").1.len(), 1);
        let (_, opened) = setup.open(&rig.kill());
        assert_eq!(opened.cut, 0, "it is cut off once");
    }
}

/// What a publisher writes into a payload never looks like a record, not even where records are searched
/// for byte by byte.
#[test]
fn a_payload_that_holds_a_piece_of_another_log_is_a_payload() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    for _ in 0..3 {
        rig.publish("a", "x").unwrap();
    }
    // Commits of a log with the same numbers, which call everything synced.
    let foreign = rig.kill().bytes(&segment(1)).unwrap();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("b", "kept").unwrap();
    let mut append = rig.append("b", Some(super::rig::text("")));
    let plain = append.publication.take().unwrap();
    let data = fanfare_core::publication::Data::Binary(foreign[..600].to_vec().into());
    let content = fanfare_core::publication::Content::plain(data);
    let made = fanfare_core::publication::Publication { content, ..(*plain).clone() };
    append.publication = Some(std::sync::Arc::new(made));
    rig.settle(append).unwrap();
    let disk = rig.kill();
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end] ^= 1;
    disk.put(&segment(1), bytes);
    let (mut rig, opened) = setup.open(&disk);
    assert!(opened.set_aside.is_empty() && opened.cut > 0, "a torn tail, no damage: {opened:?}");
    assert_eq!(rig.read_all("b").1.len(), 1);
}

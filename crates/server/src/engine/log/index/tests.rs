//! The index by itself: what no log in a test lives long enough to come to.

use std::sync::Arc;
use std::time::Duration;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::settings::Retention;

use super::{Index, Placed, SegmentState, Slot, Stored};
use crate::engine::log::options::{ChannelRules, Durability};

fn index() -> (Index, Slot) {
    let (count, bytes, age) = (10_000, 1 << 30, Duration::from_secs(1_000));
    let retention = Retention { count, bytes, age };
    let rules = Arc::new(ChannelRules { durability: Durability::Sync, retention });
    let mut index = Index::new(Epoch::from_bits(1), 0, Arc::new(move |_| Arc::clone(&rules)));
    let slot = index.segments.add(SegmentState::new(1, 2, 3, false)).unwrap();
    (index, slot)
}

fn stored(slot: Slot, prev: u64, offset: u64) -> Stored {
    let placed = Placed { offset, slot, at: 64, weight: 200, time: 0 };
    Stored { epoch: Epoch::from_bits(1), prev, placed, expires_at: None, ends: false }
}

/// Offsets of one channel may lie further apart than an entry can say.
#[test]
fn offsets_may_lie_very_far_apart() {
    let (mut index, slot) = index();
    let name = ChannelName::new("a").unwrap();
    let id = index.ensure(&name, Position::new(0, Epoch::from_bits(1)));
    let offsets = [1, 2, 1 << 30, 1 << 39, (1 << 39) + 1, 1 << 41, (1 << 52) - 1];
    let mut prev = 0;
    for offset in offsets {
        index.store(id, &stored(slot, prev, offset), 0);
        prev = offset;
        let channel = index.find(&name).unwrap();
        let newest = channel.placed(channel.count() - 1).unwrap();
        assert_eq!(newest.offset, offset);
    }
    let channel = index.find(&name).unwrap();
    assert_eq!((channel.count(), channel.floor), (1, 1 << 41), "and what is too far back goes");
    assert_eq!(index.segments.publications, 1);
    assert_eq!(index.skipped(channel), (1 << 52) - 1);
}

#[test]
fn what_lives_in_a_segment_is_counted() {
    let (mut index, slot) = index();
    let name = |number: u64| ChannelName::new(&format!("channel-{number}")).unwrap();
    for number in 0..10 {
        let id = index.ensure(&name(number), Position::new(0, Epoch::from_bits(1)));
        for offset in 1..=3 {
            index.store(id, &stored(slot, offset - 1, offset), 0);
        }
    }
    let other = index.segments.add(SegmentState::new(2, 2, 3, false)).unwrap();
    let counted = |index: &Index, slot| {
        let segment = index.segments.get(slot).unwrap();
        (segment.live, segment.live_bytes, segment.homes)
    };
    assert_eq!(counted(&index, slot), (30, 6_000, 10));
    let id = index.id(&name(3)).unwrap();
    let (channel, segments) = index.parts(id).unwrap();
    assert!(channel.relocate(2, slot, (other, 64), segments));
    assert!(!channel.relocate(2, slot, (other, 64), segments), "it stands elsewhere already");
    assert_eq!(counted(&index, slot), (29, 5_800, 10));
    assert_eq!(counted(&index, other), (1, 200, 0));
    index.remove(id, Position::new(9, Epoch::from_bits(5)), other);
    assert_eq!((counted(&index, slot), counted(&index, other)), ((27, 5_400, 9), (0, 0, 1)));
    index.forget(id);
    assert_eq!(counted(&index, other), (0, 0, 0));
    index.sweep(100, 1_000_000);
    assert_eq!(counted(&index, slot), (0, 0, 9), "what is too old is gone, the heads stay");
    let again = index.ensure(&name(77), Position::new(0, Epoch::from_bits(1)));
    assert_eq!(again, id, "the place of a channel that is gone is taken again");
}

//! The log against a list in memory, under any sequence of operations with stops and crashes between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::position::{Epoch, Offset};
use fanfare_core::publication::{End, Publication};
use fanfare_core::settings::Retention;
use fanfare_core::shard::{Completion, EngineCommand};
use proptest::prelude::*;

use super::rig::{Rig, Setup, key, name, often, short, text};
use crate::engine::log::Left;
use crate::engine::log::disk::SimDisk;

/// What is done to the log.
#[derive(Debug, Clone)]
enum Deed {
    Publish {
        channel: u8,
        size: usize,
        ttl: Option<u64>,
    },
    /// Several appends in one batch.
    Burst {
        channel: u8,
        count: u8,
    },
    Keyed {
        channel: u8,
        key: u8,
        life: u64,
    },
    End {
        channel: u8,
    },
    Remove {
        channel: u8,
    },
    Forget {
        channel: u8,
    },
    Wait(u64),
    Rest,
    Stop,
    Kill,
}

/// The naive channel.
#[derive(Debug, Clone)]
struct Channel {
    epoch: Epoch,
    floor: Offset,
    head: Offset,
    next: Offset,
    ended: bool,
    newest: u64,
    /// Whether anything was published in this epoch.
    published: bool,
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    offset: Offset,
    payload: String,
    time: u64,
    expires_at: Option<u64>,
}

/// The naive log.
#[derive(Debug)]
struct Model {
    channels: BTreeMap<String, Channel>,
    /// Offset and end of each key.
    keys: BTreeMap<(String, u8), (Offset, u64)>,
    retention: Retention,
}

impl Model {
    fn channel(&mut self, channel: &str, rig: &Rig) -> &mut Channel {
        let begin = rig.mark;
        self.channels.entry(channel.to_owned()).or_insert_with(|| Channel {
            epoch: rig.generation,
            floor: begin,
            head: begin,
            next: begin + 1,
            ended: false,
            newest: 0,
            published: false,
            kept: Vec::new(),
        })
    }

    fn compare_keys(&self, rig: &Rig) {
        let now = rig.unix();
        let remembered = self.keys.iter().filter(|(_, (_, expires_at))| *expires_at > now);
        let remembered = remembered
            .map(|((channel, key), (offset, _))| (name(channel), key.to_string().into(), *offset));
        assert_eq!(rig.keys, remembered.collect());
    }

    /// Lets go of what has expired, then of what is too old or too much.
    fn retain(&mut self, now: u64) {
        let Retention { count, bytes, age } = self.retention;
        for channel in self.channels.values_mut() {
            channel.kept.retain(|kept| kept.expires_at.is_none_or(|at| at > now));
            loop {
                let weight: usize = channel.kept.iter().map(|kept| kept.payload.len() + 128).sum();
                let Some(oldest) = channel.kept.first() else { break };
                let old = oldest.time + u64::try_from(age.as_millis()).unwrap() <= now;
                let many = channel.kept.len() > count || weight > bytes;
                if old || (many && channel.kept.len() > 1) {
                    channel.floor = channel.floor.max(channel.kept.remove(0).offset);
                } else {
                    break;
                }
            }
        }
    }
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let channel = 0..5_u8;
    let ttl = prop_oneof![3 => Just(None), 1 => (1..20_000_u64).prop_map(Some)];
    let deed = prop_oneof![
        12 => (channel.clone(), 0..1_500_usize, ttl)
            .prop_map(|(channel, size, ttl)| Deed::Publish { channel, size, ttl }),
        4 => (channel.clone(), 1..20_u8).prop_map(|(channel, count)| Deed::Burst { channel, count }),
        2 => (channel.clone(), 0..20_u8, 0..40_000_u64)
            .prop_map(|(channel, key, life)| Deed::Keyed { channel, key, life }),
        1 => channel.clone().prop_map(|channel| Deed::End { channel }),
        1 => channel.clone().prop_map(|channel| Deed::Remove { channel }),
        1 => channel.prop_map(|channel| Deed::Forget { channel }),
        3 => (0..8_000_u64).prop_map(Deed::Wait),
        2 => Just(Deed::Rest),
        1 => Just(Deed::Stop),
        1 => Just(Deed::Kill),
    ];
    proptest::collection::vec(deed, 1..120)
}

fn channel_name(number: u8) -> String {
    let durability = ["", "os:", "none:"][usize::from(number % 3)];
    format!("{durability}channel-{number}")
}

/// Publishes one, or more at once; says what the log is to hold because of it.
fn publish(rig: &mut Rig, model: &mut Model, channel: &str, sizes: &[usize], ttl: Option<u64>) {
    let now = rig.unix();
    if model.channel(channel, rig).ended {
        return;
    }
    for size in sizes {
        let payload = format!("{}{}", model.channel(channel, rig).next, "x".repeat(*size));
        let mut append = rig.append(channel, Some(text(&payload)));
        let expires_at = ttl.map(|ttl| now + ttl);
        let publication = append.publication.take().unwrap();
        append.publication = Some(Arc::new(Publication { expires_at, ..(*publication).clone() }));
        rig.send(EngineCommand::Append(append));
        let channel = model.channel(channel, rig);
        assert_eq!(publication.offset(), channel.next);
        let offset = channel.next;
        (channel.head, channel.next) = (offset, offset + 1);
        (channel.newest, channel.published) = (now, true);
        channel.kept.push(Kept { offset, payload, time: now, expires_at });
        model.retain(now);
    }
    rig.run();
    let refused = |answer: &Completion| !matches!(answer, Completion::Committed { .. });
    let answers = rig.answers();
    assert!(!answers.is_empty() && !answers.iter().any(refused), "{answers:?}");
}

/// Publishes under a key.
fn keyed(rig: &mut Rig, model: &mut Model, channel: &str, number: u8, life: u64) {
    let (now, expires_at) = (rig.unix(), rig.unix() + life);
    let known = model.keys.get(&(channel.to_owned(), number));
    // An owner gives the first answer as long as it remembers the key.
    if known.is_some_and(|(_, end)| *end > now) || model.channel(channel, rig).ended {
        return;
    }
    let mut append = rig.append(channel, Some(text("keyed")));
    append.key = key(&number.to_string(), expires_at);
    let (payload, time) = ("keyed".to_owned(), rig.unix());
    let offset = rig.settle(append).unwrap();
    let kept = model.channel(channel, rig);
    (kept.head, kept.next) = (offset, offset + 1);
    (kept.newest, kept.published) = (time, true);
    kept.kept.push(Kept { offset, payload, time, expires_at: None });
    model.keys.insert((channel.to_owned(), number), (offset, expires_at));
    model.retain(rig.unix());
}

/// Closes a channel without a last publication.
fn end(rig: &mut Rig, model: &mut Model, channel: &str) {
    if !model.channel(channel, rig).ended {
        let append = rig.append(channel, None);
        assert_eq!(append.end, End::Close);
        rig.settle(append).unwrap();
        let now = rig.unix();
        let channel = model.channel(channel, rig);
        (channel.ended, channel.newest) = (true, now);
    }
}

fn run(deeds: Vec<Deed>) {
    let retention = Retention { count: 12, bytes: 9_000, age: Duration::from_secs(40) };
    let setup = Setup { retention, ..Setup::default() };
    let (mut rig, _) = setup.open(&SimDisk::default());
    let (channels, keys) = (BTreeMap::new(), BTreeMap::new());
    let mut model = Model { channels, keys, retention };
    for deed in deeds {
        match deed {
            Deed::Publish { channel, size, ttl } => {
                publish(&mut rig, &mut model, &channel_name(channel), &[size], ttl);
            }
            Deed::Burst { channel, count } => {
                let sizes = vec![700; count.into()];
                publish(&mut rig, &mut model, &channel_name(channel), &sizes, None);
            }
            Deed::Keyed { channel, key, life } => {
                keyed(&mut rig, &mut model, &channel_name(channel), key, life);
            }
            Deed::End { channel } => end(&mut rig, &mut model, &channel_name(channel)),
            Deed::Remove { channel } => {
                let channel = channel_name(channel);
                let epoch = model.channel(&channel, &rig).head + 1_000;
                rig.remove(&channel, epoch).unwrap();
                model.channels.remove(&channel);
                model.channel(&channel, &rig).epoch = Epoch::from_bits(epoch);
            }
            Deed::Forget { channel } => {
                let channel = channel_name(channel);
                // No owner forgets a channel whose keys are remembered.
                let now = rig.unix();
                model.keys.retain(|_, (_, expires_at)| *expires_at > now);
                if !model.keys.keys().any(|(of, _)| *of == channel) {
                    assert!(rig.forget(&channel));
                    model.channels.remove(&channel);
                }
            }
            Deed::Wait(millis) => {
                setup.wait(millis);
                rig.now += millis;
            }
            Deed::Rest => rig.rest(),
            Deed::Stop | Deed::Kill => {
                let mark = rig.mark;
                let disk = if matches!(deed, Deed::Stop) { rig.stop() } else { rig.kill() };
                let opened;
                (rig, opened) = setup.open(&disk);
                assert!(opened.set_aside.is_empty() && opened.cut == 0);
                assert!(opened.mark >= mark);
                model.compare_keys(&rig);
                // Channels that nothing was ever stored of are unknown, and begin at the mark again.
                model.channels.retain(|channel, _| rig.owner.contains_key(&name(channel)));
                // A crash before anything was written is none.
                if opened.left == Left::Unclean {
                    model.channels.values_mut().for_each(|channel| channel.next += 1 << 20);
                }
            }
        }
    }
    compare(&mut rig, &mut model);
    let (mut rig, _) = setup.open(&rig.kill());
    compare(&mut rig, &mut model);
    compare_found(&mut rig, &model);
    let (mut rig, _) = setup.open(&rig.stop());
    compare(&mut rig, &mut model);
    compare_found(&mut rig, &model);
}

/// What an owner is told of each channel at a start.
fn compare_found(rig: &mut Rig, model: &Model) {
    for found in rig.restored() {
        let expected = &model.channels[found.name.as_str()];
        let start = found.start.offset;
        assert_eq!(found.head > start, expected.published, "{found:?}");
        assert!(start <= expected.floor, "{found:?}");
        assert_eq!(found.newest, expected.newest, "{found:?}");
    }
}

fn compare(rig: &mut Rig, model: &mut Model) {
    model.retain(rig.unix());
    for (channel, expected) in &model.channels {
        let Some(seat) = rig.owner.get(&name(channel)).copied() else {
            assert!(expected.kept.is_empty());
            continue;
        };
        assert_eq!((seat.epoch, seat.head), (expected.epoch, expected.head), "{channel}");
        assert_eq!(seat.ended, expected.ended, "{channel}");
        assert!(seat.next >= expected.next, "{channel}");
        let (floor, all) = rig.read_all(channel);
        let all: Vec<_> = all.iter().map(|(offset, payload)| (*offset, short(payload))).collect();
        let kept = expected.kept.iter().map(|kept| (kept.offset, short(&kept.payload)));
        assert_eq!(all, kept.collect::<Vec<_>>(), "{channel}");
        assert_eq!(floor, expected.floor, "{channel}: who is told a gap");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(often("FANFARE_LOG_CASES", 60)).unwrap(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// `FANFARE_LOG_CASES=5000` tries as many sequences.
    #[test]
    fn the_log_holds_what_a_list_would(deeds in deeds()) {
        run(deeds);
    }
}

//! What an owner is promised, one thing at a time.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::publication::{Detail, End, Publication, SessionId, Stored};
use fanfare_core::shard::{
    Completion, DeepStart, EngineCommand, HistoryQuery, NoPage, Order, Until,
};
use fanfare_core::start::Start;

use super::rig::{Seat, Setup, key, name, payload, text};
use crate::engine::log::Left;
use crate::engine::log::disk::SimDisk;

const JUMP: u64 = 1 << 20;

#[test]
fn what_is_published_is_read_back_and_survives_a_stop() {
    let setup = Setup::default();
    let (mut rig, opened) = setup.open(&SimDisk::default());
    assert_eq!((opened.left, opened.channels, opened.mark), (Left::New, 0, 0));
    for number in 1..=300 {
        assert_eq!(rig.publish("news", &format!("message {number}")), Ok(number));
    }
    let (floor, all) = rig.read_all("news");
    assert_eq!((floor, all.len()), (0, 300));
    assert_eq!(all[41], (42, "message 42".to_owned()));
    let (mut rig, again) = setup.open(&rig.stop());
    assert_eq!((again.left, again.generation), (Left::Clean, opened.generation));
    assert_eq!((again.channels, again.publications), (1, 300));
    assert_eq!(rig.read_all("news"), (floor, all));
    assert_eq!(rig.publish("news", "next"), Ok(301), "offsets go on where they were");
}

#[test]
fn a_crash_keeps_the_epoch_and_gives_no_offset_twice() {
    let setup = Setup::default();
    let (mut rig, opened) = setup.open(&SimDisk::default());
    let durabilities = ["news", "os:news", "none:news"];
    for channel in durabilities {
        assert_eq!(rig.publish(channel, "one"), Ok(1));
    }
    let (mut rig, again) = setup.open(&rig.kill());
    assert_eq!((again.left, again.generation), (Left::Unclean, opened.generation));
    assert_eq!(rig.publish("news", "two"), Ok(2 + JUMP));
    let all = [(1, "one".to_owned()), (2 + JUMP, "two".to_owned())];
    assert_eq!(rig.read_all("news"), (0, all.to_vec()), "nothing is missing between");
    // Nothing was published to the others, and yet the next crash brings them further.
    let (mut rig, _) = setup.open(&rig.kill());
    assert_eq!(rig.publish("os:news", "two"), Ok(2 + 2 * JUMP));
    assert_eq!(rig.publish("news", "three"), Ok(3 + 2 * JUMP));
    let (mut rig, _) = setup.open(&rig.stop());
    assert_eq!(rig.publish("none:news", "two"), Ok(2 + 2 * JUMP), "a stop brings nobody further");
}

#[test]
fn an_append_is_stored_directly_after_the_one_before_it_or_not_at_all() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    assert_eq!(rig.publish("a", "one"), Ok(1));
    let mut lost = rig.append("a", Some(text("lost")));
    lost.after.offset = 7;
    let behind = rig.append("a", Some(text("behind")));
    rig.send(EngineCommand::Append(lost));
    rig.send(EngineCommand::Append(behind));
    rig.run();
    let failed =
        |answer: &Completion| matches!(answer, Completion::Failed { code: Code::NotApplied, .. });
    assert_eq!(rig.answers().iter().filter(|answer| failed(answer)).count(), 2);
    // A channel whose first append failed does not begin with its second one.
    let mut first = rig.append("b", Some(text("first")));
    let second = rig.append("b", Some(text("second")));
    first.publication = None;
    first.end = End::Open;
    rig.send(EngineCommand::Append(first));
    rig.send(EngineCommand::Append(second));
    rig.run();
    assert_eq!(rig.answers().iter().filter(|answer| failed(answer)).count(), 2);
    assert_eq!(rig.read_all("b").1, []);
}

#[test]
fn one_answer_stands_for_all_appends_of_a_channel_in_a_batch() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    for number in 0..10 {
        for channel in ["a", "b"] {
            let append = rig.append(channel, Some(text(&number.to_string())));
            rig.send(EngineCommand::Append(append));
        }
    }
    rig.run();
    let answers = rig.answers();
    assert_eq!(answers.len(), 2, "{answers:?}");
    let last = |channel: &str| {
        answers.iter().any(|answer| {
            matches!(answer, Completion::Committed { channel: told, append }
                if told.as_str() == channel && *append >= 19)
        })
    };
    assert!(last("a") && last("b"), "{answers:?}");
}

#[test]
fn an_end_is_the_last_thing_that_is_stored() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let end = rig.append("a", None);
    assert_eq!(rig.settle(end), Ok(1));
    let late = rig.append("a", Some(text("late")));
    assert_eq!(rig.settle(late), Err(Code::NotApplied));
    let mut last = rig.append("b", Some(text("last")));
    last.end = End::Close;
    assert_eq!(rig.settle(last), Ok(1));
    let (mut rig, _) = setup.open(&rig.kill());
    assert!(rig.restored().iter().all(|channel| channel.ended && channel.head == 1));
    let (mut rig, _) = setup.open(&rig.stop());
    assert!(rig.restored().iter().all(|channel| channel.ended && channel.head == 1));
}

#[test]
fn a_removed_channel_begins_anew_above_everything_it_had() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    for payload in ["one", "two"] {
        rig.publish("a", payload).unwrap();
    }
    let old = rig.seat(&name("a"));
    assert_eq!(rig.remove("a", 99), Ok(()));
    let page = rig.page("a", Position::new(0, old.epoch), 1_000);
    assert_eq!(page.err(), Some(NoPage::OtherHistory));
    assert_eq!(rig.publish("a", "three"), Ok(3));
    for disk in [rig.disk.copy(), rig.stop()] {
        let (mut rig, opened) = setup.open(&disk);
        assert!(opened.mark >= 2);
        let seat = rig.seat(&name("a"));
        assert_eq!((seat.epoch, seat.head), (Epoch::from_bits(99), 3));
        assert_eq!(rig.read_all("a"), (2, vec![(3, "three".to_owned())]));
    }
}

#[test]
fn what_follows_a_removal_may_come_with_it_in_one_batch() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let (channel, epoch) = (name("a"), Epoch::from_bits(99));
    let removal = EngineCommand::Remove { channel: channel.clone(), epoch, mark: 1 };
    // An owner that was not answered in time asks again.
    rig.send(removal.clone());
    rig.send(removal);
    let seat = Seat { epoch, head: 1, next: 2, ended: false };
    rig.owner.insert(channel.clone(), seat);
    for payload in ["two", "three"] {
        let append = rig.append("a", Some(text(payload)));
        rig.send(EngineCommand::Append(append));
    }
    rig.run();
    let answers = rig.answers();
    assert!(matches!(answers[..2], [Completion::Removed { .. }, Completion::Removed { .. }]));
    assert!(matches!(answers[2], Completion::Committed { .. }), "{answers:?}");
    assert_eq!(rig.publish("a", "four"), Ok(4));
    rig.send(EngineCommand::Forget(channel.clone()));
    rig.owner.insert(channel, Seat { epoch: rig.generation, head: 9, next: 10, ended: false });
    let append = rig.append("a", Some(text("again")));
    assert_eq!(rig.settle(append), Ok(10), "nor does what is forgotten hinder what is made again");
    let (mut rig, _) = setup.open(&rig.kill());
    assert_eq!(rig.read_all("a"), (9, vec![(10, "again".to_owned())]));
}

#[test]
fn a_forgotten_channel_leaves_only_the_mark() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    for _ in 0..5 {
        rig.publish("a", "x").unwrap();
    }
    assert!(rig.forget("a"));
    assert_eq!(rig.read_all("a").1, []);
    assert_eq!(rig.publish("a", "again"), Ok(6));
    assert!(rig.forget("a"));
    for disk in [rig.disk.copy(), rig.stop()] {
        let (rig, opened) = setup.open(&disk);
        assert_eq!((opened.channels, opened.mark), (0, 6));
        assert!(rig.owner.is_empty());
    }
}

#[test]
fn keys_survive_as_long_as_they_are_remembered() {
    let setup = Setup::default();
    let (mut rig, opened) = setup.open(&SimDisk::default());
    let expires = rig.unix() + 120_000;
    let mut append = rig.append("a", Some(text("one")));
    append.key = key("short", rig.unix() + 5);
    rig.settle(append).unwrap();
    let mut append = rig.append("a", Some(text("two")));
    append.key = key("long", expires);
    rig.settle(append).unwrap();
    let mut end = rig.append("a", None);
    end.key = key("end", expires);
    rig.settle(end).unwrap();
    rig.remove("a", 99).unwrap();
    setup.wait(10);
    for disk in [rig.disk.copy(), rig.stop()] {
        // The keys were given out when the rig opened the log, so that is done by hand here.
        let files = crate::engine::log::Files::Simulated(disk);
        let directory = super::rig::directory();
        let (mut log, _) =
            crate::engine::log::Log::open(setup.options(), directory, files).unwrap();
        assert!(log.restored(|name| name.as_str() == "b").is_empty());
        let restored = log.restored(|name| name.as_str() == "a");
        let mut keys = restored[0].keys.clone();
        keys.sort_by(|a, b| b.key.key.cmp(&a.key.key));
        assert_eq!(keys.len(), 2, "{keys:?}");
        let at = |offset| Position::new(offset, opened.generation);
        assert_eq!(
            (&*keys[0].key.key, keys[0].position, keys[0].stored),
            ("long", at(2), Stored::Yes)
        );
        assert_eq!(
            (&*keys[1].key.key, keys[1].position, keys[1].stored),
            ("end", at(2), Stored::No)
        );
        assert_eq!(Some(Box::new(keys[0].key.clone())), key("long", expires));
    }
}

#[test]
fn every_part_of_a_publication_comes_back() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    let mut append = rig.append("a", Some(text("payload")));
    let plain = append.publication.clone().unwrap();
    let mut content = plain.content.clone();
    content.detail = Some(Box::new(Detail {
        event: Some("update".into()),
        tags: vec!["x".into(), "y".into()],
        content_type: Some("text/plain; charset=utf-8".into()),
        conflate: Some("EURUSD".into()),
        exclude: Some(SessionId(u128::MAX - 1)),
    }));
    let expires_at = Some(rig.unix() + 60_000);
    let full = Publication { content, expires_at, ..(*plain).clone() };
    append.publication = Some(Arc::new(full.clone()));
    rig.settle(append).unwrap();
    for disk in [rig.disk.copy(), rig.stop()] {
        let (mut rig, _) = setup.open(&disk);
        let epoch = rig.generation;
        let page = rig.page("a", Position::new(0, epoch), 1).unwrap();
        assert_eq!(format!("{:?}", page[0]), format!("{full:?}"));
        assert_eq!(page[0].content, full.content);
    }
}

#[test]
fn expired_publications_go_without_a_gap() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let mut append = rig.append("a", Some(text("fleeting")));
    let publication = append.publication.take().unwrap();
    let expires_at = Some(rig.unix() + 10);
    append.publication = Some(Arc::new(Publication { expires_at, ..(*publication).clone() }));
    rig.settle(append).unwrap();
    rig.publish("a", "three").unwrap();
    assert_eq!(rig.read_all("a").1.len(), 3);
    setup.wait(20);
    let left = vec![(1, "one".to_owned()), (3, "three".to_owned())];
    assert_eq!(rig.read_all("a"), (0, left.clone()));
    for disk in [rig.disk.copy(), rig.stop()] {
        let (mut rig, _) = setup.open(&disk);
        assert_eq!(rig.read_all("a"), (0, left.clone()));
    }
}

#[test]
fn starts_are_found_and_history_is_answered() {
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    for number in 0..10 {
        rig.publish("a", &number.to_string()).unwrap();
        setup.wait(100);
    }
    let head = Position::new(10, rig.generation);
    for (start, after) in [
        (DeepStart::Last(3), 7),
        (DeepStart::Last(50), 0),
        (DeepStart::Since(0), 0),
        (DeepStart::Since(1_000_450), 5),
        (DeepStart::Since(u64::MAX), 10),
    ] {
        let read = rig.next_number();
        rig.send(EngineCommand::Locate { read, channel: name("a"), start, head });
        rig.run();
        let Some(Completion::Located { after: located, .. }) = rig.answers().pop() else {
            panic!("no answer");
        };
        assert_eq!(located, Ok(head.at(after)), "{start:?}");
    }
    let (since, until) = (Start::After(head.at(2)), Some(Until::Position(head.at(8))));
    let query = HistoryQuery { since, until, limit: 4, bytes: 1 << 20, order: Order::Descending };
    let page = rig.history("a", query).unwrap();
    let offsets: Vec<_> =
        page.publications.iter().map(|each| (each.publication.offset(), each.prev)).collect();
    assert_eq!(offsets, [(8, 7), (7, 6), (6, 5), (5, 4)]);
    assert_eq!(page.next, Some(head.at(4)));
    assert_eq!(payload(&page.publications[0].publication), "7");
}

#[test]
fn a_resync_tells_what_is_stored_and_only_when_it_is_settled() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    rig.publish("a", "one").unwrap();
    let append = rig.append("a", Some(text("two")));
    let after = append.after;
    rig.send(EngineCommand::Append(append));
    rig.send(EngineCommand::Resync { resync: 77, channel: name("a"), after });
    rig.run();
    let answers = rig.answers();
    assert!(matches!(answers[0], Completion::Committed { .. }), "{answers:?}");
    let Completion::Resynced { resync: 77, head: 2, ended: false, .. } = &answers[1] else {
        panic!("{answers:?}");
    };
}

#[test]
fn a_publication_that_no_segment_has_room_for_is_refused_by_itself() {
    let (mut rig, _) = Setup::default().open(&SimDisk::default());
    let large = "x".repeat(20_000);
    assert_eq!(rig.publish("a", &large), Err(Code::PayloadTooLarge));
    let largest = "x".repeat(13_000);
    for number in 1..=5 {
        assert_eq!(rig.publish("a", &largest), Ok(number));
    }
    assert_eq!(rig.read_all("a").1.len(), 5);
}

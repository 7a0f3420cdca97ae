//! The directory stays within its bound however long is published, and what should live on does.

use std::time::Duration;

use fanfare_core::settings::Retention;
use fanfare_core::shard::EngineCommand;

use super::rig::{Setup, directory, key, name, text};
use crate::engine::log::disk::SimDisk;
use crate::engine::log::{Files, Log, Report};

fn keeping(count: usize) -> Retention {
    Retention { count, bytes: 1 << 30, age: Duration::from_secs(86_400) }
}

#[test]
fn publishing_without_end_stays_within_the_bound_and_what_lives_is_copied_forward() {
    let bytes_max = 256 << 10;
    let setup = Setup { bytes_max, retention: keeping(30), ..Setup::default() };
    let (mut rig, opened) = setup.open(&SimDisk::default());
    for number in 0..10 {
        // These are never written to again, and must outlive everything around them.
        rig.publish("document", &format!("page {number}")).unwrap();
    }
    let mut idle = rig.append("idle", Some(text("fleeting")));
    let short = idle.publication.take().unwrap();
    let expires_at = Some(rig.unix() + 5_000);
    let short = fanfare_core::publication::Publication { expires_at, ..(*short).clone() };
    idle.publication = Some(std::sync::Arc::new(short));
    rig.settle(idle).unwrap();
    for round in 0..4_000_u64 {
        let channel = format!("busy-{}", round % 5);
        rig.publish(&channel, &"x".repeat(300)).unwrap();
        setup.wait(10);
        rig.now += 10;
        assert!(rig.disk.used() <= bytes_max, "{} in round {round}", rig.disk.used());
    }
    rig.rest();
    assert!(rig.reports().is_empty(), "nothing went that had to stay");
    let documents = rig.read_all("document");
    assert_eq!((documents.0, documents.1.len()), (0, 10));
    assert_eq!(rig.read_all("idle"), (0, Vec::new()), "it has expired, which is no gap");
    let busy = rig.read_all("busy-3");
    assert_eq!((busy.0, busy.1.len()), (770, 30));
    for disk in [rig.disk.copy(), rig.stop()] {
        assert!(disk.used() <= bytes_max);
        assert!(disk.bytes(&super::rig::segment(1)).is_none(), "the first segment is long gone");
        let (mut rig, again) = setup.open(&disk);
        assert!(again.set_aside.is_empty());
        assert_eq!((again.generation, again.channels), (opened.generation, 7));
        assert_eq!(rig.read_all("document"), documents);
        assert_eq!(rig.read_all("busy-3"), busy);
        assert_eq!(rig.read_all("idle"), (0, Vec::new()));
        assert_eq!(rig.seat(&name("idle")).head, 1, "where it stands is known for ever");
    }
}

#[test]
fn at_the_bound_the_oldest_goes_and_its_readers_are_told() {
    let bytes_max = 256 << 10;
    let setup = Setup { bytes_max, retention: keeping(1_000_000), ..Setup::default() };
    let (mut rig, opened) = setup.open(&SimDisk::default());
    rig.publish("quiet", "one").unwrap();
    let mut keyed = rig.append("quiet", Some(text("two")));
    keyed.key = key("kept", rig.unix() + 1_000_000_000);
    rig.settle(keyed).unwrap();
    rig.remove("emptied", 77).unwrap();
    let mut published = 0;
    while published < 3_000 {
        published = rig.publish("busy", &"x".repeat(300)).unwrap();
        rig.now += 10;
        assert!(rig.disk.used() <= bytes_max, "{} at {published}", rig.disk.used());
    }
    let forced = rig.reports().into_iter().map(|report| match report {
        Report::Forced { publications, .. } => publications,
        other => panic!("{other:?}"),
    });
    assert!(forced.sum::<u64>() > 1_000);
    let busy = rig.read_all("busy");
    assert!(busy.0 > 1_000 && busy.1.len() > 200, "{} {}", busy.0, busy.1.len());
    assert_eq!(busy.0 + busy.1.len() as u64, published, "everything behind the floor is there");
    assert_eq!(rig.read_all("quiet"), (2, Vec::new()));
    for disk in [rig.disk.copy(), rig.stop()] {
        let (mut rig, again) = setup.open(&disk);
        assert!(again.set_aside.is_empty() && again.generation == opened.generation);
        assert_eq!(rig.read_all("busy"), busy);
        assert_eq!(rig.read_all("quiet"), (2, Vec::new()));
        assert_eq!(rig.seat(&name("quiet")).head, 2);
        assert_eq!(rig.seat(&name("emptied")).epoch.bits(), 77);
        let files = Files::Simulated(disk);
        let (mut log, _) = Log::open(setup.options(), directory(), files).unwrap();
        let quiet = log.restored(|channel| channel.as_str() == "quiet");
        assert_eq!(quiet[0].keys.len(), 1, "its key outlives the segment that it was in");
        assert_eq!(quiet[0].keys[0].position.offset, 2);
    }
}

#[test]
fn what_is_too_old_goes_even_where_nobody_publishes() {
    let age = Duration::from_secs(60);
    let setup = Setup { retention: Retention { age, ..keeping(1_000) }, ..Setup::default() };
    let (mut rig, _) = setup.open(&SimDisk::default());
    for number in 0..200 {
        rig.publish(&format!("channel-{}", number % 40), &"x".repeat(1_000)).unwrap();
    }
    let before = rig.disk.used();
    setup.wait(61_000);
    for _ in 0..20 {
        rig.now += 1_000;
        rig.rest();
    }
    assert!(rig.disk.used() <= 4 * setup.segment_bytes, "{} of {before}", rig.disk.used());
    assert_eq!(rig.read_all("channel-7"), (5, Vec::new()));
    let (mut rig, opened) = setup.open(&rig.kill());
    assert_eq!((opened.channels, opened.publications), (40, 0));
    assert_eq!(rig.read_all("channel-7"), (5, Vec::new()));
}

/// However wrong it is estimated what lives in a segment: what lives is not written again for ever.
#[test]
fn a_log_of_nothing_but_heads_and_keys_comes_to_rest() {
    for long in [0, 200] {
        let setup = Setup { retention: keeping(1_000), bytes_max: 512 << 10, ..Setup::default() };
        let (mut rig, _) = setup.open(&SimDisk::default());
        let channel = |number: u64| format!("channel-{number}{}", "x".repeat(long));
        for number in 0..300 {
            rig.remove(&channel(number), 5 + number).unwrap();
        }
        for number in 0..250 {
            let mut append = rig.append("keyed", Some(text("x")));
            append.key = key(&format!("{number}{}", "k".repeat(200)), rig.unix() + 10);
            rig.settle(append).unwrap();
            setup.wait(20);
        }
        let written = |rig: &super::rig::Rig| {
            let cells = &rig.ready.as_ref().unwrap().shared.cells;
            cells.bytes_written.load(std::sync::atomic::Ordering::Relaxed)
        };
        rig.rest();
        let before = written(&rig);
        for _ in 0..300 {
            rig.now += 1_000;
            rig.rest();
        }
        let more = written(&rig) - before;
        assert!(more < 512 << 10, "{more} bytes without a publication");
        let before = written(&rig);
        for _ in 0..300 {
            rig.now += 1_000;
            rig.rest();
        }
        assert_eq!(written(&rig), before, "nothing is written for ever");
        assert!(rig.reports().is_empty());
        assert_eq!(rig.read_all("keyed").1.len(), 250);
        let (rig, opened) = setup.open(&rig.kill());
        assert_eq!(opened.channels, 301);
        assert_eq!(rig.owner[&name(&channel(17))].epoch.bits(), 22);
    }
}

#[test]
fn a_segment_that_turns_out_to_be_damaged_when_it_goes_is_set_aside() {
    let setup = Setup { retention: keeping(1_000), ..Setup::default() };
    let (mut rig, _) = setup.open(&SimDisk::default());
    for number in 0..60 {
        rig.publish(if number < 3 { "few" } else { "many" }, &"x".repeat(1_000)).unwrap();
    }
    let mut bytes = rig.disk.bytes(&super::rig::segment(1)).unwrap();
    bytes[1_500] ^= 1;
    rig.disk.put(&super::rig::segment(1), bytes);
    // Everything else of the first segment is too old soon.
    rig.remove("many", 5).unwrap();
    for _ in 0..20 {
        rig.now += 1_000;
        rig.rest();
    }
    let reports = rig.reports();
    assert!(reports.iter().any(|report| matches!(report, Report::SetAside(_))), "{reports:?}");
    let (floor, few) = rig.read_all("few");
    assert_eq!((floor, few.len()), (3, 0), "a reader is told");
    let (mut rig, opened) = setup.open(&rig.kill());
    assert!(opened.set_aside.is_empty(), "it is not found again");
    assert_eq!(rig.read_all("few"), (3, Vec::new()));
    rig.send(EngineCommand::Forget(name("few")));
    rig.run();
}

//! The seeded simulation: shards, engines, links and clients under a clock that the run moves.
//!
//! Each seed is one run. Shards are the very code that production runs; around them everything
//! misbehaves: engines delay, fail, do not know and lose answers; messages between shards wait;
//! readers stall, leave and come back elsewhere from what they saw; channels are trimmed, removed,
//! ended and forgotten. The checkers hold what a client was told against everything that was
//! stored: nothing lost, doubled or out of order unless a gap said so, every publish answered once
//! and truly. Of members, that lists show who is there and nobody else, and that whoever listens
//! knows the same.
//! The application is told who reads what, in order and exactly.
//! Who gets only what is newest is never given what was superseded, nor more often than
//! it asked for, and has the newest of each key in the end.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of a simulated run are small")]

mod application;
mod client;
mod engine;
mod newest;
mod presence;
mod random;
mod sabotage;
mod truth;
mod world;

pub(crate) use sabotage::{Mistake, makes};

use world::World;

/// Runs one seed to its end; the error says what was violated.
fn run(seed: u64) -> Result<world::Tally, String> {
    let mut world = World::new(seed);
    world.run(400)?;
    world.settle_down()
}

/// The first seed of a range that finds a mistake.
fn found_by(mistake: Mistake, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    sabotage::with(mistake, || {
        let mut seeds = seeds;
        seeds.find_map(|seed| {
            // Broken arithmetic is a find as well: a build with checks ends the run there.
            let ran = std::panic::catch_unwind(|| run(seed));
            let violation = ran.map_or(Some("it panicked".to_owned()), Result::err);
            violation.map(|violation| (seed, violation))
        })
    })
}

#[test]
fn a_thousand_seeds_lose_double_and_reorder_nothing() {
    let mut total = world::Tally::default();
    for seed in 0..1000 {
        match run(seed) {
            Ok(tally) => total.add(&tally),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    println!("{total:?}");
    // A simulation in which nothing happens would find nothing.
    assert!(total.publications > 50_000, "{total:?}");
    assert!(total.deliveries > 100_000, "{total:?}");
    for (what, count) in [
        ("gaps", total.gaps),
        ("resumes without a gap", total.resumed),
        ("failed publishes", total.failed),
        ("unknown outcomes", total.unknown),
        ("removals", total.removed),
        ("ends", total.ended),
        ("forgotten channels", total.forgotten),
        ("slow readers", total.slow),
        ("pages", total.pages),
        ("restarts", total.restarts),
        ("channels added from a carried entry", total.carried),
        ("members at rest", total.members),
        ("joins and leaves told", total.news),
        ("numbers of members told", total.counts),
        ("refusals where nobody counts members", total.uncounted),
        ("events for the application", total.happenings),
        ("conflated publications", total.conflated),
        ("deliveries of what is newest as it comes", total.newest),
        ("deliveries of what is newest at a rate", total.paced),
        ("pages of what is newest", total.newest_pages),
    ] {
        assert!(count > 100, "too few {what}: {total:?}");
    }
}

#[test]
fn the_wrong_order_of_attach_is_found() {
    let found = found_by(Mistake::AttachOrder, 0..1000);
    assert!(found.is_some(), "no seed noticed that a shard gave up a channel too early");
}

#[test]
fn attaching_at_an_uncommitted_head_is_found() {
    let found = found_by(Mistake::CommittedHead, 0..1000);
    assert!(found.is_some(), "no seed noticed that readers saw what was not stored");
}

#[test]
fn a_member_that_stays_behind_is_found() {
    let found = found_by(Mistake::Ghost, 0..1000);
    assert!(found.is_some(), "no seed noticed a member that nobody is any more");
}

#[test]
fn a_reload_that_is_told_is_found() {
    let found = found_by(Mistake::NoGrace, 0..1000);
    let found = found.filter(|(_, violation)| violation.contains("longer than the grace"));
    assert!(found.is_some(), "no seed noticed that a page was loaded again");
}

#[test]
fn a_channel_that_is_vacated_under_its_members_is_found() {
    let found = found_by(Mistake::VacatedEarly, 0..1000);
    let found = found.filter(|(_, violation)| violation.contains("the application is told"));
    assert!(found.is_some(), "no seed noticed that a channel with members was vacated");
}

#[test]
fn a_reader_that_nobody_discounts_is_found() {
    let found = found_by(Mistake::Lodger, 0..1000);
    assert!(found.is_some(), "no seed noticed that a channel stays occupied for ever");
}

#[test]
fn news_that_a_slow_reader_missed_in_silence_are_found() {
    let found = found_by(Mistake::MissedNews, 0..1000);
    assert!(found.is_some(), "no seed noticed that a reader knows others than are there");
}

#[test]
fn keeping_what_is_superseded_is_found() {
    let found = found_by(Mistake::Superseded, 0..1000);
    assert!(found.is_some(), "no seed noticed that a reader got something older than the newest");
}

#[test]
fn a_visit_between_moments_is_found() {
    let found = found_by(Mistake::BetweenMoments, 0..1000);
    assert!(found.is_some(), "no seed noticed that a reader was visited too often");
}

#[test]
fn a_forgotten_channel_without_a_mark_is_found() {
    let found = found_by(Mistake::ForgottenMark, 0..1000);
    assert!(found.is_some(), "no seed noticed that a forgotten channel left no mark");
}

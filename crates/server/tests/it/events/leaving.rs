//! A server that stops and starts says so, since nobody reads anything on one that has.

use super::backend::Mood;
use super::{Told, kind, of_kind, serve};

#[test]
fn the_end_is_told_behind_everything_else_and_the_start_before_it() {
    let mut told = Told::start("");
    let _reader = told.open("a", "x");
    told.backend.wait_until("the reader", |events| !of_kind(events, "joined").is_empty());
    told.server.terminate();
    assert_eq!(told.server.exit_code(), Some(0));
    let events = told.backend.distinct();
    let kinds: Vec<_> = events.iter().map(kind).collect();
    assert_eq!(kinds, ["started", "occupied", "joined", "disconnect", "stopped"], "{events:?}");
    assert_eq!(events[3]["reason"], "drain");
    told.server = serve("dev", &told.path);
    let events = told.backend.wait_until("the start", |events| events.len() == 6);
    assert_eq!(kind(&events[5]), "started");
}

#[test]
fn a_server_that_leaves_does_not_wait_for_a_dead_backend_for_long() {
    let mut told = Told::start("");
    told.backend.wait_until("the start", |events| events.len() == 1);
    told.backend.feel(Mood::Silent);
    drop(told.open("a", "x"));
    let began = std::time::Instant::now();
    let words = told.server.last_words();
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    let told_of = words.iter().any(|line| line.contains("events are given up"));
    assert!(told_of, "{words:?}");
    assert_eq!(told.server.exit_code(), Some(0));
}

//! What one connection may have in work, and what ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::{StreamBounds, Streams};
use crate::metrics::{EdgeCells, Http2End};

const BOUNDS: StreamBounds = StreamBounds {
    streams_max: 3,
    turns: 1,
    resets_max: 5,
    stalled_within: Duration::from_secs(30),
};

fn streams() -> Arc<Streams> {
    Streams::new(BOUNDS, &EdgeCells::new())
}

fn take_back(streams: &Arc<Streams>, times: u64) {
    for _ in 0..times {
        drop(streams.begin());
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_back_too_much_is_ended_and_who_is_slow_about_it_is_not() {
    let streams = streams();
    for _ in 0..20 {
        take_back(&streams, BOUNDS.resets_max);
        advance(Duration::from_secs(10)).await;
    }
    let patient = timeout(Duration::from_millis(1), streams.overdone());
    assert!(patient.await.is_err(), "five in ten seconds are allowed");
    take_back(&streams, BOUNDS.resets_max + 1);
    assert_eq!(streams.overdone().await, Http2End::Resets);
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_was_not_taken_back() {
    let streams = streams();
    for _ in 0..50 {
        streams.begin().finish();
    }
    assert!(timeout(Duration::from_millis(1), streams.overdone()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn large_requests_have_their_turn_one_after_another() {
    let streams = streams();
    let first = streams.turn().await;
    let second = timeout(Duration::from_secs(5), streams.turn());
    assert!(second.await.is_err(), "one at a time");
    drop(first);
    assert!(streams.turn().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_takes_end_the_connection() {
    let streams = streams();
    let mut turn = streams.turn().await.unwrap();
    let patient = timeout(Duration::from_secs(300), streams.overdone());
    assert!(patient.await.is_err(), "a request that is still worked on is not waited for");
    turn.go_on();
    let began = Instant::now();
    for _ in 0..5 {
        let patient = timeout(Duration::from_secs(20), streams.overdone());
        assert!(patient.await.is_err(), "it is being taken");
        turn.go_on();
    }
    assert!(began.elapsed() > BOUNDS.stalled_within);
    assert_eq!(streams.overdone().await, Http2End::Stalled);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_when_nothing_has_been_in_work_for_long() {
    let streams = streams();
    let stream = streams.begin();
    let within = Duration::from_secs(75);
    let patient = timeout(Duration::from_secs(1_000), streams.idle(within));
    assert!(patient.await.is_err(), "a stream may last for days");
    drop(stream);
    let began = Instant::now();
    streams.idle(within).await;
    assert_eq!(began.elapsed(), within);
}

//! Publications that are sent when they are due, whether or not the last ones have arrived. What is
//! late is counted from when it was due, so that a server that stalls has not fewer chances to be
//! seen stalling.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::{payload_bytes, publish_one, transport};
use crate::command::bench::audience::Shape;
use crate::command::bench::connect::Clock;
use crate::command::bench::histogram::Latencies;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::run::{Bench, Cost, Lengths, Side};

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) transport: &'a str,
    pub(super) shape: Shape,
    /// Publications in a second.
    pub(super) rate: u32,
    pub(super) time: Duration,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Found {
    /// From when each was due to when each subscriber had it.
    pub(super) latencies: Latencies,
    pub(super) cost: Cost,
}

/// Publishes at a rate and writes down how long everything takes.
///
/// # Errors
/// If that does not work, or the client was the bottleneck.
pub(super) fn measure(
    bench: &mut Bench,
    side: &Side,
    plan: Plan<'_>,
    lengths: Lengths,
) -> Result<Found> {
    let subject = bench.start(side, lengths)?;
    let transport = transport(side, plan.transport)?;
    let size = payload_bytes(bench, side, lengths);
    let query = bench.flags.query.clone();
    let mut audience = bench.open(&subject, transport, plan.shape, (size, &query))?;
    let mut publisher = Publisher::connect(&subject, side.description.way("post")?, (0, 0), size)?;
    let mut numbers = Numbers::new(bench.clock);
    for channel in plan.shape.channels().take(WARM_UP) {
        publish_one(&mut audience, (&mut publisher, &mut numbers), channel)?;
    }
    audience.record()?;
    let (sent, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let clock = bench.clock;
    let mut late = None;
    let total = u64::from(plan.rate) * u64::try_from(plan.time.as_millis())? / 1_000;
    let cost = {
        let (late, sent, done) = (&mut late, &sent, &done);
        bench.stretch(&subject, &mut audience, |audience, progress| {
            thread::scope(|scope| {
                let channels = plan.shape.channels();
                let work = move || {
                    let rate = (plan.rate, total);
                    let result = send(publisher, numbers, channels, rate, clock, sent);
                    done.store(true, Ordering::Release);
                    result
                };
                let thread = scope.spawn(work);
                for channel in plan.shape.channels().cycle().take(usize::try_from(total)?) {
                    audience.expect(channel);
                }
                while !done.load(Ordering::Acquire) {
                    audience.receive(PAUSE)?;
                    progress.tell(|| format!("{} of {total} sent", sent.load(Ordering::Relaxed)));
                }
                *late = Some(thread.join().map_err(|_panic| anyhow!("the publisher panicked"))??);
                audience.wait(0)
            })
        })?
    };
    let late = late.context("nothing was sent")?;
    check_starts(bench, &late)?;
    let latencies = audience.recorded().context("nothing was recorded")?;
    audience.receive_for(PAUSE)?;
    bench.tally(side, &audience.tally());
    Ok(Found { latencies, cost })
}

/// Sends what is due; gives how late this client was with it. What is late because the answer to the
/// one before was, is the server's delay and in its figures.
fn send(
    mut publisher: Publisher<'_>,
    mut numbers: Numbers,
    channels: impl Iterator<Item = u32> + Clone,
    (rate, total): (u32, u64),
    clock: Clock,
    sent: &AtomicU64,
) -> Result<Latencies> {
    let mut late = Latencies::new()?;
    let pause = 1_000_000_000 / u64::from(rate.max(1));
    let begin = clock.nanos() + pause;
    let mut free = 0;
    for (number, channel) in (0..total).zip(channels.cycle()) {
        let due = begin + number * pause;
        loop {
            let now = clock.nanos();
            if now >= due {
                late.record(now - due.max(free).min(now));
                break;
            }
            thread::sleep(Duration::from_nanos(due - now));
        }
        publisher.publish(&[numbers.next_at(channel, due)])?;
        free = clock.nanos();
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(late)
}

/// Refuses if this client did not start in time.
///
/// # Errors
/// Then, unless that is tolerated.
pub(super) fn check_starts(bench: &mut Bench, late: &Latencies) -> Result<()> {
    let worst = Duration::from_nanos(late.at(0.99));
    if worst <= LATE_MAX {
        return Ok(());
    }
    bench.refuse(&format!("of 100 publications one was sent {} ms late", worst.as_millis()))
}

/// Publishes on a connection of its own at a rate, one at a time, and reads what comes to a small
/// audience, until it is told to stop. For a thread of its own.
///
/// # Errors
/// If a publication is refused, or anything is lost.
pub(super) fn alone(
    audience: &mut crate::command::bench::audience::Audience<'_>,
    mut publisher: Publisher<'_>,
    (channel, rate): (u32, u32),
    clock: Clock,
    stop: &AtomicBool,
) -> Result<()> {
    let mut numbers = Numbers::new(clock);
    let pause = Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1)));
    let mut due = Instant::now() + pause;
    while !stop.load(Ordering::Acquire) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let late = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
        audience.expect(channel);
        publisher.publish(&[numbers.next_at(channel, clock.nanos().saturating_sub(late))])?;
        audience.wait(0)?;
        // What is slow is seen in its own latency, not in that of all that come after it.
        due = (due + pause).max(Instant::now());
    }
    Ok(())
}

/// How late one start in a hundred may be.
const LATE_MAX: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(50);
/// Channels that are published to before anything is measured.
const WARM_UP: usize = 2;

//! `fairness`: what becomes of a channel with two subscribers beside one that is flooded.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::{open_loop, payload_bytes, transport};
use crate::command::bench::audience::{Audience, Opening, Shape};
use crate::command::bench::histogram::Latencies;
use crate::command::bench::ledger::Tally;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::progress::Progress;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{FANFARE, Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Cost, Lengths, Side, pick};
use crate::command::bench::subject::Subject;
use crate::command::duration;

/// What `fairness` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Fairness {
    /// How long the flood goes on.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    time: Duration,
    /// Publications of the flood that are on their way at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: u32,
    /// Publications a second to the channel with two subscribers.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
}

#[derive(Debug)]
struct Found {
    /// The pair's, from when a publication was due to when this client had read it.
    pair: Latencies,
    flood: Cost,
    /// The server's own p99 from publication to write for the pair, in milliseconds.
    in_server: Option<f64>,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Fairness) -> Result<()> {
    let members = bench.flags.connections(10_000);
    let rounds = bench.flags.rounds(3);
    for name in bench.flags.transports(&["sse"]) {
        let title = format!("{name}, two beside {members}");
        let sides: Vec<_> =
            bench.sides_with(&name).into_iter().filter(|side| !side.is_floor()).collect();
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            measure(bench, side, (&name, members), flags)
        })?;
        let at = |share: f64| move |one: &Found| Some(one.pair.at(share) as f64 / 1e6);
        let rate = |one: &Found| Some(one.flood.deliveries as f64 / one.flood.wall.as_secs_f64());
        let mut rows = vec![
            Row::new(
                "the pair's p99, in the server",
                Unit::Milliseconds,
                pick(&found, |one| one.in_server),
            )
            .goal(Goal::Figure(10.0)),
            Row::new("the pair's p50, in this client", Unit::Milliseconds, pick(&found, at(0.5))),
            Row::new("the pair's p99, in this client", Unit::Milliseconds, pick(&found, at(0.99))),
            Row::new(
                "the pair's greatest, in this client",
                Unit::Milliseconds,
                pick(&found, at(1.0)),
            ),
            Row::new("deliveries of the flood", Unit::EachSecond, pick(&found, rate)),
        ];
        rows.retain(|row| !row.figures.is_empty());
        let title = format!(
            "{title}; {} publications of the flood on their way at a time, {} a second to the pair, {rounds} \
             rounds of {} s",
            flags.in_flight,
            flags.rate,
            flags.time.as_secs()
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    (name, members): (&str, usize),
    flags: &Fairness,
) -> Result<Found> {
    let subject = bench.start(side, Lengths::default())?;
    let transport = transport(side, name)?;
    let size = payload_bytes(bench, side, Lengths::default());
    let query = bench.flags.query.clone();
    let mut crowd = bench.open(&subject, transport, Shape::crowd(members, 1), (size, &query))?;
    // The two listen another way than the crowd, where there is one, so that the server's own
    // measure, which is kept by transport, tells them apart.
    let others = &side.description.transports;
    let pair_transport = others.get("ndjson").filter(|_| name != "ndjson").unwrap_or(transport);
    let shape = Shape { members: 2, per_member: 1, groups: 1, first: 1 };
    let (clock, patience) = (bench.clock, bench.flags.patience);
    let pair = Opening {
        subject: &subject,
        transport: pair_transport,
        shape,
        payload_bytes: size,
        query: &query,
        clock,
        patience,
        manner: None,
    };
    let before = scrape(side, &subject)?;
    let way = side.description.way("post")?;
    let mut flood = Publisher::connect(&subject, way, (0, 0), size)?;
    let alone = Publisher::connect(&subject, way, (1, 1), size)?;
    let mut numbers = Numbers::new(clock);
    let stop = AtomicBool::new(false);
    let (result, latencies, tally) = thread::scope(|scope| {
        let work = || listen(pair, alone, flags.rate, &stop);
        let thread = scope.spawn(work);
        let others = u64::from(flags.in_flight - 1) * members as u64;
        let result = bench.stretch(&subject, &mut crowd, |crowd, progress| {
            let until = Instant::now() + flags.time;
            while Instant::now() < until && !thread.is_finished() {
                progress.tell(|| format!("{} deliveries of the flood", crowd.delivered()));
                crowd.expect(0);
                flood.publish(&[numbers.next(0)])?;
                crowd.wait(others)?;
            }
            stop.store(true, Ordering::Release);
            crowd.wait(0)
        });
        stop.store(true, Ordering::Release);
        let (latencies, tally) = thread.join().map_err(|_panic| anyhow!("the pair panicked"))??;
        Ok::<_, anyhow::Error>((result, latencies, tally))
    })?;
    bench.tally(side, &crowd.tally());
    bench.tally(side, &tally);
    let in_server =
        before.zip(scrape(side, &subject)?).and_then(|(before, after)| p99(&before, &after));
    Ok(Found { pair: latencies, flood: result?, in_server })
}

/// The thread of the pair: it publishes and reads for itself, so that nothing waits for the crowd
/// to be read.
pub(super) fn listen(
    opening: Opening<'_>,
    publisher: Publisher<'_>,
    rate: u32,
    stop: &AtomicBool,
) -> Result<(Latencies, Tally)> {
    let mut audience = Audience::open(opening, &mut Progress::silent())?;
    audience.record()?;
    let channel = u32::try_from(opening.shape.first)?;
    open_loop::alone(&mut audience, publisher, (channel, rate), opening.clock, stop)?;
    let latencies = audience.recorded().context("nothing was recorded")?;
    Ok((latencies, audience.tally()))
}

/// Fanfare's own histogram of the pair's transport: how many writes, by their upper bound in
/// milliseconds.
pub(super) fn scrape(side: &Side, subject: &Subject) -> Result<Option<BTreeMap<u128, f64>>> {
    if side.name() != FANFARE {
        return Ok(None);
    }
    let mut stream = TcpStream::connect(subject.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let host = &subject.host;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).context("the server's metrics")?;
    Ok(Some(buckets(&text)))
}

/// The buckets of the histogram in a scrape, cumulative as they are.
fn buckets(text: &str) -> BTreeMap<u128, f64> {
    let mut buckets = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(HISTOGRAM)) {
        let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
        let count = line.rsplit(' ').next().and_then(|word| word.parse::<f64>().ok());
        if !line.contains("transport=\"ndjson\"") {
            continue;
        }
        if let (Some(bound), Some(count)) = (bound, count) {
            // What has no bound comes behind all that have one.
            let seconds = bound.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
            let bound = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let millis = bound.map(|bound| bound.as_millis());
            buckets.insert(millis.unwrap_or(u128::MAX), count);
        }
    }
    buckets
}

/// The upper bound that 99 in 100 of what was counted in between stayed under, in milliseconds.
pub(super) fn p99(before: &BTreeMap<u128, f64>, after: &BTreeMap<u128, f64>) -> Option<f64> {
    let grown =
        |(bound, count): (&u128, &f64)| (*bound, count - before.get(bound).copied().unwrap_or(0.0));
    let counts: Vec<(u128, f64)> = after.iter().map(grown).collect();
    let all = counts.last()?.1;
    let found = counts.iter().find(|(_, count)| *count >= 0.99 * all && all > 0.0)?;
    Some(found.0 as f64)
}

const HISTOGRAM: &str = "fanfare_publish_to_write_seconds_bucket";

#[cfg(test)]
#[path = "fairness_test.rs"]
mod tests;

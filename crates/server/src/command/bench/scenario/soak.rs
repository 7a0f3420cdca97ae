//! `soak`: a long time of publishing, coming and going, in which memory must not grow.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{payload_bytes, transport};
use crate::command::bench::audience::Shape;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{Axis, Chart, Line, Row, Section, Unit};
use crate::command::bench::run::{Bench, Lengths, Side};
use crate::command::bench::series::slope;
use crate::command::duration;

/// What `soak` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Soak {
    /// How long it goes on.
    #[arg(long = "for", value_name = "TIME", default_value = "20m", value_parser = duration)]
    time: Duration,
    /// Connections that leave and are replaced in a second.
    #[arg(long, value_name = "N", default_value_t = 50)]
    churn: usize,
    /// Publications in a second.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Channels, among which the connections are divided.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    channels: u16,
}

/// Seconds and bytes.
type Samples = Vec<(f64, f64)>;

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Soak) -> Result<()> {
    let members = bench.flags.connections(2_000).max(usize::from(flags.channels));
    for name in bench.flags.transports(&["sse"]) {
        let sides: Vec<_> =
            bench.sides_with(&name).into_iter().filter(|side| !side.is_floor()).collect();
        let title = format!("{name}, coming and going");
        let found = bench.rounds((1, &title), &sides, |bench, side| {
            measure(bench, side, (&name, members), flags)
        })?;
        let figure = |of: fn(&Samples) -> Option<f64>| {
            found
                .iter()
                .map(|(who, rounds)| (who.clone(), rounds.iter().map(of).collect()))
                .collect()
        };
        let rows = vec![
            Row::new("memory grows by", Unit::BytesEachMinute, figure(growth)),
            Row::new(
                "memory at the end",
                Unit::Kilobytes,
                figure(|samples| Some(samples.last()?.1 / 1_024.0)),
            ),
        ];
        let line = |(who, rounds): &(String, Vec<Samples>)| Line {
            name: who.clone(),
            points: rounds
                .iter()
                .flatten()
                .map(|(seconds, bytes)| (seconds / 60.0, bytes / (1 << 20) as f64))
                .collect(),
        };
        let chart = Chart {
            title: format!("memory over time, {name}"),
            x: Axis { label: "minutes".to_owned(), logarithmic: false },
            y: Axis { label: "MiB of Private_Dirty".to_owned(), logarithmic: false },
            lines: found.iter().map(line).collect(),
        };
        let title = format!(
            "{title}; {} s with {members} connections of {} channels, of which {} leave and are replaced each \
             second, {} publications a second; the slope leaves out the first quarter",
            flags.time.as_secs(),
            flags.channels,
            flags.churn,
            flags.rate
        );
        bench.section(Section { title, rows, charts: vec![chart] });
    }
    Ok(())
}

/// Bytes that memory grew by in a minute, once it had settled.
fn growth(samples: &Samples) -> Option<f64> {
    let settled = samples.get(samples.len() / 4..)?;
    slope(settled).map(|each_second| each_second * 60.0)
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    (name, members): (&str, usize),
    flags: &Soak,
) -> Result<Samples> {
    let subject = bench.start(side, Lengths::default())?;
    let transport = transport(side, name)?;
    let size = payload_bytes(bench, side, Lengths::default());
    let query = bench.flags.query.clone();
    let shape = Shape::groups(members, usize::from(flags.channels));
    let mut audience = bench.open(&subject, transport, shape, (size, &query))?;
    let mut publisher = Publisher::connect(&subject, side.description.way("post")?, (0, 0), size)?;
    let mut numbers = Numbers::new(bench.clock);
    let mut channels = shape.channels().cycle();
    let (began, mut samples) = (Instant::now(), Vec::new());
    let (mut sent, mut replaced, mut sampled) = (0_u32, 0_usize, 0_u32);
    while began.elapsed() < flags.time {
        let seconds = began.elapsed().as_secs_f64();
        if f64::from(sent) < seconds * f64::from(flags.rate) {
            let channel = channels.next().context("no channel")?;
            publisher.publish(&[numbers.next(channel)])?;
            sent += 1;
        }
        // A few at a time, so that nobody waits long for the others.
        if (replaced as f64) < seconds * flags.churn as f64 {
            let places = (replaced..replaced + CHURN).map(|place| place % members);
            audience.replace(places, &mut bench.progress)?;
            replaced += CHURN;
        }
        if f64::from(sampled) * SAMPLE.as_secs_f64() <= seconds {
            let memory = subject.memory()?.context("a soak needs the server's --pid")?;
            samples.push((seconds, memory.private as f64));
            sampled += 1;
        }
        audience.receive(Duration::from_millis(5))?;
        let left = flags.time.saturating_sub(began.elapsed()).as_secs();
        bench.progress.tell(|| format!("{left} s to go, {sent} publications, {replaced} replaced"));
    }
    audience.receive_for(Duration::from_millis(500))?;
    let tally = audience.tally_by_numbers();
    bench.tally(side, &tally);
    if tally.delivered == 0 {
        bail!("nothing was delivered");
    }
    Ok(samples)
}

/// Connections that are replaced together.
const CHURN: usize = 5;

/// Time between two looks at memory.
const SAMPLE: Duration = Duration::from_secs(1);

//! `idle`: what a connection costs on which nothing happens but heartbeats.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{payload_bytes, transport};
use crate::command::bench::audience::{Audience, Shape};
use crate::command::bench::manner::MannerFlags;
use crate::command::bench::mark;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{FANFARE, Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Lengths, Side, pick};
use crate::command::bench::series::per;
use crate::command::bench::subject::Subject;
use crate::command::duration;

/// What `idle` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Idle {
    /// How long the connections are watched.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Channels of each connection.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) per_connection: u8,
    /// Have Fanfare keep a list of who is there.
    #[arg(long)]
    pub(super) presence: bool,
    #[command(flatten)]
    manner: MannerFlags,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    private: Option<f64>,
    proportional: Option<f64>,
    cpu: Option<f64>,
    /// Bytes that came to each connection in a second.
    bytes: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Idle) -> Result<()> {
    // In TLS this client's own part of each connection is the larger one.
    let members = bench.flags.connections(if flags.manner.tls() { 4_000 } else { 19_000 });
    let rounds = bench.flags.rounds(1);
    let single = flags.per_connection == 1 && !flags.presence;
    let plain = single && flags.manner.is_plain();
    if !flags.manner.is_plain() {
        let ours = bench.sides.iter().all(|side| side.name() == FANFARE);
        if !ours || bench.flags.url.is_some() {
            bail!("--tls and --token are for a Fanfare that is started: without --url and --floor");
        }
    }
    for name in bench.flags.transports(if plain { &["sse", "v1", "raw"] } else { &["sse", "v1"] }) {
        let shape = Shape::crowd(members, usize::from(flags.per_connection));
        let lengths = Lengths { frame: mark::BYTES, answer: 0 };
        let sides: Vec<_> = bench.sides_with(&name);
        let title = format!("{name}, idle");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            measure(bench, side, flags, (&name, shape, lengths))
        })?;
        let goal = match (plain, flags.manner.tls()) {
            (true, _) => Some(400.0),
            (false, false) => Some(1_000.0),
            (false, true) => single.then_some(4_500.0),
        };
        let cpu =
            Row::new("CPU, connection", Unit::MicrosecondsEachSecond, pick(&found, |one| one.cpu));
        let private =
            Row::new("user memory (Private_Dirty)", Unit::Bytes, pick(&found, |one| one.private));
        let rows = vec![
            match goal {
                Some(most) => private.goal(Goal::Figure(most)),
                None => private,
            },
            Row::new("user memory (Pss)", Unit::Bytes, pick(&found, |one| one.proportional)),
            if flags.manner.tls() { cpu } else { cpu.goal(Goal::Figure(0.5)) },
            Row::new("on the wire, bytes", Unit::EachSecond, pick(&found, |one| Some(one.bytes))),
        ];
        let presence = if flags.presence { ", with presence" } else { "" };
        let title = format!(
            "{title}, each connection; {members} of them with {} channels{presence}{}, watched for {} s, \
             {rounds} rounds",
            flags.per_connection,
            flags.manner.words(),
            flags.time.as_secs()
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    flags: &Idle,
    (name, shape, lengths): (&str, Shape, Lengths),
) -> Result<Found> {
    let mut query = bench.flags.query.clone();
    let mut environment = Vec::new();
    if flags.presence {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        environment.push(variable("FANFARE_PRESENCE", "true"));
        environment.push(variable("FANFARE_LIMITS__PRESENCE_MEMBERS_MAX", "100000"));
        query = format!("{query}&presence=1&client=c{{unique}}");
    }
    let manner = flags.manner.manner()?;
    environment.extend(manner.environment());
    let subject = bench.start_with(side, lengths, &environment)?;
    let transport = transport(side, name)?;
    let size = payload_bytes(bench, side, lengths);
    let few = Shape { members: shape.members.min(10), ..shape };
    drop(bench.open_as(&subject, transport, few, (size, &query, Some(&manner)))?);
    subject.cpu()?;
    let memory = subject.memory()?;
    let mut audience = bench.open_as(&subject, transport, shape, (size, &query, Some(&manner)))?;
    subject.cpu()?;
    let members = shape.members as u64;
    let grown = subject.memory()?.zip(memory);
    let mut beats = Beats::new(bench, side, &subject, size)?;
    let (cpu, bytes, began) = (subject.cpu_now()?, audience.bytes(), Instant::now());
    let until = began + flags.time;
    while Instant::now() < until {
        if let Some(beats) = &mut beats {
            beats.send_due(&mut audience)?;
        }
        let left = until.saturating_duration_since(Instant::now());
        audience.receive_for(left.min(Duration::from_millis(500)))?;
        bench.progress.tell(|| format!("watching, {} s to go", left.as_secs()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = subject.cpu_now()?.zip(cpu).map(|(now, before)| now.saturating_sub(before));
    if audience.tally().disconnected > 0 {
        bail!("{} idle connections were ended", audience.tally().disconnected);
    }
    bench.tally(side, &audience.tally());
    let each = |now: u64, before: u64| per(now.saturating_sub(before), members);
    Ok(Found {
        private: grown.map(|(now, before)| each(now.private, before.private)),
        proportional: grown.map(|(now, before)| each(now.proportional, before.proportional)),
        cpu: cpu.map(|nanos| per(nanos, members) / 1_000.0 / seconds),
        bytes: per(audience.bytes() - bytes, members) / seconds,
    })
}

/// The heartbeats of the floor, which sends none of itself: one `send` to each connection as often as
/// Fanfare sends one.
struct Beats<'a> {
    publisher: Publisher<'a>,
    numbers: Numbers,
    due: Instant,
}

impl<'a> Beats<'a> {
    /// None for a server that keeps its connections alive itself.
    fn new(bench: &Bench, side: &'a Side, subject: &Subject, bytes: usize) -> Result<Option<Self>> {
        if !side.is_floor() {
            return Ok(None);
        }
        let way = side.description.way("post")?;
        Ok(Some(Self {
            publisher: Publisher::connect(subject, way, (0, 0), bytes)?,
            numbers: Numbers::new(bench.clock),
            // Those of connections that have just come are as far from both ends of the stretch.
            due: Instant::now() + BEAT_EVERY / 2,
        }))
    }

    fn send_due(&mut self, audience: &mut Audience<'_>) -> Result<()> {
        if Instant::now() >= self.due {
            self.due += BEAT_EVERY;
            audience.expect(0);
            self.publisher.publish(&[self.numbers.next(0)])?;
        }
        Ok(())
    }
}

/// How often Fanfare sends a heartbeat, if nobody says otherwise.
const BEAT_EVERY: Duration = Duration::from_secs(15);

//! What all scenarios work with: who is measured, in which order, and how a stretch of work is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::audience::{Audience, Opening, Shape};
use super::connect::Clock;
use super::description::{Description, Transport};
use super::flags::Flags;
use super::folder::Folder;
use super::ledger::Tally;
use super::manner::Manner;
use super::progress::Progress;
use super::publisher::Publisher;
use super::report::{FANFARE, FLOOR, Report, Section};
use super::series::per;
use super::subject::{Start, Subject};
use super::usage::{own_cpu, own_thread_cpu};

/// A run.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) flags: Flags,
    pub(super) sides: Vec<Side>,
    pub(super) clock: Clock,
    pub(super) progress: Progress,
    pub(super) report: Report,
}

/// One of those who are measured.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) description: Description,
}

/// Bytes that the floor sends in place of what the first server sends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lengths {
    pub(super) frame: usize,
    pub(super) answer: usize,
}

/// What a stretch of work cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// CPU nanoseconds of the server, if they can be told.
    pub(super) server: Option<u64>,
    /// CPU nanoseconds of this process.
    pub(super) client: u64,
    pub(super) wall: Duration,
    /// Deliveries in it.
    pub(super) deliveries: u64,
}

/// The figures of each round, of each side.
pub(super) type Rounds<T> = Vec<(String, Vec<T>)>;

impl Side {
    /// Whether it is the bare loop.
    pub(super) fn is_floor(&self) -> bool {
        self.description.name == FLOOR
    }

    /// What reports call it.
    pub(super) fn name(&self) -> &str {
        &self.description.name
    }
}

impl Bench {
    /// Reads who is to be measured.
    ///
    /// # Errors
    /// If a description is wrong, or a URL goes with more than one server.
    pub(super) fn new(flags: Flags, report: Report) -> Result<Self> {
        let mut sides = Vec::new();
        for name in &flags.server {
            sides.push(Side { description: Description::read(name)? });
        }
        if flags.url.is_some() && sides.len() > 1 {
            bail!("--url is the address of one server: give one --server");
        }
        let taken = sides.iter().any(|side| side.name() == FLOOR);
        if taken || (sides.iter().filter(|side| side.name() == FANFARE).count() > 1) {
            bail!(
                "a report tells servers apart by their names: {FLOOR} and a second {FANFARE} are taken"
            );
        }
        if flags.floor {
            sides.push(Side { description: Description::floor()? });
        }
        Ok(Self { flags, sides, clock: Clock::start(), progress: Progress::new(), report })
    }

    /// Starts a side, or connects to it if it runs already.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn start(&self, side: &Side, lengths: Lengths) -> Result<Subject> {
        self.start_with(side, lengths, &[])
    }

    /// The same with more variables in its environment.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn start_with(
        &self,
        side: &Side,
        lengths: Lengths,
        more: &[(String, String)],
    ) -> Result<Subject> {
        if let Some(url) = self.flags.url.as_deref().filter(|_| !side.is_floor()) {
            return Subject::running(url, self.flags.pid.clone());
        }
        let environment = self.environment(side, more);
        let shards = self.flags.shards;
        let start = Start { environment, shards, answer_bytes: lengths.answer, ..Start::default() };
        Subject::start(&side.description, &start)
    }

    /// Starts a side that stores what is published in a folder, and may have to read what it has
    /// stored there before; a Fanfare with more variables in its environment.
    ///
    /// # Errors
    /// If that fails, or a server that runs already was to be measured: nobody knows where it
    /// stores anything.
    pub(super) fn start_storing(
        &self,
        side: &Side,
        folder: &Folder,
        more: &[(&str, &str)],
    ) -> Result<Subject> {
        if self.flags.url.is_some() {
            bail!("this scenario starts its servers itself, without --url");
        }
        let directory = folder.path().join("log").display().to_string();
        let storing = [("FANFARE_ENGINE", "log"), ("FANFARE_LOG__DIRECTORY", &directory)];
        let variables = storing.iter().chain(more);
        let variables: Vec<(String, String)> =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = Start {
            environment: self.environment(side, &variables),
            shards: self.flags.shards,
            folder: Some(folder.path().to_path_buf()),
            within: Some(STORED_MAX),
            ..Start::default()
        };
        Subject::start(&side.description, &start)
    }

    /// The variables that a side is started with: only Fanfare's are known here.
    fn environment(&self, side: &Side, more: &[(String, String)]) -> Vec<(String, String)> {
        if side.name() != FANFARE {
            return Vec::new();
        }
        more.iter().chain(&self.flags.env).cloned().collect()
    }

    /// Measures each side in each round. Who goes first changes, so that nobody always has the
    /// machine as one and the same other left it.
    ///
    /// # Errors
    /// The first of a measurement, with whose it was.
    pub(super) fn rounds<T>(
        &mut self,
        (rounds, title): (usize, &str),
        sides: &[Side],
        mut measure: impl FnMut(&mut Self, &Side) -> Result<T>,
    ) -> Result<Rounds<T>> {
        let mut all: Rounds<T> =
            sides.iter().map(|side| (side.name().to_owned(), Vec::new())).collect();
        for round in 0..rounds {
            for turn in 0..sides.len() {
                let place = (round + turn) % sides.len();
                let (Some(side), Some((name, figures))) = (sides.get(place), all.get_mut(place))
                else {
                    continue;
                };
                self.progress.phase(format!("{title}, round {} of {rounds}, {name}:", round + 1));
                let figure = measure(self, side).with_context(|| name.clone())?;
                figures.push(figure);
            }
        }
        Ok(all)
    }

    /// The sides that have this transport, and a note of those that have not.
    pub(super) fn sides_with(&mut self, transport: &str) -> Vec<Side> {
        let (with, without): (Vec<_>, Vec<_>) = self
            .sides
            .iter()
            .cloned()
            .partition(|side| side.description.transport(transport).is_some());
        for side in without {
            self.note(format!("{} has no transport {transport}", side.name()));
        }
        with
    }

    /// Opens an audience.
    ///
    /// # Errors
    /// If a subscription does not come about.
    pub(super) fn open<'a>(
        &mut self,
        subject: &'a Subject,
        transport: &'a Transport,
        shape: Shape,
        (payload_bytes, query): (usize, &'a str),
    ) -> Result<Audience<'a>> {
        self.open_as(subject, transport, shape, (payload_bytes, query, None))
    }

    /// The same for one that comes in this manner.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_as<'a>(
        &mut self,
        subject: &'a Subject,
        transport: &'a Transport,
        shape: Shape,
        (payload_bytes, query, manner): (usize, &'a str, Option<&'a Manner>),
    ) -> Result<Audience<'a>> {
        let (clock, patience) = (self.clock, self.flags.patience);
        let opening =
            Opening { subject, transport, shape, payload_bytes, query, clock, patience, manner };
        Audience::open(opening, &mut self.progress)
    }

    /// Measures what is done in `work` by the deliveries that an audience counts.
    ///
    /// # Errors
    /// If this client was the bottleneck, unless that is tolerated.
    pub(super) fn stretch<'a>(
        &mut self,
        subject: &Subject,
        audience: &mut Audience<'a>,
        work: impl FnOnce(&mut Audience<'a>, &mut Progress) -> Result<()>,
    ) -> Result<Cost> {
        let (cpu, deliveries) = (subject.cpu()?, audience.delivered());
        let (own, thread, began) = (own_cpu()?, own_thread_cpu()?, Instant::now());
        work(audience, &mut self.progress)?;
        let (wall, thread) = (began.elapsed(), own_thread_cpu()? - thread);
        let client = own_cpu()? - own;
        // With a handful of subscribers the client polls for nearly each of them.
        if audience.shape().members >= CROWD {
            self.check_client(thread, wall)?;
        }
        let server = subject.cpu()?.zip(cpu).map(|(now, before)| now.saturating_sub(before));
        let deliveries = audience.delivered() - deliveries;
        Ok(Cost { server, client, wall, deliveries })
    }

    /// Refuses if the thread that reads had no time to spare.
    ///
    /// # Errors
    /// Then, unless that is tolerated.
    pub(super) fn check_client(&mut self, cpu: u64, wall: Duration) -> Result<()> {
        let share = cpu as f64 / (wall.as_nanos() as f64).max(1.0);
        if share <= CLIENT_SHARE_MAX {
            return Ok(());
        }
        let text = format!("this client was busy for {:.0} % of a stretch", share * 100.0);
        self.refuse(&text)
    }

    /// Refuses to tell figures that are those of this client.
    ///
    /// # Errors
    /// Always, unless that is tolerated.
    pub(super) fn refuse(&mut self, why: &str) -> Result<()> {
        if !self.flags.tolerate_busy_client {
            bail!(
                "the client was the bottleneck, so there are no figures: {why} \
                 (--tolerate-busy-client tells them all the same)"
            );
        }
        self.note(format!("{why}: figures of this run are also those of the client"));
        Ok(())
    }

    /// Tells a reader of the report something, once.
    pub(super) fn note(&mut self, text: String) {
        if !self.report.notes.contains(&text) {
            self.report.notes.push(text);
        }
    }

    /// Adds to what is told.
    pub(super) fn section(&mut self, section: Section) {
        self.report.sections.push(section);
    }

    /// Adds to what became of a side's publications.
    pub(super) fn tally(&mut self, side: &Side, tally: &Tally) {
        let known = self.report.tallies.iter_mut().find(|(name, _)| name == side.name());
        match known {
            Some((_, sum)) => sum.add(tally),
            None => self.report.tallies.push((side.name().to_owned(), *tally)),
        }
    }

    /// Finds out how long the frames and answers of the first side are: the floor sends as much.
    ///
    /// # Errors
    /// If the first side does not work at all.
    pub(super) fn lengths(
        &mut self,
        transport: &str,
        shape: Shape,
        size: usize,
    ) -> Result<Lengths> {
        let Some(side) = self.sides.first().cloned() else {
            bail!("nobody is measured");
        };
        let found = side.description.transport(transport);
        let (Some(transport), true) = (found, self.flags.floor) else {
            return Ok(Lengths::default());
        };
        let subject = self.start(&side, Lengths::default())?;
        let way = side.description.way("post")?;
        let mut publisher = Publisher::connect(&subject, way, (0, 0), size)?;
        // A few of each group are enough to see what one of them is sent.
        let few = Shape { members: shape.groups.min(4), groups: shape.groups.min(4), ..shape };
        let query = self.flags.query.clone();
        let mut audience = self.open(&subject, transport, few, (size, &query))?;
        let mut lengths = Lengths::default();
        for number in 0..3 {
            let bytes = audience.bytes();
            audience.expect(0);
            let nanos = self.clock.nanos();
            let mark = super::mark::Mark { channel: 0, number, nanos };
            lengths.answer = publisher.publish(&[mark])?;
            audience.wait(0)?;
            let frame = (audience.bytes() - bytes).div_ceil(few.audience(0).max(1));
            lengths.frame = usize::try_from(frame)?;
        }
        Ok(lengths)
    }
}

impl Cost {
    /// CPU microseconds of the server for each delivery.
    pub(super) fn server_each(&self) -> Option<f64> {
        self.server.map(|nanos| per(nanos, self.deliveries) / 1_000.0)
    }

    /// CPU microseconds of this client for each delivery.
    pub(super) fn client_each(&self) -> f64 {
        per(self.client, self.deliveries) / 1_000.0
    }
}

/// Takes one figure of each round, for a row.
pub(super) fn pick<T>(
    rounds: &Rounds<T>,
    figure: impl Fn(&T) -> Option<f64>,
) -> Vec<(String, Vec<Option<f64>>)> {
    let of =
        |(name, rounds): &(String, Vec<T>)| (name.clone(), rounds.iter().map(&figure).collect());
    rounds.iter().map(of).collect()
}

/// How long a server may take to read what it has stored.
const STORED_MAX: Duration = Duration::from_secs(600);

/// The share of the time that the thread that reads may be busy.
const CLIENT_SHARE_MAX: f64 = 0.9;

/// Members from which on that is a sign of too little time.
const CROWD: usize = 1_000;

#[cfg(test)]
#[path = "run_test.rs"]
mod tests;

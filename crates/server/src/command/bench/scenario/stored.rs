//! What `storm` and `reopen` have in common: very many publications, stored as fast as they are
//! taken, and what the server counts of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::bench::connect::Clock;
use crate::command::bench::description::Description;
use crate::command::bench::mark::Mark;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::subject::Subject;

/// Fills channels, each in order, by batches on a few connections that wait for their answers while
/// the others go on.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    lanes: Vec<Lane<'a>>,
    next: usize,
    clock: Clock,
    /// Publications that were sent.
    pub(super) sent: u64,
}

/// One connection, and the channels that it fills in turn: of all, each so manieth.
#[derive(Debug)]
struct Lane<'a> {
    publisher: Publisher<'a>,
    channels: Range<u32>,
    step: usize,
    channel: u32,
    number: u32,
}

impl<'a> Filler<'a> {
    /// Connects, to fill these channels from their first publication on.
    ///
    /// # Errors
    /// If there is no connection to be had, or the server takes no batches.
    pub(super) fn connect(
        subject: &Subject,
        description: &'a Description,
        channels: Range<u32>,
        (size, clock): (usize, Clock),
    ) -> Result<Self> {
        let way = description.way("batch")?;
        let many = LANES.min(channels.len()).max(1);
        let mut lanes = Vec::new();
        for (place, first) in channels.clone().take(many).enumerate() {
            let publisher = Publisher::connect(subject, way, (place, first), size)?;
            let channels = first..channels.end;
            lanes.push(Lane { publisher, channels, step: many, channel: first, number: 0 });
        }
        Ok(Self { lanes, next: 0, clock, sent: 0 })
    }

    /// Sends the next batch, of so many publications at most, when the one before on its connection
    /// is answered.
    ///
    /// # Errors
    /// If one is refused.
    pub(super) fn step(&mut self, most: u64) -> Result<()> {
        let place = self.next % self.lanes.len().max(1);
        self.next = place + 1;
        let lane = self.lanes.get_mut(place).context("there are no channels to fill")?;
        lane.publisher.read_answers()?;
        let count = usize::try_from(most).unwrap_or(BATCH).min(BATCH);
        let nanos = self.clock.nanos();
        let marks: Vec<Mark> = (0..count).map(|_| lane.mark(nanos)).collect();
        self.sent += marks.len() as u64;
        lane.publisher.send(&marks)
    }

    /// Waits for the last answers.
    ///
    /// # Errors
    /// If one is a refusal.
    pub(super) fn finish(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.publisher.read_answers()?;
        }
        Ok(())
    }

    /// Sends so many and waits for the answers; `tell` is called in between. Gives the seconds.
    ///
    /// # Errors
    /// If one is refused.
    pub(super) fn fill(&mut self, count: u64, mut tell: impl FnMut(u64)) -> Result<f64> {
        let (begun, until) = (Instant::now(), self.sent + count);
        while self.sent < until {
            self.step(until - self.sent)?;
            tell(self.sent);
        }
        self.finish()?;
        Ok(begun.elapsed().as_secs_f64())
    }
}

impl Lane<'_> {
    fn mark(&mut self, nanos: u64) -> Mark {
        let mark = Mark { channel: self.channel, number: self.number, nanos };
        let step = u32::try_from(self.step).unwrap_or(1);
        self.channel = self.channel.saturating_add(step);
        if self.channel >= self.channels.end {
            (self.channel, self.number) = (self.channels.start, self.number + 1);
        }
        mark
    }
}

/// What Fanfare counts under a name.
///
/// # Errors
/// If it does not tell.
pub(super) fn counted(subject: &Subject, name: &str) -> Result<f64> {
    let text = ask(subject, "/metrics")?;
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let number = lines.filter_map(|rest| rest.trim().parse::<f64>().ok()).next();
    number.with_context(|| format!("the server tells no {name}"))
}

/// Waits until the server says that it is ready.
///
/// # Errors
/// If it does not.
pub(super) fn wait_until_ready(subject: &Subject) -> Result<()> {
    let until = Instant::now() + READY_MAX;
    loop {
        let answer = ask(subject, "/ready")?;
        if answer.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the server is not ready; it says: {answer}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ask(subject: &Subject, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(subject.address)?;
    stream.set_read_timeout(Some(READY_MAX))?;
    let host = &subject.host;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).with_context(|| format!("no answer to {path}"))?;
    Ok(text)
}

/// Connections that fill channels.
const LANES: usize = 4;

/// Publications of a batch.
const BATCH: usize = 500;

/// How long a server that listens may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
#[path = "stored_test.rs"]
mod tests;

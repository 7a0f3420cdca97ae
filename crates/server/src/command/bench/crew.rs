//! Publishers that each store the next publication as soon as the last one is acknowledged, on a
//! connection each: one thread and one poll for all of them.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::audience::name;
use super::connect::{Clock, connect};
use super::description::{Description, Store};
use super::exchange::{Exchange, Heard};
use super::histogram::Latencies;
use super::mark::Mark;
use super::subject::Subject;
use super::template::Values;

/// All publishers.
#[derive(Debug)]
pub(super) struct Crew<'a> {
    poll: Poll,
    events: Events,
    workers: Vec<Worker<'a>>,
    buffer: Vec<u8>,
    clock: Clock,
}

/// What they did in some time.
#[derive(Debug)]
pub(super) struct Work {
    /// From when a publication was sent to when its answer was read.
    pub(super) latencies: Latencies,
    /// Publications that were acknowledged.
    pub(super) count: u64,
    pub(super) nanos: u64,
}

#[derive(Debug)]
struct Worker<'a> {
    stream: TcpStream,
    exchange: Exchange<'a>,
    /// What it says to store one publication: always the same, so that saying it takes no time.
    request: Vec<u8>,
    sent: u64,
}

impl<'a> Crew<'a> {
    /// Connects so many, each to a channel of its own.
    ///
    /// # Errors
    /// If there is no connection to be had, or the server cannot be prepared.
    pub(super) fn connect(
        subject: &Subject,
        description: &'a Description,
        (count, size): (usize, usize),
        clock: Clock,
    ) -> Result<Self> {
        super::usage::need_files(count)?;
        if let Some(store) = &description.store {
            prepare(subject.address, store)?;
        }
        let mut crew = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            workers: Vec::with_capacity(count),
            buffer: vec![0; 64 * 1_024],
            clock,
        };
        for place in 0..count {
            let worker = Worker::connect(subject, description, (place, size))?;
            crew.workers.push(worker);
            let stream = &mut crew.workers.last_mut().context("no publisher")?.stream;
            crew.poll.registry().register(stream, Token(place), Interest::READABLE)?;
        }
        Ok(crew)
    }

    /// Has them publish for some time, and waits for the last answers.
    ///
    /// # Errors
    /// If something is refused, or nothing is answered for too long.
    pub(super) fn work(&mut self, time: Duration) -> Result<Work> {
        let mut work = Work { latencies: Latencies::new()?, count: 0, nanos: 0 };
        let begun = self.clock.nanos();
        let until = begun + u64::try_from(time.as_nanos())?;
        for worker in &mut self.workers {
            worker.send(self.clock.nanos())?;
        }
        let mut due = self.workers.len();
        while due > 0 {
            match self.poll.poll(&mut self.events, Some(ANSWER_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            if self.events.is_empty() {
                bail!("{due} publications are not answered after {} s", ANSWER_MAX.as_secs());
            }
            for event in &self.events {
                let Some(worker) = self.workers.get_mut(event.token().0) else { continue };
                if worker.read(&mut self.buffer)? == 0 {
                    continue;
                }
                // Each has one publication on its way, and so one answer.
                let now = self.clock.nanos();
                if now >= until {
                    due -= 1;
                    continue;
                }
                work.latencies.record(now.saturating_sub(worker.sent));
                work.count += 1;
                worker.send(now)?;
            }
        }
        work.nanos = until - begun;
        Ok(work)
    }
}

impl<'a> Worker<'a> {
    fn connect(
        subject: &Subject,
        description: &'a Description,
        (place, size): (usize, usize),
    ) -> Result<Self> {
        let (channel, mut payload) = (u32::try_from(place)?, Vec::new());
        Mark { channel, number: 0, nanos: 0 }.write(&mut payload, size);
        let channel = name(place);
        let values = Values {
            host: &subject.host,
            channel: &channel,
            payload: &payload,
            length: payload.len(),
            unique: place,
            ..Values::default()
        };
        let mut request = Vec::new();
        let (address, exchange, hello) = match &description.store {
            Some(store) => {
                let mut hello = Vec::new();
                Store::say(&store.connect, &mut hello, &values);
                Store::say(&store.publish, &mut request, &values);
                (subject.address, Exchange::lines(store), hello)
            }
            None => {
                let way = description.way("post")?;
                way.request.fill(&mut request, &values);
                (subject.publish_address(way)?, Exchange::http(way), Vec::new())
            }
        };
        let socket = connect(address, place)?;
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket.into());
        // A socket that is new has room for it.
        stream.write_all(&hello)?;
        Ok(Self { stream, exchange, request, sent: 0 })
    }

    fn send(&mut self, now: u64) -> Result<()> {
        self.sent = now;
        // The one before was answered, so its socket is empty.
        self.stream.write_all(&self.request).context("a publisher's connection broke")
    }

    /// Reads what there is; says how many answers were in it.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut answers = 0;
        loop {
            let bytes = match self.stream.read(buffer) {
                Ok(0) => bail!("the server ended a publisher's connection"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(answers),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("no answer to a publication"),
            };
            let came = buffer.get(..bytes).unwrap_or_default();
            let Heard { answers: more, reply } = self.exchange.take(came)?;
            answers += more;
            if !reply.is_empty() {
                self.stream.write_all(&reply).context("a publisher's connection broke")?;
            }
            // Whoever reads on would find nothing, nearly always, and what comes later wakes again.
            if bytes < buffer.len() {
                return Ok(answers);
            }
        }
    }
}

/// Says what has to be said before anybody stores anything.
fn prepare(address: SocketAddr, store: &Store) -> Result<()> {
    if store.prepare.is_empty() {
        return Ok(());
    }
    let mut stream: std::net::TcpStream = connect(address, 0)?.into();
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut out = Vec::new();
    Store::say(&store.prepare, &mut out, &Values::default());
    stream.write_all(&out)?;
    let (mut said, mut buffer) = (String::new(), vec![0; 4_096]);
    while !said.contains(&store.prepared) || !said.ends_with('\n') {
        let bytes = stream.read(&mut buffer).context("no answer to the preparation")?;
        said.push_str(&String::from_utf8_lossy(buffer.get(..bytes).unwrap_or_default()));
        if bytes == 0 || said.contains("\"error\"") {
            bail!("it cannot be prepared; it said: {said}");
        }
    }
    Ok(())
}

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);

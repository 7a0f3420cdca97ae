//! One run: each transport in turn, direct and through the proxy.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::cell::{Cell, Route, Steady};
use super::crowd::Crowd;
use super::figures::{Sum, Times};
use super::flags::Flags;
use super::kind::Kind;
use super::line::Door;
use super::newcomer;
use super::proxy::Proxy;
use super::publishing::{Plan, Publishing};
use crate::command::bench::connect::Clock;
use crate::command::bench::description::Description;
use crate::command::bench::mark::CHANNELS_MAX;
use crate::command::bench::progress::Progress;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::series::per;
use crate::command::bench::subject::{Start, Subject};
use crate::command::bench::usage::{need_files, own_thread_cpu};

/// What all measurements work with.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) flags: &'a Flags,
    pub(super) runtime: Runtime,
    pub(super) clock: Clock,
    pub(super) progress: Progress,
    pub(super) notes: Vec<String>,
    /// What is being measured.
    phase: String,
    description: Description,
    /// The first channel that is used; a server that runs already may know others.
    pub(super) first_channel: u32,
}

impl<'a> Run<'a> {
    /// Nothing has been measured.
    ///
    /// # Errors
    /// If there is no runtime to be had.
    pub(super) fn new(flags: &'a Flags) -> Result<Self> {
        let channels = CHANNELS_MAX - u32::try_from(Kind::ALL.len())?;
        let first_channel = if flags.url.is_some() { fastrand::u32(0..channels) } else { 0 };
        // A connection through the proxy has three ends in this process.
        let files = 3 * flags.idle().max(flags.subscribers() * Kind::ALL.len());
        need_files(files).context("here that is: fewer --subscribers, or fewer --idle")?;
        Ok(Self {
            flags,
            runtime: crate::command::runtime()?,
            clock: Clock::start(),
            progress: Progress::new(),
            notes: Vec::new(),
            phase: String::new(),
            description: Description::fanfare()?,
            first_channel,
        })
    }

    /// Measures all cells.
    ///
    /// # Errors
    /// The first of a measurement.
    pub(super) fn cells(&mut self) -> Result<Vec<Cell>> {
        let through = Route { name: "proxy", conditions: Some(self.flags.conditions()) };
        let routes = [Route { name: "direct", conditions: None }, through];
        let mut cells = Vec::new();
        for route in routes {
            let mut steady = Vec::new();
            for kind in Kind::ALL {
                self.begin(format!("{}, {}", route.name, kind.name()));
                let found = self.steady(route, kind);
                steady.push(found.with_context(|| self.phase.clone())?);
            }
            self.begin(format!("{}, cuts", route.name));
            let cuts = self.cuts(route);
            let cuts = cuts.with_context(|| self.phase.clone())?;
            let all = Kind::ALL.into_iter().zip(steady).zip(cuts);
            cells.extend(
                all.map(|((kind, steady), cuts)| Cell::new((route.name, kind), steady, cuts)),
            );
        }
        Ok(cells)
    }

    fn begin(&mut self, phase: String) {
        self.progress.phase(format!("{phase}:"));
        self.phase = phase;
    }

    /// Starts a server, or takes the one that runs.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn subject(&self) -> Result<Subject> {
        if let Some(url) = self.flags.url.as_deref() {
            return Subject::running(url, self.flags.pid.clone());
        }
        // Nobody who is cut for seconds shall come back too late.
        let environment =
            [("FANFARE_HISTORY__COUNT", "100000"), ("FANFARE_HISTORY__BYTES", "1GiB")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let start = Start { environment: environment.to_vec(), shards: 1, ..Start::default() };
        Subject::start(&self.description, &start)
    }

    /// Where subscribers of this transport go.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn door(
        &self,
        subject: &Subject,
        proxy: Option<&Proxy>,
        (kind, channel): (Kind, u32),
    ) -> Result<Door> {
        Ok(Door {
            kind,
            request: kind.request()?,
            address: proxy.map_or(subject.address, |proxy| proxy.address),
            host: subject.host.clone(),
            channel,
            payload_bytes: self.flags.size,
            clock: self.clock,
        })
    }

    /// Has `work` done while a thread publishes what it is told to.
    ///
    /// # Errors
    /// If the work fails, or a publication is refused.
    pub(super) fn while_publishing<T>(
        &mut self,
        subject: &Subject,
        channels: Vec<u32>,
        work: impl AsyncFnOnce(&Self, &Publishing<'_>) -> Result<T>,
    ) -> Result<T> {
        let first = channels.first().copied().unwrap_or_default();
        let way = self.description.way("post")?;
        let publisher = Publisher::connect(subject, way, (0, first), self.flags.size)?;
        let plan = Plan { channels, rate: self.flags.rate, clock: self.clock };
        let (outcome, late) = thread::scope(|scope| {
            let publishing = Publishing::start(scope, publisher, plan)?;
            let outcome = self.runtime.block_on(work(self, &publishing));
            // If the thread has failed, the work has failed for that reason.
            anyhow::Ok((outcome, publishing.end()?))
        })?;
        let late = Duration::from_nanos(late.at(0.99));
        if late > LATE_MAX {
            self.note(format!(
                "one publication in a hundred was {} ms late: this client had too little time",
                late.as_millis()
            ));
        }
        outcome
    }

    /// Tells a reader of the report something of what is being measured.
    fn note(&mut self, what: String) {
        self.notes.push(format!("{}: {what}", self.phase));
    }

    /// How long it takes until what is on its way has arrived, and its answer too.
    pub(super) fn settling(&self, route: Route) -> Duration {
        let conditions = route.conditions.unwrap_or_default();
        let held = conditions.hold.map_or(Duration::ZERO, |hold| hold.time);
        4 * conditions.delay + held + SETTLE
    }

    /// Measures everything but cuts, of one transport.
    fn steady(&mut self, route: Route, kind: Kind) -> Result<Steady> {
        let subject = self.subject()?;
        let start = |conditions| Proxy::start(subject.address, conditions);
        let proxy = route.conditions.map(start).transpose()?;
        let door = self.door(&subject, proxy.as_ref(), (kind, self.first_channel))?;
        let settling = self.settling(route);
        let memory = self.memory(&subject, &door, settling)?;
        let (began, own) = (Instant::now(), own_thread_cpu()?);
        let channels = vec![door.channel];
        let steady = self.while_publishing(&subject, channels, async |run, publishing| {
            let mut crowd = Crowd::open(door.clone(), run.flags.subscribers()).await?;
            let mut steady = run.deliver(&subject, &mut crowd, publishing, settling).await?;
            publishing.go_on()?;
            let taken = newcomer::send(&door, run.flags.newcomers()).await?;
            let sent = publishing.halt().await?;
            crowd.books().open().expect(sent);
            crowd.drain().await?;
            steady.take(&taken)?;
            let books = crowd.books().open();
            (steady.tally, steady.gaps) = (books.tally(), books.gaps);
            steady.tally.disconnected += books.losses;
            Ok(steady)
        })?;
        let share = (own_thread_cpu()? - own) as f64 / began.elapsed().as_nanos() as f64;
        if share > CLIENT_SHARE_MAX {
            let percent = share * 100.0;
            self.note(format!(
                "this client was busy for {percent:.0} % of the time, and its work is in the figures: \
                 ask for a lower --rate"
            ));
        }
        Ok(Steady { memory, ..steady })
    }

    /// Publishes at the rate to a crowd, and counts bytes, CPU and delays.
    async fn deliver(
        &self,
        subject: &Subject,
        crowd: &mut Crowd,
        publishing: &Publishing<'_>,
        settling: Duration,
    ) -> Result<Steady> {
        let sent = publishing.send(WARM_UP).await?;
        crowd.books().open().expect(sent);
        crowd.drain().await?;
        sleep(settling).await;
        let cpu = subject.cpu()?;
        let before = {
            let mut books = crowd.books().open();
            books.record()?;
            books.delivered()
        };
        let sent = publishing.send(self.flags.rounds()).await?;
        crowd.books().open().expect(sent);
        crowd.drain().await?;
        sleep(settling).await;
        let cpu = subject.cpu()?.zip(cpu).map(|(now, before)| now.saturating_sub(before));
        let mut books = crowd.books().open();
        let deliveries = books.delivered() - before;
        let delays = books.recorded().context("delays were written down")?;
        Ok(Steady {
            bytes_down: per(books.traffic.down, deliveries),
            bytes_up: per(books.traffic.up, deliveries),
            cpu: cpu.map(|cpu| per(cpu, deliveries) / 1e3),
            delivery_p50: delays.at(0.5) as f64 / 1e6,
            delivery_p99: delays.at(0.99) as f64 / 1e6,
            ..Steady::default()
        })
    }

    /// The user memory of an idle connection, after a few have come and gone; `None` if nobody said
    /// which processes the server has.
    fn memory(&self, subject: &Subject, door: &Door, settling: Duration) -> Result<Option<f64>> {
        let idle = self.flags.idle();
        self.runtime.block_on(async {
            drop(Crowd::open(door.clone(), FIRST_FEW).await?);
            sleep(settling).await;
            let _rests = subject.cpu()?;
            let Some(before) = subject.memory()? else {
                return Ok(None);
            };
            let _idle = Crowd::open(door.clone(), idle).await?;
            sleep(settling).await;
            let _rests = subject.cpu()?;
            let after = subject.memory()?.context("the memory was told before")?;
            let grown = after.private.saturating_sub(before.private);
            Ok(Some(per(grown, idle as u64)))
        })
    }
}

impl Steady {
    /// Takes what newcomers found.
    ///
    /// # Errors
    /// None but a mistake of ours.
    fn take(&mut self, taken: &newcomer::Taken) -> Result<()> {
        let of = |nanos: &[u64]| Times::of(nanos).context("newcomers bring figures");
        self.connect = of(&taken.connect)?;
        self.transfer = of(&taken.transfer)?;
        self.push = of(&taken.push)?;
        self.total = of(&taken.total)?;
        self.sum = Sum::of([&self.connect, &self.transfer, &self.push], &self.total);
        Ok(())
    }
}

/// Publications before anything is counted.
const WARM_UP: u64 = 3;
/// Connections that come and go before memory is read.
const FIRST_FEW: usize = 10;
const SETTLE: Duration = Duration::from_millis(50);
/// How late one publication in a hundred may be.
const LATE_MAX: Duration = Duration::from_millis(5);
/// The share of the time that the thread that reads may be busy.
const CLIENT_SHARE_MAX: f64 = 0.9;

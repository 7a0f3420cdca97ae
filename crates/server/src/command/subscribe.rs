//! `fanfare sub`: prints the messages of channels as they come, and comes back when it is cut off.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, sleep_until};

use super::client::backoff::Backoff;
use super::client::continuity::{Continuity, Verdict, missed};
use super::client::failure::Failure;
use super::client::frame::{Frame, Gap};
use super::client::message::Message;
use super::client::position::Position;
use super::client::resumption::{Proof, Resumption};
use super::client::stream::{Plan, Stream, Transport};
use super::client::target::{Target, TargetFlags};
use super::line::{Look, LookFlags, render};
use super::{duration, output, presence, runtime};
use crate::exit::Exit;

/// What `sub` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The channels, up to 64.
    #[arg(required = true, num_args = 1..=64, value_name = "CHANNEL")]
    channels: Vec<String>,
    /// What carries the messages; the lines are the same over each.
    #[arg(long, value_enum, default_value_t = Transport::Ws)]
    transport: Transport,
    /// Where to begin: now, all, last:20, 10m, a time, a cursor or offset.epoch [default: now].
    #[arg(long, value_name = "WHERE")]
    since: Option<String>,
    /// Tell who comes and goes, too.
    #[arg(long)]
    presence: bool,
    /// Come as this client, by which others know it from others.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Tell others this of oneself.
    #[arg(long, value_name = "JSON")]
    info: Option<String>,
    /// Print only what is newest, at most so often a second: 1, 2, 5, 10, 20 or 50.
    #[arg(long, value_name = "N")]
    max_rate: Option<String>,
    /// End after so many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    #[command(flatten)]
    look: LookFlags,
    #[command(flatten)]
    target: TargetFlags,
}

/// Prints until there have been enough messages, the time is over, all channels have ended or
/// Ctrl-C is pressed.
///
/// # Errors
///
/// The server cannot be reached at first, or refuses.
pub(crate) fn run(flags: Flags) -> Result<Exit> {
    let target = flags.target.target()?;
    if flags.presence && flags.transport == Transport::Poll {
        let why = "a poll is not told who comes and goes; use another --transport, or `presence`";
        return Err(Failure::Usage(why.to_owned()).into());
    }
    if flags.max_rate.is_some() && flags.transport == Transport::Poll {
        let what = "--max-rate sets the pace of a stream: use another --transport than poll";
        return Err(Failure::Usage(what.to_owned()).into());
    }
    let look = flags.look.look(flags.channels.len());
    // A time beyond what a clock can tell is no deadline.
    let deadline = flags.time.and_then(|time| Instant::now().checked_add(time));
    let counted = flags.count.is_some();
    let mut reading = Reading {
        target,
        look,
        presence: flags.presence(),
        left: flags.count,
        flags,
        position: Position::default(),
        continuity: Continuity::default(),
        backoff: Backoff::default(),
        resumption: Resumption::default(),
    };
    runtime()?.block_on(async {
        tokio::select! {
            outcome = reading.follow() => outcome,
            () = until(deadline) => Ok(if counted { Exit::Failure } else { Exit::Success }),
            pressed = tokio::signal::ctrl_c() => {
                pressed.context("cannot listen for Ctrl-C")?;
                Ok(Exit::Success)
            }
        }
    })
}

/// The words about a gap.
pub(super) fn told(gap: &Gap) -> String {
    let many = match missed(gap) {
        Some(1) => "1 missed".to_owned(),
        Some(many) => format!("up to {many} missed"),
        None => "unknown how many missed".to_owned(),
    };
    let place = |position: &Option<String>| position.clone().unwrap_or_else(|| "?".to_owned());
    format!(
        "gap: {} from {} to {} ({}), {many}",
        gap.channel,
        place(&gap.from),
        place(&gap.to),
        gap.reason
    )
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl Flags {
    /// The parameters of the query that say as whom to come.
    fn presence(&self) -> Vec<(&'static str, String)> {
        let told = self.presence.then(|| ("presence", "1".to_owned()));
        let client = self.client.clone().map(|client| ("client", client));
        let info = self.info.clone().map(|info| ("info", info));
        told.into_iter().chain(client).chain(info).collect()
    }
}

struct Reading {
    target: Target,
    flags: Flags,
    look: Look,
    presence: Vec<(&'static str, String)>,
    left: Option<u64>,
    position: Position,
    continuity: Continuity,
    backoff: Backoff,
    resumption: Resumption,
}

impl Reading {
    async fn follow(&mut self) -> Result<Exit> {
        if self.left == Some(0) {
            return Ok(Exit::Success);
        }
        let mut met = false;
        loop {
            let failure = match self.stream(&mut met).await? {
                Ok(exit) => return Ok(exit),
                Err(failure) => failure,
            };
            if !failure.may_retry() || !met {
                return Err(failure.into());
            }
            let wait = self.backoff.next(fastrand::f64());
            let wait = failure.retry_after().map_or(wait, |told| told.max(wait));
            let millis = wait.as_millis();
            output::note(&format!("{failure}; coming back in {millis} ms"));
            sleep(wait).await;
            self.resumption.cut(&self.flags.channels);
        }
    }

    /// Reads one stream to its end. `met` is set as soon as the server has answered once.
    async fn stream(&mut self, met: &mut bool) -> Result<Result<Exit, Failure>> {
        let plan = Plan {
            channels: &self.flags.channels,
            since: self.flags.since.as_deref(),
            presence: &self.presence,
            cursor: self.position.cursor(),
            max_rate: self.flags.max_rate.as_deref(),
        };
        let mut stream = match Stream::open(&self.target, self.flags.transport, &plan).await {
            Ok(stream) => stream,
            Err(failure) => return Ok(Err(failure)),
        };
        loop {
            let frame = match stream.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(Err(Failure::Lost("the stream ended".to_owned()))),
                Err(failure) => return Ok(Err(failure)),
            };
            *met = true;
            if let Some(exit) = self.take(frame)? {
                return Ok(Ok(exit));
            }
        }
    }

    /// Takes one frame; gives the exit if it was the last.
    fn take(&mut self, frame: Frame) -> Result<Option<Exit>> {
        match frame {
            Frame::Open(open) => {
                self.backoff.reset();
                self.resumption.opened(Instant::now().into_std());
                self.continuity.opened(&open);
                self.position.set_entries(open.entries());
            }
            Frame::Cursor(cursor) => self.position.set_whole(&cursor),
            Frame::Own(entry) => self.position.set_own(&entry.channel, &entry.cursor),
            Frame::Message(message) => return self.message(&message),
            Frame::Gap(gap) => {
                self.continuity.gap(&gap);
                self.resumption.missed();
                output::note(&told(&gap));
            }
            Frame::News(news) if self.look == Look::Json => {
                output::line(&presence::told_json(&news)?)?;
            }
            Frame::News(news) => output::note(&presence::told(&news)),
            Frame::End(channel) => return Ok(self.ended(&channel)),
            Frame::Lost(channel, why) => {
                self.flags.channels.retain(|reading| *reading != channel);
                if self.flags.channels.is_empty() {
                    return Err(why.into());
                }
                output::note(&format!("{channel}: {why}"));
            }
            Frame::Current => say_resumed(self.resumption.current()),
            Frame::Alive => say_resumed(self.resumption.alive(Instant::now().into_std())),
            Frame::Retry(wait) => self.backoff.told(wait),
            Frame::Finished => {
                say_resumed(self.resumption.current());
                return Ok(Some(Exit::Success));
            }
        }
        Ok(None)
    }

    fn message(&mut self, message: &Message) -> Result<Option<Exit>> {
        match self.continuity.message(message) {
            Verdict::Continuous => say_resumed(self.resumption.proven(&message.channel)),
            Verdict::Unplaced => {}
            // No loss, since it was declared; but nothing to say "0 missed" about either.
            Verdict::Skipped => self.resumption.missed(),
            Verdict::Untold(why) => {
                self.resumption.missed();
                output::note(&format!("gap: untold by the server: {why}"));
            }
            Verdict::Duplicate => {
                let offset = message.offset.unwrap_or_default();
                output::note(&format!("left out: {} {offset} came twice", message.channel));
                return Ok(None);
            }
        }
        output::data(&render(message, self.look)?)?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok((self.left == Some(0)).then_some(Exit::Success))
    }

    fn ended(&mut self, channel: &str) -> Option<Exit> {
        say_resumed(self.resumption.proven(channel));
        output::note(&format!("end: {channel}"));
        self.flags.channels.retain(|reading| reading != channel);
        self.flags.channels.is_empty().then_some(Exit::Success)
    }
}

/// Says that nothing was missed, when that has just been proven.
fn say_resumed(proof: Proof) {
    if proof == Proof::Complete {
        output::note("resumed, 0 missed");
    }
}

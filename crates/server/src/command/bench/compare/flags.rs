//! What can be typed after `fanfare compare`.

use std::path::PathBuf;
use std::time::Duration;

use super::proxy::{Conditions, Hold};
use crate::command::bench::flags::size;
use crate::command::duration;
use crate::config::quantity::{parse_bytes, parse_duration};

/// What `compare` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Flags {
    /// Subscribers of each transport.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscribers: u32,
    /// The payload of a publication.
    #[arg(long, value_name = "BYTES", default_value = "128", value_parser = size)]
    pub(super) size: usize,
    /// Publications a second.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) rate: u32,
    /// How long the proxy delays each way.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = delay)]
    pub(super) delay: Duration,
    /// Have the proxy hold answers back until so much of them has come, they are whole, or a second
    /// is over.
    #[arg(long, value_name = "BYTES", value_parser = buffer)]
    buffer: Option<usize>,
    /// How long the rate is kept while CPU and bytes are counted.
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(super) time: Duration,
    /// Newcomers for each of C, R with P, and T.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(5..=1_000))]
    newcomers: u32,
    /// Idle connections by whose memory that of one is told.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    idle: u32,
    /// A server that runs already and lets anyone publish; without it, one is started for each
    /// measurement.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// The processes of such a server, whose CPU and memory are then told with their children's;
    /// may be repeated.
    #[arg(long, value_name = "PID", requires = "url")]
    pub(super) pid: Vec<u32>,
    /// Print the report as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Write the report as a page to a file.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
}

impl Flags {
    /// Subscribers of each transport.
    pub(super) fn subscribers(&self) -> usize {
        self.subscribers as usize
    }

    /// Newcomers for each time.
    pub(super) fn newcomers(&self) -> usize {
        self.newcomers as usize
    }

    /// Idle connections.
    pub(super) fn idle(&self) -> usize {
        self.idle as usize
    }

    /// What the proxy does.
    pub(super) fn conditions(&self) -> Conditions {
        let hold = self.buffer.map(|bytes| Hold { bytes, time: HOLD_MAX });
        Conditions { delay: self.delay, hold }
    }

    /// How often the rate's publications are sent while CPU and bytes are counted.
    pub(super) fn rounds(&self) -> u64 {
        let milliseconds = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        (milliseconds.saturating_mul(self.rate.into()) / 1_000).max(1)
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|delay| *delay <= DELAY_MAX)
        .ok_or_else(|| "write a time up to 500ms, such as 50ms".to_owned())
}

fn buffer(text: &str) -> Result<usize, String> {
    let bytes = parse_bytes(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes
        .filter(|bytes| (1..=BUFFER_MAX).contains(bytes))
        .ok_or_else(|| "write a number of bytes up to 1MiB, such as 4KiB".to_owned())
}

/// A heartbeat has to arrive before its client takes the connection for dead.
const DELAY_MAX: Duration = Duration::from_millis(500);
const HOLD_MAX: Duration = Duration::from_secs(1);
const BUFFER_MAX: usize = 1 << 20;

#[cfg(test)]
#[path = "flags_test.rs"]
mod tests;

//! What every scenario takes on the command line.

use std::path::PathBuf;
use std::time::Duration;

use super::mark;
use crate::command::duration;
use crate::config::quantity::parse_bytes;

/// The flags that all scenarios share.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Flags {
    /// Whom to measure: `fanfare`, or the description of another server, such as
    /// benches/rivals/nchan.toml; may be repeated, and all take turns.
    #[arg(long, value_name = "FILE", default_value = "fanfare")]
    pub(super) server: Vec<String>,
    /// A server that runs already; without it, it is started for each measurement.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// The processes of such a server, whose CPU and memory are then told with their children's;
    /// may be repeated.
    #[arg(long, value_name = "PID", requires = "url")]
    pub(super) pid: Vec<u32>,
    /// Measure a bare epoll loop in the same run, and tell everything as a multiple of it.
    #[arg(long)]
    pub(super) floor: bool,
    /// Connections [default: the scenario's own].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Option<u32>,
    /// Measurements of each figure, of which the median is told [default: the scenario's own].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,
    /// How subscribers listen: sse, ndjson, raw, v1, or what a description calls them; a list
    /// [default: the scenario's own].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    transport: Vec<String>,
    /// The payload of a publication.
    #[arg(long, value_name = "BYTES", default_value = "128", value_parser = size)]
    pub(super) size: usize,
    /// Shards of a Fanfare that is started.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) shards: usize,
    /// What to add to a subscription's query, such as `presence=1&client=c{unique}`.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) query: String,
    /// A variable for a server that is started; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,
    /// How long nothing may happen before what is missing is given up as lost.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) patience: Duration,
    /// Tell figures even if this client was the bottleneck; the report says so.
    #[arg(long)]
    pub(super) tolerate_busy_client: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Write the charts to a file.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
}

impl Flags {
    /// Connections, if nobody said how many.
    pub(super) fn connections(&self, default: usize) -> usize {
        self.connections.and_then(|count| usize::try_from(count).ok()).unwrap_or(default)
    }

    /// Rounds, if nobody said how many.
    pub(super) fn rounds(&self, default: usize) -> usize {
        self.rounds.and_then(|count| usize::try_from(count).ok()).unwrap_or(default)
    }

    /// Transports, if nobody said which.
    pub(super) fn transports(&self, default: &[&str]) -> Vec<String> {
        if self.transport.is_empty() {
            return default.iter().map(|name| (*name).to_owned()).collect();
        }
        self.transport.clone()
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = parse_bytes(text).and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.ok_or("write a number of bytes, such as 128 or 16KiB")?;
    if (mark::BYTES..=SIZE_MAX).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!(
            "a payload has from {} bytes, for its number and time, to {SIZE_MAX}",
            mark::BYTES
        ))
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Bytes of a payload at most: what Fanfare takes.
pub(super) const SIZE_MAX: usize = 1 << 20;

//! Settings as the server uses them: typed, complete and checked against each other (by
//! `building`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fanfare_protocol::native::alias::Alias;
use fanfare_protocol::native::route::Compression;

/// The ways to run a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For one's own machine: loopback only, no authentication, no rates limited.
    Dev,
    /// As `dev`, with working pages to look at and to copy.
    Demo,
    /// For everyone else.
    Serve,
}

impl Mode {
    /// The command that runs it so.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Demo => "demo",
            Self::Serve => "serve",
        }
    }
}

/// What the machine gives, found out once at start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Cores this process may use; at least 1.
    pub(crate) cores: usize,
    /// Files this process may have open.
    pub(crate) open_files: u64,
}

/// Everything a server needs to know before it starts.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `dev`, `demo` or `serve`.
    pub(crate) mode: Mode,
    /// At least one address; loopback only but in `serve`. Port 0 asks for any free port.
    pub(crate) listen: Vec<SocketAddr>,
    /// Where TLS is spoken beside `listen`.
    pub(crate) tls: Tls,
    /// Threads that own connections and channels; 1 to 256.
    pub(crate) shards: usize,
    /// The URL under which browsers reach the server, without a trailing slash.
    pub(crate) public_url: Option<String>,
    /// `Host` values that are answered, in lower case; empty: any in `serve`, else loopback.
    pub(crate) hosts: Vec<String>,
    /// Allowed foreign origins, in lower case, without a trailing slash.
    pub(crate) origins: Vec<String>,
    /// Paths that stand for URLs of channels.
    pub(crate) routes: Vec<Alias>,
    /// Who may publish.
    pub(crate) auth: Auth,
    /// Bounds on everything a client can make grow.
    pub(crate) limits: Limits,
    /// What holds for the channels of no namespace.
    pub(crate) rest: ChannelRules,
    /// What holds for those of each namespace; no two have one prefix.
    pub(crate) namespaces: Vec<Namespace>,
    /// Members of a channel up to which its readers are told who comes and goes; at most
    /// `limits.presence_members_max`.
    pub(crate) presence_told_max: usize,
    /// Where history is kept.
    pub(crate) engine: Engine,
    /// How the log keeps it.
    pub(crate) storage: Storage,
    /// How long an idempotency key is remembered.
    pub(crate) idempotency_window: Duration,
    /// 5 to 60 seconds.
    pub(crate) heartbeat: Duration,
    /// The `retry:` an event stream starts with lies in this range.
    pub(crate) retry: Jitter,
    /// What is compressed for readers who can take it.
    pub(crate) compression: Compression,
    /// How the server leaves.
    pub(crate) drain: Drain,
    /// Log lines.
    pub(crate) log: Log,
    /// Files this process may have open, told at start.
    pub(crate) open_files: u64,
}

/// Where TLS is spoken.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// No address: nowhere.
    pub(crate) listen: Vec<SocketAddr>,
    /// What is shown there; at least one if there is an address.
    pub(crate) certificates: Vec<CertificateFiles>,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// PEM: the certificate, then those that lead to its root.
    pub(crate) certificate: PathBuf,
    /// PEM: its private key.
    pub(crate) key: PathBuf,
}

/// Who may publish.
#[derive(Clone)]
pub(crate) struct Auth {
    /// Keys that may publish. In `dev` anyone may, whatever stands here.
    pub(crate) publisher_keys: Vec<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Auth").field("publisher_keys", &self.publisher_keys.len()).finish()
    }
}

/// The channels with one prefix and what holds for them.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    /// What its table is called.
    pub(crate) name: String,
    /// What the names of its channels begin with.
    pub(crate) prefix: String,
    /// What holds for them.
    pub(crate) rules: ChannelRules,
}

/// What holds for channels.
#[derive(Debug, Clone)]
pub(crate) struct ChannelRules {
    /// What is kept of each.
    pub(crate) history: History,
    /// When a publish is acknowledged.
    pub(crate) durability: Durability,
    /// What happens to a reader that is too slow.
    pub(crate) slow_reader: SlowReader,
    /// Whether it is known who reads them.
    pub(crate) presence: bool,
    /// Whether anyone may read them; always in `dev`.
    pub(crate) anonymous_subscribe: bool,
    /// Whether anyone may publish to them; always in `dev`.
    pub(crate) anonymous_publish: bool,
    /// Whether the frames of WebSockets may publish to them.
    pub(crate) client_publish: bool,
    /// What every user may do with them, in the words of a token's grants.
    pub(crate) users: Vec<String>,
}

/// Bounds on everything a client can make grow; sizes in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// One payload, 1 KiB to 32 MiB.
    pub(crate) payload_bytes_max: usize,
    /// Connections at one time, pending handshakes included.
    pub(crate) connections_max: usize,
    /// Connections without a first request.
    pub(crate) handshakes_max: usize,
    /// A request line with its headers.
    pub(crate) request_head_bytes_max: usize,
    /// A request head, from its first byte to its last.
    pub(crate) request_head_timeout: Duration,
    /// What must arrive of a body in every `request_body_progress_timeout`.
    pub(crate) request_body_progress_bytes: usize,
    /// See `request_body_progress_bytes`.
    pub(crate) request_body_progress_timeout: Duration,
    /// Channels on this node.
    pub(crate) channels_max: usize,
    /// Channels of one connection, 1 to 64.
    pub(crate) channels_per_connection_max: usize,
    /// Permits for publications, per node.
    pub(crate) publishes_in_flight_max: usize,
    /// Payload bytes of publications in flight, per node; at least one payload.
    pub(crate) publishes_in_flight_bytes_max: usize,
    /// History pages on their way, per shard.
    pub(crate) pages_bytes_max: usize,
    /// Idempotency keys remembered, per node.
    pub(crate) idempotency_keys_max: usize,
    /// Members of one channel that are listed.
    pub(crate) presence_members_max: usize,
    /// Publications in memory where the engine keeps all of them, per node.
    pub(crate) history_memory_bytes_max: usize,
}

/// Where history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// In memory alone.
    Memory,
    /// In the log, see [`Storage`].
    Log,
}

/// When a publish is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When the disk has it.
    Sync,
    /// When the operating system has it.
    Os,
    /// At once.
    None,
}

/// How the log keeps history; sizes in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// Where it is.
    pub(crate) directory: PathBuf,
    /// One file; at least two payloads.
    pub(crate) segment_bytes: u64,
    /// All files; at least eight segments.
    pub(crate) bytes_max: u64,
    /// How fast what lives in old files is copied.
    pub(crate) copy_bytes_per_second: u64,
    /// Threads that read.
    pub(crate) readers: usize,
    /// Whether a damaged part keeps the server from starting.
    pub(crate) refuses_corruption: bool,
    /// What is kept in memory of each channel.
    pub(crate) memory: History,
}

/// What is kept of a channel.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Publications, at least 1.
    pub(crate) count: usize,
    /// Bytes; the newest publication is kept even if it is larger.
    pub(crate) bytes: usize,
    /// Age of a publication.
    pub(crate) age: Duration,
}

/// What happens to a reader that is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlowReader {
    /// It is paged from history and told what is gone.
    Recover,
    /// It skips to the newest.
    Latest,
    /// Its connection is closed.
    Disconnect,
}

/// A range from which a random duration is drawn; `min <= max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jitter {
    /// The shortest.
    pub(crate) min: Duration,
    /// The longest.
    pub(crate) max: Duration,
}

/// How the server leaves.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    /// The time over which connections are asked to leave; zero: all at once.
    pub(crate) window: Duration,
    /// The `retry:` that they are told.
    pub(crate) retry: Jitter,
}

/// Log lines.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// How they look.
    pub(crate) format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

//! Settings as the server uses them: typed, complete and checked against each other (by
//! `building`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fanfare_core::happening::Wishes;
use fanfare_protocol::native::alias::Alias;
use fanfare_protocol::native::route::Compression;

use super::quantity::Rate;
use crate::auth::grant::{Grants, Rights};
use crate::auth::key::KeyHash;
use crate::auth::token::Algorithms;
use crate::hooks::events::Terms;
use crate::hooks::{Endpoint, Secret};
use crate::limit::{Each, Proxies};

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
    /// What the application's backend is asked and told.
    pub(crate) hooks: Hooks,
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
    /// The proxies in front of this server.
    pub(crate) proxies: Proxies,
    /// Where operators are answered apart from others; loopback only but in `serve`.
    pub(crate) admin_listen: Vec<SocketAddr>,
    /// Files this process may have open, told at start.
    pub(crate) open_files: u64,
}

/// Where TLS is spoken.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// No address: nowhere.
    pub(crate) listen: Vec<SocketAddr>,
    /// What is shown there; at least one if there is an address and no `acme`.
    pub(crate) certificates: Vec<CertificateFiles>,
    /// Who issues another one.
    pub(crate) acme: Option<Acme>,
}

/// Who issues a certificate, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Acme {
    /// At least one, in lower case.
    pub(crate) domains: Vec<String>,
    /// The authority's directory, an https URL.
    pub(crate) url: String,
    /// Whom the authority may write to.
    pub(crate) contact: Option<String>,
    /// Whom to believe to be the authority; none: whom the system believes.
    pub(crate) ca: Option<PathBuf>,
    /// Where the account and what was issued are kept.
    pub(crate) folder: PathBuf,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// PEM: the certificate, then those that lead to its root.
    pub(crate) certificate: PathBuf,
    /// PEM: its private key.
    pub(crate) key: PathBuf,
}

/// What shows who somebody is.
#[derive(Clone)]
pub(crate) struct Auth {
    /// Keys that grant everything. In `dev` anyone may, whatever stands here.
    pub(crate) publisher_keys: Vec<String>,
    /// The cookie that may hold a token.
    pub(crate) cookie: Option<String>,
    /// Whether the query may.
    pub(crate) query_token: bool,
    /// How long before its token expires a reader is told.
    pub(crate) expiry_notice: Duration,
    /// How long it may stay after that.
    pub(crate) expiry_grace: Duration,
    /// Keys that have names.
    pub(crate) keys: Vec<NamedKey>,
    /// Issuers of tokens; no two have one `issuer`.
    pub(crate) issuers: Vec<Issuer>,
    /// The longest token that is looked at, in bytes.
    pub(crate) token_bytes_max: usize,
    /// Tokens that are remembered with what was found out about them.
    pub(crate) tokens_remembered_max: usize,
}

/// A publisher's key that has a name.
#[derive(Debug, Clone)]
pub(crate) struct NamedKey {
    /// What its table is called.
    pub(crate) name: String,
    /// The hash of its secret.
    pub(crate) hash: KeyHash,
    /// What it grants.
    pub(crate) grants: Grants,
}

/// An issuer of tokens.
#[derive(Clone)]
pub(crate) struct Issuer {
    /// What its table is called.
    pub(crate) name: String,
    /// What its tokens say in `iss`; none: nothing.
    pub(crate) issuer: Option<String>,
    /// One of these they have to be for, if there are any.
    pub(crate) audience: Vec<String>,
    /// Where its public keys are.
    pub(crate) jwks: Option<KeysAt>,
    /// What it signs with, at least 32 bytes each.
    pub(crate) secrets: Vec<Vec<u8>>,
    /// A PEM file with its public keys.
    pub(crate) public_key: Option<PathBuf>,
    /// What its tokens may be signed with.
    pub(crate) algorithms: Algorithms,
    /// How far its clock may be apart.
    pub(crate) leeway: Duration,
    /// Whether a token has to say when it expires.
    pub(crate) require_expiry: bool,
}

/// Where a set of public keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeysAt {
    /// At an `https` URL, or an `http` one of this machine.
    Url(String),
    /// In a file.
    File(PathBuf),
}

impl KeysAt {
    /// The URL, if it is one.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Url(url) => Some(url),
            Self::File(_) => None,
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Url(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Auth")
            .field("publisher_keys", &self.publisher_keys.len())
            .field("keys", &self.keys)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}

/// What the application's backend is asked and told.
#[derive(Debug, Clone)]
pub(crate) struct Hooks {
    /// What requests are signed with; at least one if there is a hook.
    pub(crate) secrets: Vec<Secret>,
    /// Whom to believe to be the backend; none: whom the system believes.
    pub(crate) ca: Option<PathBuf>,
    /// Who somebody is that shows nothing.
    pub(crate) connect: Option<Asking>,
    /// Whether somebody may read a channel.
    pub(crate) subscribe: Option<Asking>,
    /// What becomes of a publication.
    pub(crate) publish: Option<Asking>,
    /// Whether somebody may stay whom `connect` let in.
    pub(crate) refresh: Option<Asking>,
    /// Where it is told what has happened.
    pub(crate) events: Option<Endpoint>,
    /// Whether that is told of the end of each stream and WebSocket.
    pub(crate) disconnects: bool,
    /// How events are held back, gathered and repeated.
    pub(crate) event_terms: Terms,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// Headers of a client's request that the backend is shown, in lower case.
    pub(crate) forward_headers: Vec<String>,
    /// Questions that are on their way at one time.
    pub(crate) questions_max: usize,
}

impl Hooks {
    /// Where all of them are.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let asking = [&self.connect, &self.subscribe, &self.publish, &self.refresh];
        let asking = asking.into_iter().flatten().map(|asking| &asking.endpoint);
        asking.chain(&self.events)
    }
}

/// A question that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    /// Where.
    pub(crate) endpoint: Endpoint,
    /// What holds when there is no answer.
    pub(crate) on_failure: OnFailure,
}

/// What holds when there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// Who asks is sent away to come back.
    Refuse,
    /// It goes on as if nobody had been to be asked.
    Allow,
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
    /// What every user may do with them.
    pub(crate) users: Rights,
    /// Whether the backend is asked who may read them, if it is asked that at all.
    pub(crate) ask_subscribe: bool,
    /// The same of publications to them.
    pub(crate) ask_publish: bool,
    /// What the backend is told of them.
    pub(crate) events: Wishes,
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
    /// Large messages and bodies that come in, per node.
    pub(crate) large_messages_bytes_max: usize,
    /// History pages on their way, per shard.
    pub(crate) pages_bytes_max: usize,
    /// Idempotency keys remembered, per node.
    pub(crate) idempotency_keys_max: usize,
    /// Members of one channel that are listed.
    pub(crate) presence_members_max: usize,
    /// Publications in memory where the engine keeps all of them, per node.
    pub(crate) history_memory_bytes_max: usize,
    /// Requests at once on one connection of HTTP/2.
    pub(crate) streams_per_connection_max: usize,
    /// Of these, large ones that are worked on.
    pub(crate) large_requests_per_connection_max: usize,
    /// Requests that such a connection may take back in ten seconds.
    pub(crate) stream_resets_max: usize,
    /// Connections of one address.
    pub(crate) connections_per_address_max: usize,
    /// Connections on which one user reads.
    pub(crate) connections_per_user_max: usize,
    /// How often what may be done.
    pub(crate) rates: Rates,
    /// What may be done at once is what a rate allows in this time.
    pub(crate) rate_burst: Duration,
    /// Addresses, users and channels whose rates are known.
    pub(crate) rates_tracked_max: usize,
    /// Between two requests of a connection.
    pub(crate) idle_timeout: Duration,
    /// Without progress of what is being sent.
    pub(crate) write_timeout: Duration,
    /// What a shard holds of a channel for readers that are behind.
    pub(crate) reader_lag_bytes_max: usize,
}

/// How often what may be done; none where nothing is limited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Connecting.
    pub(crate) connect: Each<Rate>,
    /// Beginning to read a channel.
    pub(crate) subscribe: Each<Rate>,
    /// Publishing.
    pub(crate) publish: Each<Rate>,
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

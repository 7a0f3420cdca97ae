//! What the bench knows of a server: how it is started, subscribed to and published through. Read
//! from a small TOML file, also for Fanfare and the floor, so that all are measured by one code.
//! `benches/README.md` says what may stand in such a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::template::{Hole, Request, Template, Values};
use crate::config::quantity::parse_duration;

/// A server that can be measured.
#[derive(Debug, Clone)]
pub(super) struct Description {
    /// What a report calls it.
    pub(super) name: String,
    /// Where its files lie.
    pub(super) folder: PathBuf,
    /// Files that are copied, with their holes filled, before it is started.
    pub(super) files: Vec<String>,
    /// The processes that are started, in this order; empty if it has to be running.
    pub(super) processes: Vec<Process>,
    /// How it is subscribed to.
    pub(super) transports: BTreeMap<String, Transport>,
    /// How it is published through.
    pub(super) ways: BTreeMap<String, Way>,
    /// How something is stored in it, if it speaks in lines.
    pub(super) store: Option<Store>,
}

/// A process of a server.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) command: Vec<Template>,
    pub(super) environment: Vec<(String, Template)>,
    /// Where it listens: empty if nobody connects to it; without one it says so on stderr.
    pub(super) address: Option<Template>,
    /// How long it needs after it listens: some servers listen before they work.
    pub(super) settle: Duration,
    /// Whether its CPU and memory are the server's. What merely stands behind it is not.
    pub(super) measured: bool,
}

/// How a connection becomes a subscriber.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    pub(super) request: Request,
    /// The request of a connection that comes back with a cursor.
    pub(super) resume: Option<Request>,
    /// The header of the answer that has the cursor.
    pub(super) cursor: Option<String>,
    /// What is sent over a WebSocket once it stands.
    pub(super) send: Vec<Template>,
    /// The same, for each channel.
    pub(super) send_each: Option<Template>,
    /// What comes once a subscription stands; without one the head of the answer says it.
    pub(super) subscribed: Option<String>,
    /// What stands between the channels of one connection.
    pub(super) separator: String,
    /// Channels that one connection can have.
    pub(super) channels_max: usize,
    /// Subscriptions that may be on their way at a time.
    pub(super) at_once: usize,
    pub(super) websocket: bool,
}

/// How something is published.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Where to, if it is not where subscribers go.
    pub(super) address: Option<Template>,
    /// What is sent for each publication or batch; over a WebSocket, its handshake.
    pub(super) request: Request,
    /// One publication of a batch.
    pub(super) item: Option<Template>,
    /// What stands between two of them.
    pub(super) separator: String,
    /// The message that publishes over a WebSocket.
    pub(super) message: Option<Template>,
    /// What its answer contains, so that nothing else is taken for one.
    pub(super) answer: Option<String>,
    /// Text of an answer that means no.
    pub(super) refused: Option<String>,
    /// Statuses that mean yes.
    pub(super) accepted: Vec<u16>,
}

/// How something is stored in a server that speaks in lines, as Redis and NATS do.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// What is said before anybody stores anything, on a connection of its own.
    pub(super) prepare: Vec<Template>,
    /// What the answer to that contains.
    pub(super) prepared: String,
    /// What a connection says first.
    pub(super) connect: Vec<Template>,
    /// What is said to store one publication.
    pub(super) publish: Vec<Template>,
    /// How the first line of the answer begins; what comes before it is passed over.
    pub(super) answer: String,
    /// Lines of the answer.
    pub(super) lines: usize,
    /// How lines begin that mean no.
    pub(super) refused: Vec<String>,
    /// A line by which the server asks whether somebody is there, and what it is answered.
    pub(super) heartbeat: Option<(String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    process: Vec<ProcessTable>,
    #[serde(default)]
    transport: BTreeMap<String, TransportTable>,
    #[serde(default)]
    publish: BTreeMap<String, WayTable>,
    store: Option<StoreTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessTable {
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    address: Option<String>,
    settle: Option<String>,
    #[serde(default = "yes")]
    measured: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransportTable {
    framing: Framing,
    request: String,
    resume: Option<String>,
    cursor: Option<String>,
    #[serde(default)]
    send: Vec<String>,
    send_each: Option<String>,
    subscribed: Option<String>,
    #[serde(default = "comma")]
    separator: String,
    #[serde(default = "one")]
    channels_max: usize,
    #[serde(default = "many")]
    at_once: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WayTable {
    address: Option<String>,
    request: String,
    item: Option<String>,
    #[serde(default = "comma")]
    separator: String,
    message: Option<String>,
    answer: Option<String>,
    refused: Option<String>,
    #[serde(default = "successes")]
    accepted: Vec<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    #[serde(default)]
    prepare: Vec<String>,
    #[serde(default)]
    prepared: String,
    #[serde(default)]
    connect: Vec<String>,
    publish: Vec<String>,
    answer: String,
    #[serde(default = "one")]
    lines: usize,
    #[serde(default)]
    refused: Vec<String>,
    heartbeat: Option<(String, String)>,
}

/// What carries the messages of a subscription. That the body of an answer is chunked is seen from
/// its head.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Framing {
    /// The body of an answer: Server-Sent Events, lines, or anything else that runs on.
    Http,
    WebSocket,
}

impl Description {
    /// Fanfare itself, the binary that runs.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn fanfare() -> Result<Self> {
        Self::parse(include_str!("descriptions/fanfare.toml"), Path::new("."))
    }

    /// The bare loop.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn floor() -> Result<Self> {
        Self::parse(include_str!("descriptions/floor.toml"), Path::new("."))
    }

    /// Reads a file; `fanfare` alone is Fanfare.
    ///
    /// # Errors
    /// If it cannot be read, or says something that nobody understands.
    pub(super) fn read(name: &str) -> Result<Self> {
        if name == "fanfare" {
            return Self::fanfare();
        }
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::parse(&text, folder.unwrap_or(Path::new("."))).with_context(|| name.to_owned())
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut transports = BTreeMap::new();
        for (name, table) in file.transport {
            let transport = table.build().with_context(|| format!("transport.{name}"))?;
            transports.insert(name, transport);
        }
        let mut ways = BTreeMap::new();
        for (name, table) in file.publish {
            let way = table.build().with_context(|| format!("publish.{name}"))?;
            ways.insert(name, way);
        }
        let store = file.store.map(StoreTable::build).transpose().context("store")?;
        if store.is_none() && (ways.is_empty() || transports.is_empty()) {
            bail!("a description needs a [transport.…] and a [publish.…], or a [store]");
        }
        let processes = file.process.into_iter().map(ProcessTable::build);
        Ok(Self {
            name: file.name,
            folder: folder.to_path_buf(),
            files: file.files,
            processes: processes.collect::<Result<_>>().context("process")?,
            transports,
            ways,
            store,
        })
    }

    /// The transport of this name; where a server has but one kind of WebSocket, that one stands
    /// for each of Fanfare's.
    pub(super) fn transport(&self, name: &str) -> Option<&Transport> {
        let alike = match name {
            "raw" | "v1" => "websocket",
            "websocket" => "raw",
            other => other,
        };
        // The floor sends ready-made bytes, whatever they are.
        [name, alike, "any"].iter().find_map(|name| self.transports.get(*name))
    }

    /// The way of this name.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn way(&self, name: &str) -> Result<&Way> {
        self.ways
            .get(name)
            .with_context(|| format!("the description of {} has no [publish.{name}]", self.name))
    }
}

impl ProcessTable {
    fn build(self) -> Result<Process> {
        let Self { command, environment, address, settle, measured } = self;
        if command.is_empty() {
            bail!("a command needs a word");
        }
        let environment = environment
            .into_iter()
            .map(|(name, value)| Ok((name, Template::read(&value)?)))
            .collect::<Result<_>>()?;
        let command = command.iter().map(|word| Template::read(word)).collect::<Result<_>>()?;
        let address = address.map(|text| Template::read(&text)).transpose()?;
        let settle = settle.as_deref().map(parse_duration);
        let settle = settle.map(|time| time.context("settle takes a time such as 500ms"));
        let settle = settle.transpose()?.unwrap_or_default();
        Ok(Process { command, environment, address, settle, measured })
    }
}

impl TransportTable {
    fn build(self) -> Result<Transport> {
        let websocket = matches!(self.framing, Framing::WebSocket);
        if !websocket && (!self.send.is_empty() || self.send_each.is_some()) {
            bail!("only a WebSocket can send something after its request");
        }
        let request = Request::read(&self.request)?;
        let names = request.has(Hole::Channel) || request.has(Hole::Channels);
        if !names && self.send.is_empty() && self.send_each.is_none() {
            bail!("neither the request nor what is sent behind it has {{channel}} or {{channels}}");
        }
        let send = self.send.iter().map(|text| Template::read(text)).collect::<Result<_>>()?;
        Ok(Transport {
            request,
            resume: self.resume.map(|text| Request::read(&text)).transpose()?,
            cursor: self.cursor,
            send,
            send_each: self.send_each.map(|text| Template::read(&text)).transpose()?,
            subscribed: self.subscribed,
            separator: self.separator,
            channels_max: self.channels_max,
            at_once: self.at_once.max(1),
            websocket,
        })
    }
}

impl WayTable {
    fn build(self) -> Result<Way> {
        let way = Way {
            address: self.address.map(|text| Template::read(&text)).transpose()?,
            request: Request::read(&self.request)?,
            item: self.item.map(|text| Template::read(&text)).transpose()?,
            separator: self.separator,
            message: self.message.map(|text| Template::read(&text)).transpose()?,
            answer: self.answer,
            refused: self.refused,
            accepted: self.accepted,
        };
        let (item, message) = (way.item.as_ref(), way.message.as_ref());
        let in_message = message.is_some_and(|one| one.has(Hole::Payload));
        let in_item = item.is_some_and(|one| one.has(Hole::Payload));
        if !in_message && !in_item && !way.request.has(Hole::Payload) {
            bail!("{{payload}} stands nowhere");
        }
        let carries =
            way.request.has(Hole::Items) || message.is_some_and(|one| one.has(Hole::Items));
        if item.is_some() != carries {
            bail!("an item goes where {{items}} stands, and there is one without the other");
        }
        if message.is_some() && way.answer.is_none() {
            bail!("a message over a WebSocket needs an answer to be known by");
        }
        Ok(way)
    }
}

impl StoreTable {
    fn build(self) -> Result<Store> {
        let read = |lines: &[String]| {
            lines.iter().map(|line| Template::read(line)).collect::<Result<Vec<_>>>()
        };
        let publish = read(&self.publish)?;
        if !publish.iter().any(|line| line.has(Hole::Payload)) {
            bail!("{{payload}} stands nowhere");
        }
        if self.answer.is_empty() || self.lines == 0 {
            bail!("an answer needs a line, and something to be known by");
        }
        Ok(Store {
            prepare: read(&self.prepare)?,
            prepared: self.prepared,
            connect: read(&self.connect)?,
            publish,
            answer: self.answer,
            lines: self.lines,
            refused: self.refused,
            heartbeat: self.heartbeat,
        })
    }
}

impl Store {
    /// Appends lines, each with its end.
    pub(super) fn say(lines: &[Template], out: &mut Vec<u8>, values: &Values<'_>) {
        for line in lines {
            line.fill(out, values);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn yes() -> bool {
    true
}

fn comma() -> String {
    ",".to_owned()
}

fn one() -> usize {
    1
}

fn many() -> usize {
    256
}

fn successes() -> Vec<u16> {
    vec![200, 201, 202, 204]
}

#[cfg(test)]
#[path = "description_test.rs"]
mod tests;

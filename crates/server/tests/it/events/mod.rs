//! What the application's backend is told, by a backend that is a process of its own: all of it, in
//! order, however bad its day is, and nobody else notices.

mod backend;
mod bad_day;
mod leaving;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::backend::{Backend, SECRET};
use crate::cli::run::{Folder, fanfare};
use crate::server::Server;
use crate::wire::Wire;

/// A server with a backend that is told of everything.
#[derive(Debug)]
pub(super) struct Told {
    server: Server,
    backend: Backend,
    path: PathBuf,
    _folder: Folder,
}

impl Told {
    /// Starts both; `more` stands in the table `[hooks]`.
    fn start(more: &str) -> Self {
        Self::start_as("dev", more)
    }

    /// The same in this mode.
    fn start_as(mode: &str, more: &str) -> Self {
        let backend = Backend::start();
        let folder = Folder::new();
        let path = folder.path().join("fanfare.toml");
        fs::write(&path, file(&backend.url(), more)).unwrap();
        let server = serve(mode, &path);
        Self { server, backend, path, _folder: folder }
    }

    /// A page that reads a channel as this client, which it is a member as.
    fn open(&self, channel: &str, client: &str) -> Wire {
        open(self.server.address(), channel, client)
    }

    /// Waits until nothing waits to be told.
    fn wait_until_told(&self) {
        self.server.connect().wait_for_figure("fanfare_hook_events_waiting", 0);
    }

    fn figure(&self, name: &str) -> u64 {
        self.server.connect().figure(name)
    }

    /// How many events of a type there were to tell.
    fn told(&self, kind: &str) -> u64 {
        self.figure(&format!("fanfare_hook_events_total{{type=\"{kind}\"}}"))
    }
}

fn open(address: &str, channel: &str, client: &str) -> Wire {
    let mut wire = Wire::connect(address);
    let line = format!("GET /c/{channel}?client={client} HTTP/1.1");
    wire.ask(&line, &["Accept: text/event-stream"]);
    wire.until("fanfare.open");
    wire
}

fn file(url: &str, more: &str) -> String {
    let all = "events = [\"occupancy\", \"members\"]\n";
    let events = if more.contains("events = ") { "" } else { all };
    format!(
        "presence = true\n[auth]\npublisher_keys = [\"key\"]\nanonymous_subscribe = true\n\
         [namespaces.bare]\npresence = false\n\
         [hooks]\nsecrets = [\"{SECRET}\"]\nevents_url = \"{url}\"\n{events}{more}\n"
    )
}

fn serve(mode: &str, path: &std::path::Path) -> Server {
    let mut command = fanfare(&[mode, "--listen", "127.0.0.1:0", "--config"]);
    command.arg(path);
    Server::of(command)
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}

fn of_kind<'a>(events: &'a [Value], wanted: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| kind(event) == wanted).collect()
}

/// Whether what a backend was told of channels and members makes sense event by event.
fn check_order(events: &[Value]) {
    let mut occupied = BTreeSet::new();
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for event in events {
        let Some(channel) = event["channel"].as_str() else { continue };
        let time = event["time"].as_u64().unwrap();
        let last = times.insert(channel.to_owned(), time).unwrap_or_default();
        assert!(last <= time, "{event} comes too late");
        let there = members.entry(channel.to_owned()).or_default();
        let client = event["member"]["client"].as_str().unwrap_or_default().to_owned();
        let fits = match kind(event) {
            "occupied" => occupied.insert(channel.to_owned()),
            "vacated" => there.is_empty() && occupied.remove(channel),
            "joined" => occupied.contains(channel) && there.insert(client),
            "left" => occupied.contains(channel) && there.remove(&client),
            other => panic!("{other} of a channel"),
        };
        assert!(fits, "{event} makes no sense after {events:?}");
    }
}

#[test]
fn who_comes_and_goes_is_told_in_order() {
    let told = Told::start("events_grace = \"100ms\"");
    told.backend.wait_until("the start", |events| events.len() == 1);
    let alice = told.open("room", "alice");
    let bob = told.open("room", "bob");
    told.backend.wait_until("both", |events| of_kind(events, "joined").len() == 2);
    drop(alice);
    told.backend.wait_until("alice", |events| of_kind(events, "left").len() == 1);
    drop(bob);
    let events =
        told.backend.wait_until("the end", |events| !of_kind(events, "vacated").is_empty());
    check_order(&events);
    let kinds: Vec<_> = events.iter().map(kind).filter(|kind| *kind != "disconnect").collect();
    let expected = ["started", "occupied", "joined", "joined", "left", "left", "vacated"];
    assert_eq!(kinds, expected, "{events:?}");
    let joined = of_kind(&events, "joined")[0];
    assert_eq!(
        (&joined["channel"], &joined["member"]),
        (&json!("room"), &json!({"client": "alice"}))
    );
    told.wait_until_told();
    assert_eq!(told.figure("fanfare_limit{key=\"hooks.events_bytes_max\"}"), 16 << 20);
    for kind in ["occupied", "vacated", "started"] {
        assert_eq!(told.told(kind), 1, "{kind}");
    }
    assert_eq!(told.figure("fanfare_hook_events_delivered_total"), events.len() as u64);
}

#[test]
fn a_thousand_page_reloads_are_no_storm() {
    let told = Told::start("");
    let pages = 50;
    // Half of them read where nobody is a member, and are known by nothing.
    let prefix = |page: usize| if page.is_multiple_of(2) { "" } else { "bare:" };
    let name = |page: usize| (format!("{}page-{page}", prefix(page)), format!("tab-{page}"));
    let mut open: Vec<_> = (0..pages).map(|page| told.open(&name(page).0, &name(page).1)).collect();
    told.backend.wait_until("all", |events| of_kind(events, "occupied").len() == pages);
    let began = Instant::now();
    for round in 0..1_000 / pages {
        for (page, wire) in open.iter_mut().enumerate() {
            let (channel, client) = name(page);
            // The old page is gone before the new one is there, as in a browser.
            *wire = told.server.connect();
            *wire = told.open(&channel, &client);
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{round}");
    }
    let ended =
        told.backend.wait_until("each end", |events| of_kind(events, "disconnect").len() >= 1_000);
    assert_eq!(of_kind(&ended, "disconnect").len(), 1_000);
    // Longer than the graces of presence and of events, after which everyone is still there.
    std::thread::sleep(Duration::from_secs(8));
    let events = told.backend.distinct();
    check_order(&events);
    for (kind, count) in [("occupied", pages), ("joined", pages / 2), ("left", 0), ("vacated", 0)] {
        assert_eq!(of_kind(&events, kind).len(), count, "{kind}");
    }
    // The others came before their old page was seen to be gone, or linger as members.
    let silenced = told.figure("fanfare_hook_events_silenced_total");
    assert!((100..=1_000).contains(&silenced), "{silenced}");
    drop(open);
    let events = told
        .backend
        .wait_until("the end of all", |events| of_kind(events, "vacated").len() == pages);
    check_order(&events);
    assert_eq!(of_kind(&events, "left").len(), pages / 2);
}

#[test]
fn each_stream_and_websocket_tells_its_end() {
    let told = Told::start("events = []");
    let ends = |count: usize| {
        let events = told
            .backend
            .wait_until("an end", |events| of_kind(events, "disconnect").len() == count);
        let event = (*of_kind(&events, "disconnect").last().unwrap()).clone();
        assert_eq!(event["address"], "127.0.0.1", "{event}");
        assert_eq!(event["session"].as_str().unwrap().len(), 35, "{event}");
        assert!(event["lasted"].as_u64().unwrap() < 60_000, "{event}");
        (event["transport"].clone(), event["channels"].clone(), event["reason"].clone())
    };
    let client = json!("client");
    let sse = told.open("a,b", "x");
    drop(sse);
    assert_eq!(ends(1), (json!("sse"), json!(["a", "b"]), client.clone()));
    let mut edge = told.server.connect_to_edge("other");
    edge.ask("GET /c/a?as=ndjson HTTP/1.1", &[]);
    edge.until("\"type\":\"open\"");
    drop(edge);
    assert_eq!(ends(2), (json!("ndjson"), json!(["a"]), client.clone()));
    let mut socket = told.server.connect();
    socket.open_websocket("/c/a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    socket.frame();
    drop(socket);
    assert_eq!(ends(3), (json!("websocket"), json!(["a"]), client));
    let mut wrong = told.server.connect();
    wrong.open_websocket("/c/a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    wrong.frame();
    // Opcode 3 means nothing.
    wrong.send(crate::wire::frame(0x83, b""));
    assert_eq!(ends(4), (json!("websocket"), json!(["a"]), json!("refused")));
    let mut reader = told.open("ending", "x");
    let answer = told.server.connect().post_chunked("ending?end=1", "last");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    reader.until("fanfare.end");
    assert_eq!(ends(5), (json!("sse"), json!([]), json!("ended")));
    // A poll is a request, and who is refused or gets everything at once has never been there.
    let mut poll = told.server.connect();
    poll.ask("GET /c/a?wait=1 HTTP/1.1", &[]);
    poll.answer();
    told.wait_until_told();
    assert_eq!(told.told("disconnect"), 5);
    assert_eq!(told.told("occupied") + told.told("joined"), 0, "nobody asked for these");
}

#[test]
fn a_reload_sends_events_elsewhere() {
    let told = Told::start_as("serve", "events_grace = \"0s\"");
    let other = Backend::start();
    let reader = told.open("before", "x");
    told.backend.wait_until("the reader", |events| !of_kind(events, "joined").is_empty());
    told.backend.feel(backend::Mood::Busy);
    drop(reader);
    told.server.connect().wait_for_figure("fanfare_hook_batches_failed_total", 1);
    fs::write(&told.path, file(&other.url(), "events_grace = \"0s\"")).unwrap();
    let line = told.server.reload();
    assert!(line.contains("hooks.events_url") && !line.contains("whsec"), "{line}");
    other.wait_until("what was refused elsewhere", |events| {
        of_kind(events, "disconnect").len() == 1
    });
    let after = told.open("after", "x");
    other.wait_until("what came after", |events| {
        events.iter().any(|event| event["channel"] == "after")
    });
    // Nobody is told any more.
    let silent = file(&other.url(), "").replace("events_url", "# events_url");
    fs::write(&told.path, silent).unwrap();
    let line = told.server.reload();
    assert!(line.contains("holds on"), "{line}");
    assert!(line.contains("nobody is told"), "what is told of channels takes somebody: {line}");
    drop(after);
    other.wait_until("the end", |events| of_kind(events, "disconnect").len() == 2);
}

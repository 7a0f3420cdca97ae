//! The transcripts of `docs/protocol.md` against a real server: who writes a client after the page
//! must meet the bytes that stand there.

mod normal;
mod page;
mod socket;

use crate::cli::run::fanfare;
use crate::server::Server;
use crate::wire::{Wire, header};
use normal::{Epochs, plain};
use page::{Turn, transcript, transcripts};

/// A publication that a transcript takes for granted: target, content type (or none), body.
type Given = (&'static str, &'static str, &'static str);

const HELLO: Given = ("/c/news", "text/plain", "Hello");
const PRICE: Given =
    ("/c/news?event=price", "application/json", "{\"symbol\":\"ACME\",\n\"value\":42}");
const VALUE: Given = ("/c/news", "application/json", "{\"symbol\":\"ACME\", \"value\":42}");
const STARTED: Given = ("/c/runs", "", "started");
const ACME: Given = ("/c/ticker?conflate=ACME", "", "42");
const INIT: Given = ("/c/ticker?conflate=INIT", "", "7");
const ACME_AGAIN: Given = ("/c/ticker?conflate=ACME", "", "43");
const KEYED: Given = ("/c/news?key=order-17", "text/plain", "Hello");
const GOODBYE: Given = ("/c/news?end=1", "text/plain", "Goodbye");

/// What has been published before a transcript begins, and what is while its stream is open.
const REQUESTS: [(&str, &[Given], &[Given]); 25] = [
    ("upgrade-required", &[], &[]),
    ("sse", &[], &[HELLO, PRICE]),
    ("sse-two-channels", &[], &[("/c/news", "", "Hello"), STARTED]),
    ("sse-envelope", &[], &[HELLO]),
    ("sse-resume", &[HELLO, PRICE], &[]),
    ("sse-gap", &[HELLO], &[]),
    ("sse-end", &[HELLO, PRICE], &[GOODBYE]),
    ("sse-ended", &[HELLO, PRICE, GOODBYE], &[]),
    ("ndjson", &[], &[HELLO, GOODBYE]),
    ("raw", &[HELLO, VALUE], &[]),
    ("poll", &[HELLO], &[]),
    ("history", &[HELLO, PRICE], &[]),
    ("sse-presence", &[], &[]),
    ("presence", &[], &[]),
    ("conflation", &[ACME, INIT, ACME_AGAIN], &[]),
    ("websocket-handshake", &[], &[]),
    ("v1-handshake", &[], &[]),
    ("publish", &[], &[]),
    ("publish-expect", &[HELLO], &[]),
    ("publish-two", &[HELLO], &[]),
    ("delete", &[HELLO, PRICE], &[]),
    ("batch", &[], &[]),
    ("publish-duplicate", &[KEYED], &[]),
    ("cors-preflight", &[], &[]),
    ("cors", &[], &[]),
];

/// Readers who are there before a transcript begins.
const PRESENT: [(&str, &[&str]); 1] =
    [("presence", &["/c/lobby?client=cleo", "/c/lobby?client=ada", BOB])];

/// Readers who come and go while its stream is open.
const VISITORS: [(&str, &[&str]); 1] = [("sse-presence", &[BOB])];

/// The reader whom transcripts tell of.
const BOB: &str = "/c/lobby?client=bob&info=%7B%22name%22:%22Bob%22%7D";

/// Frames of the page as one conversation.
struct Conversation {
    target: &'static str,
    protocol: &'static str,
    /// What is published before.
    before: &'static [Given],
    /// The transcripts, in their order.
    titles: &'static [&'static str],
    /// What is published when the first frame has come.
    during: &'static [Given],
}

const CONVERSATIONS: [Conversation; 4] = [
    Conversation {
        target: "/c/echo",
        protocol: "fanfare.raw",
        before: &[],
        titles: &["raw-echo"],
        during: &[],
    },
    Conversation {
        target: "/c/news",
        protocol: "fanfare.v1",
        before: &[],
        titles: &["v1-open"],
        during: &[HELLO],
    },
    Conversation {
        target: "/c?client=ada",
        protocol: "fanfare.v1",
        before: &[],
        titles: &["v1-presence"],
        during: &[],
    },
    Conversation {
        target: "/c",
        protocol: "fanfare.v1",
        before: &[HELLO, STARTED],
        titles: &[
            "v1-open-without-channels",
            "v1-subscribe",
            "v1-subscribe-twice",
            "v1-subscribe-gap",
            "v1-unsubscribe",
            "v1-publish",
            "v1-publish-refused",
            "v1-history",
            "v1-ping",
            "v1-refresh",
            "v1-errors",
        ],
        during: &[],
    },
];

/// A stream, and what changes it while it is open.
const STREAM_AND_CHANGE: [&str; 2] = ["session-stream", "session-change"];

/// Requests to a server that asks for a key.
const GUARDED_REQUESTS: [&str; 1] = ["unauthorized"];

/// Frames of a WebSocket on such a server, whose namespace `prices` takes none of them.
const GUARDED_CONVERSATION: Conversation = Conversation {
    target: "/c/prices:ACME",
    protocol: "fanfare.v1",
    before: &[],
    titles: &["v1-forbidden"],
    during: &[],
};

#[test]
fn every_request_of_the_page_gets_the_answer_that_stands_there() {
    for (title, before, during) in REQUESTS {
        let server = Server::dev(&[("FANFARE_HEARTBEAT", "5s")]);
        let epochs = epochs(&server);
        give(&server, before);
        exchange(&server, &epochs, title, |_| {
            give(&server, during);
            drop(enter_all(&server, &VISITORS, title));
        });
    }
}

#[test]
fn the_stream_of_the_page_is_changed_as_it_stands_there() {
    let server = Server::dev(&[]);
    let epochs = epochs(&server);
    give(&server, &[STARTED]);
    exchange(&server, &epochs, STREAM_AND_CHANGE[0], |opening| {
        let (_, session) = opening.split_once("\"session\":\"").unwrap();
        let epochs = epochs.with_session(session.split('"').next().unwrap());
        exchange(&server, &epochs, STREAM_AND_CHANGE[1], |_| {});
    });
}

#[test]
fn every_frame_of_the_page_gets_the_frames_that_stand_there() {
    for conversation in CONVERSATIONS {
        let server = Server::dev(&[]);
        let epochs = epochs(&server);
        give(&server, conversation.before);
        let socket = socket::Socket::open(&server, conversation.target, conversation.protocol);
        converse(&server, &epochs, socket, &conversation);
    }
}

#[test]
fn every_refusal_of_a_guarded_server_is_the_one_that_stands_there() {
    let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--anonymous-subscribe"]);
    command.args(["--publisher-key", "tell-nobody"]);
    command.env("FANFARE_NAMESPACES__PRICES__CLIENT_PUBLISH", "false");
    let server = Server::of(command);
    let epochs = epochs(&server);
    for title in GUARDED_REQUESTS {
        exchange(&server, &epochs, title, |_| {});
    }
    let Conversation { target, protocol, .. } = GUARDED_CONVERSATION;
    let mut socket = socket::Socket::open(&server, target, protocol);
    socket.text();
    converse(&server, &epochs, socket, &GUARDED_CONVERSATION);
}

#[test]
fn no_conversation_of_the_page_is_left_out() {
    let requests = REQUESTS.iter().map(|(title, ..)| *title);
    let requests = requests.chain(GUARDED_REQUESTS).chain(STREAM_AND_CHANGE);
    let conversations = CONVERSATIONS.iter().chain([&GUARDED_CONVERSATION]);
    let frames = conversations.flat_map(|talk| talk.titles.iter().copied());
    let replayed: Vec<&str> = requests.chain(frames).collect();
    for block in transcripts() {
        assert!(replayed.contains(&block.title), "{} {} is replayed", block.language, block.title);
    }
}

/// Sends and awaits the frames of a conversation.
fn converse(
    server: &Server,
    epochs: &Epochs,
    mut socket: socket::Socket,
    Conversation { titles, during, .. }: &Conversation,
) {
    let mut during = Some(*during);
    let mut present = Vec::new();
    for turn in titles.iter().flat_map(|title| transcript(title).turns()) {
        match turn {
            Turn::Sent(lines) => lines.iter().for_each(|line| socket.send(&epochs.sent(line))),
            Turn::Told(lines) => {
                for line in lines {
                    if line.contains("\"type\":\"join\"") {
                        present.push(enter(server, BOB));
                    }
                    assert_eq!(epochs.told(&socket.text()), plain(line), "{titles:?}");
                    give(server, during.take().unwrap_or_default());
                }
            }
        }
    }
}

/// Sends the request of a transcript and holds the answer against it.
fn exchange(server: &Server, epochs: &Epochs, title: &str, during: impl FnOnce(&str)) {
    let turns = transcript(title).turns();
    let [Turn::Sent(sent), Turn::Told(told)] = &turns[..] else {
        panic!("{title} is no request with its answer");
    };
    let end = sent.iter().position(|line| line.is_empty()).unwrap();
    let (head, body) = (sent[..end].join("\r\n"), sent[end + 1..].join("\n"));
    let _present = enter_all(server, &PRESENT, title);
    let mut wire = server.connect();
    wire.send(format!("{}\r\n\r\n{}", epochs.sent(&head), epochs.sent(&body)));

    let end = told.iter().position(|line| line.is_empty()).unwrap_or(told.len());
    let answer = wire.until("\r\n\r\n");
    assert_eq!(answer.lines().next(), told.first().copied(), "{title}: {answer}");
    for line in told.iter().take(end).skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let found = header(&answer, name).map(|value| epochs.told(value));
        assert_eq!(found.as_deref(), Some(value), "{title}: {name}");
    }
    let expected: Vec<String> = told.iter().skip(end + 1).map(|line| plain(line)).collect();
    if expected.is_empty() {
        return;
    }
    let body = if header(&answer, "transfer-encoding") == Some("chunked") {
        stream(&mut wire, expected.len(), during)
    } else {
        wire.take(header(&answer, "content-length").unwrap().parse().unwrap()) + "\n"
    };
    let lines: Vec<String> = body.lines().map(|line| epochs.told(line)).collect();
    assert_eq!(lines.join("\n"), expected.join("\n"), "{title}");
}

/// The readers of a transcript, each when its stream has begun.
fn enter_all(server: &Server, of: &[(&str, &[&str])], title: &str) -> Vec<Wire> {
    let readers = of.iter().filter(|(known, _)| *known == title).flat_map(|(_, all)| *all);
    readers.map(|target| enter(server, target)).collect()
}

fn enter(server: &Server, target: &str) -> Wire {
    let mut wire = server.connect();
    wire.ask(&format!("GET {target} HTTP/1.1"), &["Accept: text/event-stream"]);
    wire.until("event: fanfare.open");
    wire
}

/// So many lines of a chunked body. Something happens when its first part has come.
fn stream(wire: &mut Wire, lines: usize, during: impl FnOnce(&str)) -> String {
    let mut body = String::new();
    let mut during = Some(during);
    while body.lines().count() < lines {
        let size = wire.until("\r\n");
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        assert_ne!(size, 0, "the stream ended after {body}");
        body.push_str(wire.take(size + 2).trim_end_matches("\r\n"));
        if let Some(during) = during.take() {
            during(&body);
        }
    }
    body
}

/// The server's epoch, as every attach tells it.
fn epochs(server: &Server) -> Epochs {
    let mut wire = server.connect();
    wire.ask("HEAD /c/probe HTTP/1.1", &[]);
    let answer = wire.until("\r\n\r\n");
    Epochs::of(header(&answer, "fanfare-cursor").unwrap())
}

fn give(server: &Server, given: &[Given]) {
    for (target, content_type, body) in given {
        let mut wire = server.connect();
        let length = format!("Content-Length: {}", body.len());
        let content_type = format!("Content-Type: {content_type}");
        let headers = [&*length, &*content_type];
        let count = if content_type.ends_with(": ") { 1 } else { 2 };
        wire.ask(&format!("POST {target} HTTP/1.1"), &headers[..count]);
        wire.send(body);
        let answer = wire.answer();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

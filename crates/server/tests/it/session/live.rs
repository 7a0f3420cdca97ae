//! A stream that says what it is told of each channel, and the requests that change it.

use std::collections::BTreeMap;

use fanfare_protocol::native::cursor::parse_cursor;
use serde_json::{Value, json};

use crate::reader::{Body, Ending, Framing, Incoming, Via};

/// Which words a stream is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Sse,
    Ndjson,
}

/// Which version of HTTP it was asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Http {
    V10,
    V11,
}

/// How a stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) form: Form,
    pub(super) via: Via,
    pub(super) http: Http,
}

/// Every way to a stream.
pub(super) fn ways() -> impl Iterator<Item = Way> {
    let http = [Http::V11, Http::V10];
    let via = [Via::Shard, Via::Edge];
    let each = http.into_iter().flat_map(move |http| via.map(|via| (http, via)));
    each.flat_map(|(http, via)| [Form::Sse, Form::Ndjson].map(|form| Way { form, via, http }))
}

/// A stream.
#[derive(Debug)]
pub(super) struct Live {
    /// The session that its opening told.
    pub(super) session: String,
    form: Form,
    body: Body,
}

/// One thing told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// A publication: what it says, and the whole id.
    Message { data: String, id: String },
    /// A gap, an end or something else by its name, and the whole id.
    Other { name: String, data: Value, id: String },
}

/// The offsets of a cursor's entries, by the hash of their channels.
pub(super) fn offsets(id: &str) -> BTreeMap<u64, u64> {
    let cursor = parse_cursor(id).unwrap();
    let entry =
        |entry: &fanfare_core::cursor::CursorEntry| (entry.hash.value(), entry.position.offset);
    cursor.entries.iter().map(entry).collect()
}

/// The offset of a channel in a cursor.
pub(super) fn offset(id: &str, channel: &str) -> Option<u64> {
    offsets(id).get(&hash(channel)).copied()
}

/// The hash that stands for a channel.
pub(super) fn hash(channel: &str) -> u64 {
    fanfare_core::name::ChannelHash::of(channel).value()
}

impl Live {
    /// Opens a stream of these channels, with header lines.
    pub(super) fn open(address: &str, way: Way, target: &str, headers: &[&str]) -> Self {
        let mut incoming = Incoming::connect(address);
        let version = if way.http == Http::V10 { "1.0" } else { "1.1" };
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let headers = format!("Host: localhost\r\n{headers}");
        if way.via == Via::Edge {
            // Too large for a shard.
            let body = "x".repeat(70_000);
            let request = format!(
                "POST /c/beside HTTP/{version}\r\n{headers}Connection: keep-alive\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            incoming.send(request.as_bytes()).unwrap();
            let (head, _) = incoming.answer().unwrap();
            assert!(head.contains(" 200 OK\r\n"), "{head}");
        }
        let separator = if target.contains('?') { '&' } else { '?' };
        let form = if way.form == Form::Sse { "sse" } else { "ndjson" };
        let request = format!("GET {target}{separator}as={form} HTTP/{version}\r\n{headers}\r\n");
        incoming.send(request.as_bytes()).unwrap();
        let head = incoming.head().unwrap();
        assert!(head.contains(" 200 OK\r\n"), "{head}");
        let framing = if way.http == Http::V10 { Framing::Bare } else { Framing::Chunked };
        let body = Body::new(incoming, framing);
        let mut live = Self { session: String::new(), form: way.form, body };
        match live.next() {
            Ok(Told::Other { name, data, .. }) if name == "open" => {
                data["session"].as_str().unwrap().clone_into(&mut live.session);
            }
            other => panic!("no opening but {other:?}"),
        }
        assert_eq!(live.session.len(), 35, "{}", live.session);
        live
    }

    /// The next thing told.
    pub(super) fn next(&mut self) -> Result<Told, Ending> {
        loop {
            let told = match self.form {
                Form::Sse => self.block()?,
                Form::Ndjson => line(&self.body.line()?),
            };
            if let Some(told) = told {
                return Ok(told);
            }
        }
    }

    /// What the next publication says, and its id.
    pub(super) fn message(&mut self) -> (String, String) {
        match self.next() {
            Ok(Told::Message { data, id }) => (data, id),
            other => panic!("no message but {other:?}"),
        }
    }

    fn block(&mut self) -> Result<Option<Told>, Ending> {
        let (mut event, mut data, mut id) = (None, None, String::new());
        loop {
            let line = String::from_utf8(self.body.line()?).unwrap();
            let (field, value) = line.split_once(": ").unwrap_or((&line, ""));
            match field {
                "event" => event = Some(value.to_owned()),
                "data" => data = Some(value.to_owned()),
                "id" => value.clone_into(&mut id),
                "" if line.is_empty() => break,
                _ => assert!(line.starts_with(": ") || field == "retry", "{line}"),
            }
        }
        let data = data.expect("no block is without data");
        Ok(match event.as_deref().and_then(|event| event.strip_prefix("fanfare.")) {
            Some(name) => {
                let data = serde_json::from_str(&data).unwrap();
                Some(Told::Other { name: name.to_owned(), data, id })
            }
            None => Some(Told::Message { data, id }),
        })
    }
}

fn line(line: &[u8]) -> Option<Told> {
    let data: Value = serde_json::from_slice(line).unwrap();
    let id = data["cursor"].as_str().unwrap_or_default().to_owned();
    match data["type"].as_str().unwrap() {
        "keepalive" => None,
        "message" => Some(Told::Message { data: data["data"].as_str().unwrap().to_owned(), id }),
        name => Some(Told::Other { name: name.to_owned(), data, id }),
    }
}

/// A connection that changes streams.
#[derive(Debug)]
pub(super) struct Changer {
    incoming: Incoming,
    headers: String,
}

impl Changer {
    pub(super) fn new(address: &str, headers: &[&str]) -> Self {
        let headers = headers.iter().map(|line| format!("{line}\r\n")).collect();
        Self { incoming: Incoming::connect(address), headers }
    }

    /// Asks for a change and does not wait for the answer.
    pub(super) fn send(&mut self, session: &str, body: &str) {
        let (headers, length) = (&self.headers, body.len());
        let request = format!(
            "POST /sessions/{session} HTTP/1.1\r\nHost: localhost\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.incoming.send(request.as_bytes()).unwrap();
    }

    /// The answer: its head, and its body as JSON.
    pub(super) fn answer(&mut self) -> (String, Value) {
        let (head, body) = self.incoming.answer().unwrap();
        (head, serde_json::from_slice(&body).unwrap())
    }

    /// The same; none if the connection was closed.
    pub(super) fn try_answer(&mut self) -> Option<(String, Value)> {
        let (head, body) = self.incoming.answer().ok()?;
        Some((head, serde_json::from_slice(&body).unwrap()))
    }

    /// Asks for a change, which is made; gives the results.
    pub(super) fn change(&mut self, session: &str, body: &Value) -> Vec<Value> {
        self.send(session, &body.to_string());
        let (head, answer) = self.answer();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}{answer}");
        answer["results"].as_array().unwrap().clone()
    }

    /// Asks for a change, which is refused as a whole; gives status and code.
    pub(super) fn refused(&mut self, session: &str, body: &str) -> (u16, String) {
        self.send(session, body);
        let (head, answer) = self.answer();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(answer["status"], status, "{head}{answer}");
        (status, answer["code"].as_str().unwrap().to_owned())
    }

    /// Adds a channel; gives the cursor that it starts from.
    pub(super) fn add(&mut self, session: &str, item: &Value) -> String {
        let results = self.change(session, &json!({ "subscribe": [item] }));
        assert_eq!(results.len(), 1);
        results[0]["cursor"].as_str().unwrap_or_else(|| panic!("{results:?}")).to_owned()
    }

    /// Drops a channel.
    pub(super) fn drop(&mut self, session: &str, channel: &str) {
        let results = self.change(session, &json!({ "unsubscribe": [channel] }));
        assert_eq!(results, [json!({ "channel": channel })]);
    }
}

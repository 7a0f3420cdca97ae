//! `sub` beside a real server: the same lines over each transport, from history and live.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::run::{fanfare, finish};
use crate::reader::Incoming;
use crate::server::Server;

const TRANSPORTS: [&str; 4] = ["ws", "sse", "ndjson", "poll"];
const DEADLINE: Duration = Duration::from_secs(30);

/// A publication: its content type, its bytes, and how it looks plain and raw.
struct Sample {
    content_type: &'static str,
    body: Vec<u8>,
    plain: String,
    raw: Vec<u8>,
}

impl Sample {
    fn text(body: &str, plain: &str) -> Self {
        let body = body.as_bytes().to_vec();
        Self { content_type: "text/plain", raw: body.clone(), body, plain: plain.to_owned() }
    }
}

fn samples() -> Vec<Sample> {
    let large = "0123456789abcdef".repeat(1 << 16);
    let json = "{\"b\": 1,\r\n \"a\": [null, \"\\u0000\\r\"]}";
    let json_on_a_line = json.replace(['\r', '\n'], " ");
    vec![
        Sample::text("hello", "hello"),
        Sample::text("a\rb", "a\\rb"),
        Sample::text("a\r\nb\nc\r\n", "a\\r\\nb\\nc\\r\\n"),
        Sample::text("\n", "\\n"),
        Sample::text("nul \0 there", "nul \\u0000 there"),
        Sample::text(
            "\u{1F389}\u{200D} \u{feff}é\u{2028}\u{85}",
            "\u{1F389}\u{200D} \u{feff}é\u{2028}\\u0085",
        ),
        Sample::text("", ""),
        Sample::text(" data: x\tid: y", " data: x\tid: y"),
        Sample::text(&large, &large),
        Sample {
            content_type: "application/json",
            body: json.as_bytes().to_vec(),
            plain: json_on_a_line.clone(),
            raw: json_on_a_line.into_bytes(),
        },
        Sample {
            content_type: "application/json",
            body: b"\"a string\"".to_vec(),
            plain: "\"a string\"".to_owned(),
            raw: b"\"a string\"".to_vec(),
        },
        Sample {
            content_type: "image/png",
            body: b"\x00\xff\r\n\x00".to_vec(),
            plain: "data:image/png;base64,AP8NCgA=".to_owned(),
            raw: b"\x00\xff\r\n\x00".to_vec(),
        },
    ]
}

fn publish(server: &Server) {
    let mut wire = Incoming::connect(server.address());
    for Sample { content_type, body, .. } in samples() {
        let length = body.len();
        let head = format!(
            "POST /c/c HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        wire.send(&[head.as_bytes(), &body].concat()).unwrap();
        let (head, body) = wire.answer().unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
    }
}

/// One `sub`, whose first bytes of stdout are waited for.
struct Subscribed {
    transport: &'static str,
    child: Child,
    first: Receiver<()>,
    stdout: Receiver<Vec<u8>>,
}

impl Subscribed {
    fn start(server: &Server, transport: &'static str, look: &[&str]) -> Self {
        let url = format!("http://{}", server.address());
        // From history first, and then live.
        let count = (samples().len() * 2).to_string();
        let mut arguments = vec!["sub", "c", "--url", &url, "--transport", transport];
        arguments.extend(["--since", "all", "--count", &count, "--for", "60s"]);
        arguments.extend(look);
        let mut child = fanfare(&arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell_first, first) = sync_channel(1);
        let (tell_all, all) = sync_channel(1);
        thread::spawn(move || {
            assert!(!stdout.fill_buf().unwrap().is_empty(), "nothing was printed");
            tell_first.send(()).unwrap();
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).unwrap();
            tell_all.send(bytes).unwrap();
        });
        Self { transport, child, first, stdout: all }
    }

    fn finish(self) -> Vec<u8> {
        let Self { transport, child, stdout, .. } = self;
        let outcome = finish(child);
        assert_eq!(outcome.code, Some(0), "{transport}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "{transport}");
        stdout.recv_timeout(DEADLINE).unwrap()
    }
}

/// What each transport printed under this look, of everything published twice.
fn printed(look: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
    let server = Server::dev(&[("FANFARE_HISTORY__BYTES", "16 MiB")]);
    publish(&server);
    let subscribed: Vec<_> =
        TRANSPORTS.iter().map(|transport| Subscribed::start(&server, transport, look)).collect();
    for subscribed in &subscribed {
        subscribed.first.recv_timeout(DEADLINE).expect("the first message is printed");
    }
    publish(&server);
    let finish = |subscribed: Subscribed| (subscribed.transport, subscribed.finish());
    subscribed.into_iter().map(finish).collect()
}

#[test]
fn plain_lines_are_the_same_over_each_transport_of_a_real_server() {
    let once: String = samples().iter().map(|sample| format!("{}\n", sample.plain)).collect();
    for (transport, stdout) in printed(&[]) {
        assert!(stdout == once.repeat(2).as_bytes(), "{transport} differs");
    }
}

#[test]
fn raw_bytes_are_the_same_over_each_transport_of_a_real_server() {
    let once: Vec<u8> = samples().into_iter().flat_map(|sample| sample.raw).collect();
    for (transport, stdout) in printed(&["--raw"]) {
        assert!(stdout == once.repeat(2), "{transport} differs");
    }
}

#[test]
fn envelopes_are_the_same_over_each_transport_of_a_real_server() {
    let printed = printed(&["--json"]);
    let (_, first) = &printed[0];
    let text = std::str::from_utf8(first).unwrap();
    let samples = samples();
    assert_eq!(text.lines().count(), samples.len() * 2);
    for (offset, (line, sample)) in text.lines().zip(samples.iter().chain(&samples)).enumerate() {
        let envelope: serde_json::Value = line.parse().unwrap();
        assert_eq!(envelope["offset"], offset as u64 + 1);
        assert_eq!(envelope["content_type"], sample.content_type);
        assert!(envelope.get("cursor").is_none(), "a cursor belongs to one reader");
    }
    for (transport, stdout) in &printed {
        assert!(stdout == first, "{transport} differs");
    }
}

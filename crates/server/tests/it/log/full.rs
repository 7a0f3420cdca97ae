//! A disk without room: publishes are refused and say why, all else goes on, and room heals it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{post, published, read};
use crate::crash::{Directory, start};
use crate::reader::Carrier;
use crate::server::Server;
use crate::wire::{Wire, body, frame};

/// A small file system of its own, which goes with its test.
struct Small(Directory);

impl Small {
    /// Mounts it; none if this machine lets nobody.
    fn mount() -> Option<Self> {
        let directory = Directory::new("full");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "fanfare"]).arg(directory.path());
        let why = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(directory)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        println!("skipped: no file system can be mounted here: {why}");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A server that a failing test has left behind must not keep the mount.
        let _unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// A text that is large enough for a segment to hold few of them.
fn text(number: usize) -> String {
    format!("{}#{number:05}", "x".repeat(16 << 10))
}

/// Publishes until it is refused; gives what was acknowledged, and the refusal.
fn fill(wire: &mut Wire, live: &mut Wire) -> (Vec<String>, String) {
    let mut acknowledged = Vec::new();
    loop {
        let text = text(acknowledged.len());
        let answer = post(wire, "/c/news", &text);
        if !answer.starts_with("HTTP/1.1 200 ") {
            return (acknowledged, answer);
        }
        live.until(&text[text.len() - 6..]);
        acknowledged.push(text);
        assert!(acknowledged.len() < 2_000, "the disk never fills");
    }
}

/// Whoever publishes, over whatever, is told the same.
fn refused(server: &Server, wire: &mut Wire, first: &str) {
    let more = text(99_999);
    let by_edge = wire.post_chunked("news", &more);
    for answer in [first, &by_edge, &post(wire, "/c/news", &more)] {
        assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");
        let problem: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
        assert_eq!(problem["code"], "storage-full", "{answer}");
        assert!(problem["hint"].as_str().unwrap().contains("log.bytes_max"), "{answer}");
    }
    let item = serde_json::json!([{"channel": "news", "data": more}]).to_string();
    let answer = post_json(wire, "/publish", &item);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"code\":\"storage-full\""), "{answer}");

    let mut commands = server.connect();
    commands.open_websocket("/c", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    let command = serde_json::json!({"id": 7, "type": "publish", "channel": "news", "data": more})
        .to_string();
    commands.frame();
    commands.send(frame(0x81, command.as_bytes()));
    let reply: serde_json::Value = serde_json::from_slice(&commands.frame().1).unwrap();
    assert_eq!((&reply["id"], &reply["type"]), (&7.into(), &"error".into()), "{reply}");
    assert_eq!(reply["code"], "storage-full", "{reply}");

    let mut raw = server.connect();
    raw.open_websocket("/c/news", &[]);
    raw.send(frame(0x81, more.as_bytes()));
    let (kind, told) = raw.frame();
    assert_eq!((kind, &told[..2]), (0x88, &1008_u16.to_be_bytes()[..]), "{told:?}");
    assert!(told[2..].starts_with(b"storage-full"), "{}", String::from_utf8_lossy(&told[2..]));
}

fn post_json(wire: &mut Wire, target: &str, json: &str) -> String {
    let length = format!("Content-Length: {}", json.len());
    wire.ask(&format!("POST {target} HTTP/1.1"), &["Content-Type: application/json", &length]);
    wire.send(json);
    wire.answer()
}

/// Reads and live streams go on, and so does what needs no room.
fn served(server: &Server, wire: &mut Wire, live: &mut Wire, acknowledged: &[String]) {
    for carrier in [Carrier::Sse, Carrier::V1] {
        assert_eq!(read(server.address(), carrier, "all", acknowledged.len()), acknowledged);
    }
    let answer = post(wire, "/c/news?ttl=0", "live only");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    live.until("data: live only\n");
    wire.ask("DELETE /c/other HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200 "), "there is room for a removal");
    assert_eq!(wire.figure("fanfare_log_full"), 1);
    wire.ask("GET /ready HTTP/1.1", &[]);
    let ready = wire.answer();
    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.contains("no room"), "{ready}");
}

#[test]
fn a_full_disk_refuses_publishes_and_nothing_else_until_there_is_room() {
    let Some(small) = Small::mount() else { return };
    let ballast = small.path().join("ballast");
    fs::write(&ballast, vec![7; 4 << 20]).unwrap();
    let store = small.path().join("store");
    let settings =
        [("FANFARE_LOG__SEGMENT_BYTES", "1MiB"), ("FANFARE_LIMITS__PAYLOAD_BYTES_MAX", "128KiB")];
    let server = start(&store, &settings);
    let (mut wire, mut live) = (server.connect(), server.connect());
    live.ask("GET /c/news?since=all HTTP/1.1", &["Accept: text/event-stream"]);
    live.until("event: fanfare.open\n");
    published(&mut wire, "/c/other", "to be removed");

    let (mut acknowledged, refusal) = fill(&mut wire, &mut live);
    assert!(acknowledged.len() > 100, "{}: {refusal}", acknowledged.len());
    refused(&server, &mut wire, &refusal);
    served(&server, &mut wire, &mut live, &acknowledged);

    fs::remove_file(&ballast).unwrap();
    let begun = Instant::now();
    let number = acknowledged.len();
    while !post(&mut wire, "/c/news", &text(number)).starts_with("HTTP/1.1 200 ") {
        assert!(begun.elapsed() < Duration::from_secs(30), "there is room, and it is not used");
        // A new segment is tried for once a second.
        std::thread::sleep(Duration::from_millis(50));
    }
    live.until(&format!("#{number:05}"));
    acknowledged.push(text(number));
    assert_eq!(wire.figure("fanfare_log_full"), 0);
    wire.ask("GET /ready HTTP/1.1", &[]);
    assert!(wire.answer().ends_with("ready\n"));

    // What was refused is not there, and nothing else is missing.
    drop(server);
    let server = start(&store, &settings);
    assert_eq!(read(server.address(), Carrier::Sse, "all", acknowledged.len()), acknowledged);
    let mut wire = server.connect();
    wire.ask("GET /c/news?as=json&since=last:2 HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(answer.contains(acknowledged.last().unwrap()), "the newest of what was acknowledged");
    println!("{} acknowledged on a disk that was full, all there", acknowledged.len());
}

//! Streams that are compressed, as curl reads them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::prose;
use crate::server::Server;
use crate::wire::header;

const SETTINGS: [(&str, &str); 1] = [("FANFARE_COMPRESSION__STREAMS", "true")];

/// Longer than a line should take, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// curl, which reads a stream and is ended with the test.
struct Curl {
    child: Child,
    lines: Receiver<String>,
}

impl Curl {
    fn get(url: &str, accepts: &str) -> Self {
        let mut child = Command::new("curl")
            .args(["--silent", "--show-error", "--no-buffer", "--compressed", "--include"])
            .args(["--max-time", "60", "--header", accepts, url])
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is installed");
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1_000);
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Reads up to a line that begins so, and gives it.
    fn line(&self, begin: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line {begin:?}: {error}"));
            if line.to_ascii_lowercase().starts_with(&begin.to_ascii_lowercase()) {
                return line;
            }
        }
    }

    /// Waits for its end; says whether it was content with what it read.
    fn ended_well(mut self) -> bool {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn curl_reads_each_event_as_it_comes() {
    let server = Server::dev(&SETTINGS);
    for (coding, accepts) in [("gzip", "Accept-Encoding: gzip"), ("zstd", "Accept-Encoding: zstd")]
    {
        for (form, begin) in [
            ("", "data: "),
            ("&as=ndjson", "{\"type\":\"message\""),
            // curl shows the head of an answer with the first of its body.
            ("&as=raw", ""),
        ] {
            let channel = format!("{coding}{}", form.len());
            let text = |number: usize| format!("{number} {}", prose(400 * number));
            server.publish(&channel, &text(0));
            let target = format!("/c/{channel},other?since=all{form}");
            let curl = Curl::get(&format!("http://{}{target}", server.address()), accepts);
            assert_eq!(curl.line("content-encoding:"), format!("Content-Encoding: {coding}"));
            if form.is_empty() {
                curl.line("event: fanfare.open");
                curl.line("id: ");
            }
            for number in 0..5 {
                if number > 0 {
                    server.publish(&channel, &text(number));
                }
                let begin = if begin.is_empty() { format!("{number} ") } else { begin.to_owned() };
                let line = curl.line(&begin);
                assert!(line.contains(&text(number)), "{target}: {line}");
                if form.is_empty() {
                    assert_eq!(curl.line("id: ").matches('~').count(), 2);
                }
            }
        }
    }
    let mut wire = server.connect_to_edge("metrics");
    for coding in ["gzip", "zstd"] {
        let figure =
            |side: &str| format!("fanfare_compression_{side}_bytes_total{{coding=\"{coding}\"}}");
        let (before, after) = (wire.figure(&figure("before")), wire.figure(&figure("after")));
        assert!(before > 3_000 && after < before / 2, "{coding}: {after} of {before} bytes");
    }
}

#[test]
fn an_end_is_one_to_curl_and_a_cut_is_none() {
    for coding in ["gzip", "zstd"] {
        let server = Server::dev(&SETTINGS);
        let accepts = format!("Accept-Encoding: {coding}");
        let url = format!("http://{}/c/news?since=all", server.address());
        let curl = Curl::get(&url, &accepts);
        curl.line("event: fanfare.open");
        server.publish("news", &prose(2_000));
        curl.line("data: line 0");
        server.publish("news?end=1", "last");
        curl.line("event: fanfare.end");
        assert!(curl.ended_well(), "{coding}: a clean end");
        let curl = Curl::get(&url.replace("news", "other"), &accepts);
        curl.line("event: fanfare.open");
        server.terminate();
        curl.line("retry: ");
        assert!(!curl.ended_well(), "{coding}: a cut");
    }
}

#[test]
fn the_edge_compresses_alike() {
    let server = Server::dev(&SETTINGS);
    let mut wire = server.connect_to_edge("news");
    wire.ask("HEAD /c/news HTTP/1.1", &["Accept-Encoding: gzip"]);
    let head = wire.until("\r\n\r\n");
    assert_eq!(header(&head, "content-encoding"), Some("gzip"));
    assert_eq!(header(&head, "vary"), Some("Accept, Accept-Encoding, Origin"));
    // Answers that stand are left as they are.
    for target in ["/c/news/history", "/c/news?wait=0"] {
        wire.ask(&format!("GET {target} HTTP/1.1"), &["Accept-Encoding: gzip"]);
        let answer = wire.answer();
        assert_eq!(header(&answer, "content-encoding"), None, "{answer}");
    }
    // A publish in chunks and a stream behind it on the same connection: curl does both.
    for coding in ["gzip", "zstd"] {
        let channel = format!("edge-{coding}");
        let url = format!("http://{}/c/{channel}", server.address());
        let mut child = Command::new("curl")
            .args(["--silent", "--show-error", "--no-buffer", "--max-time", "60"])
            .args(["--header", "Transfer-Encoding: chunked", "--data-binary", "first", &url])
            .args(["--next", "--silent", "--no-buffer", "--compressed", "--include"])
            .args(["--max-time", "60"])
            .args(["--header", &format!("Accept-Encoding: {coding}")])
            .arg(format!("{url}?since=all"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = out.lines().map_while(Result::ok);
        let mut line = |begin: &str| {
            let found = lines.find(|line| line.to_ascii_lowercase().starts_with(begin));
            found.unwrap_or_else(|| panic!("{coding}: no line {begin:?}"))
        };
        assert_eq!(line("content-encoding:"), format!("content-encoding: {coding}"));
        line("event: fanfare.open");
        line("data: first");
        for bytes in [10, 5_000, 100_000] {
            server.publish(&channel, &prose(bytes));
            assert!(line("data: line 0").ends_with(&prose(bytes)), "{coding}: {bytes}");
        }
        server.publish(&format!("{channel}?end=1"), "last");
        line("event: fanfare.end");
        drop(lines);
        assert!(child.wait().unwrap().success(), "{coding}: a clean end");
    }
}

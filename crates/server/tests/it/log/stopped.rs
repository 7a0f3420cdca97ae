//! `fanfare dev` is stopped and started where it stands: its readers come back and have missed nothing.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::published;
use crate::cli::run::{Folder, fanfare};
use crate::server::Server;

/// How `dev` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With Ctrl-C, or what stands for it.
    Stopped,
    /// With `kill -9`.
    Killed,
}

/// `fanfare dev` as somebody types it in a folder, on a port that stays the same.
fn dev(folder: &Path, port: u16) -> Server {
    let listen = format!("127.0.0.1:{port}");
    let mut command = fanfare(&["dev", "--listen", &listen]);
    command.current_dir(folder).env_remove("FANFARE_ENGINE");
    Server::of(command)
}

/// `fanfare sub`, line by line.
struct Subscriber {
    child: Child,
    data: Receiver<String>,
    told: Receiver<String>,
}

impl Subscriber {
    fn start(port: u16, transport: &str) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let arguments = ["sub", "news", "--url", &url, "--since", "all", "--transport", transport];
        let mut child = fanfare(&arguments).spawn().unwrap();
        let data = lines::<ChildStdout>(child.stdout.take().unwrap());
        let told = lines::<ChildStderr>(child.stderr.take().unwrap());
        Self { child, data, told }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn lines<T: std::io::Read + Send + 'static>(output: T) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1_000);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_secs(60)).expect("a line comes")
}

/// Waits for the word on the resumption; a gap fails.
fn resumed(subscriber: &Subscriber) {
    loop {
        let line = next(&subscriber.told);
        assert!(!line.contains("gap"), "{line}");
        if line.contains("resumed") {
            assert!(line.contains("resumed, 0 missed"), "{line}");
            return;
        }
    }
}

fn comes_back(transport: &str, endings: &[Ending]) {
    let folder = Folder::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = dev(folder.path(), port);
    published(&mut server.connect(), "/c/news", "before");
    let subscriber = Subscriber::start(port, transport);
    assert_eq!(next(&subscriber.data), "before");
    for (number, ending) in endings.iter().enumerate() {
        if *ending == Ending::Stopped {
            server.terminate();
            assert_eq!(server.exit_code(), Some(0), "{ending:?}");
        }
        drop(server);
        server = dev(folder.path(), port);
        let text = format!("after {ending:?} {number}");
        published(&mut server.connect(), "/c/news", &text);
        assert_eq!(next(&subscriber.data), text);
        resumed(&subscriber);
    }
    let kept = folder.path().join(".fanfare");
    assert!(kept.join("STORE").is_file(), "history is kept in ./.fanfare unless told otherwise");
}

#[test]
fn sub_has_missed_nothing_when_dev_is_stopped_and_started() {
    comes_back("ws", &[Ending::Stopped, Ending::Killed]);
}

#[test]
fn sub_over_sse_has_missed_nothing_when_dev_is_stopped_and_started() {
    comes_back("sse", &[Ending::Stopped, Ending::Killed]);
}

#[test]
fn dev_with_memory_alone_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut command = fanfare(&["dev", "--listen", "127.0.0.1:0", "--memory"]);
    command.current_dir(folder.path()).env_remove("FANFARE_ENGINE");
    let server = Server::of(command);
    published(&mut server.connect(), "/c/news", "forgotten");
    assert!(!folder.path().join(".fanfare").exists());
}

//! A server of one test: started on a free port, told to leave or killed at its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::run::{Folder, fanfare};
use crate::told;
use crate::wire::Wire;

/// Longer than starting or leaving should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    /// A credential in its log.
    told: Arc<OnceLock<String>>,
    address: String,
    greeting: String,
}

impl Server {
    /// `fanfare dev` with these settings, as `FANFARE_A__B` and value.
    pub(crate) fn dev(settings: &[(&str, &str)]) -> Self {
        Self::start(&["dev"], settings)
    }

    /// `fanfare demo`.
    pub(crate) fn demo() -> Self {
        Self::start(&["demo"], &[])
    }

    /// `fanfare dev` or `fanfare demo` with this configuration file.
    pub(crate) fn configured(mode: &str, file: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path().join("fanfare.toml");
        fs::write(&path, file).unwrap();
        // It is read before the address is told.
        Self::start(&[mode, "--config", path.to_str().unwrap()], &[])
    }

    /// `fanfare serve` that takes publications from this key only.
    pub(crate) fn serve(key: &str) -> Self {
        let flags = ["serve", "--publisher-key", key, "--anonymous-subscribe"];
        Self::start(&flags, &[])
    }

    fn start(flags: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = fanfare(flags);
        command.args(["--listen", "127.0.0.1:0"]).envs(settings.iter().copied());
        Self::of(command)
    }

    /// The server that this command starts; one of its addresses is on 127.0.0.1.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let told = Arc::default();
        let lines = lines(child.stderr.take().unwrap(), Arc::clone(&told));
        let (address, greeting) = (String::new(), String::new());
        let mut server = Self { child, lines, told, address, greeting };
        (server.address, server.greeting) = server.listening();
        server
    }

    /// Where it listens, as its first words say, and these.
    fn listening(&self) -> (String, String) {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect("the server tells its address");
            if let Some((_, rest)) = line.split_once("127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return (format!("127.0.0.1:{port}"), line);
            }
        }
    }

    /// Its address and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The line that told its address, and of `serve` all others too.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory that it has resident, code and stacks included.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(&self.address)
    }

    /// A connection that hyper owns: it has answered a chunked POST to `channel`.
    pub(crate) fn connect_to_edge(&self, channel: &str) -> Wire {
        let mut wire = self.connect();
        let answer = wire.post_chunked(channel, "first");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        wire
    }

    /// A connection that hyper owns, whatever it may publish: it was told that all is well.
    pub(crate) fn connect_to_hyper(&self) -> Wire {
        let mut wire = self.connect();
        wire.ask("GET /health HTTP/1.1", &[]);
        wire.answer();
        wire
    }

    /// Publishes over a connection of its own.
    pub(crate) fn publish(&self, channel: &str, body: &str) {
        let answer = self.connect().post_chunked(channel, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Has it read its configuration again, and gives the line of its log that says what came of it.
    pub(crate) fn reload(&self) -> String {
        self.signal(rustix::process::Signal::HUP);
        self.line_with("the configuration was read again")
    }

    /// Waits for a line of its log that holds this.
    pub(crate) fn line_with(&self, words: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("no line says {words:?}: {error}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Has it end, and gives every line of its log that was not asked for before.
    pub(crate) fn last_words(&self) -> Vec<String> {
        self.terminate();
        let until = Instant::now() + DEADLINE;
        let mut lines = Vec::new();
        while let Ok(line) =
            self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            lines.push(line);
        }
        assert!(Instant::now() < until, "the server did not leave in time");
        lines
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let until = Instant::now() + DEADLINE;
        // Its last line is followed by the end of its stderr.
        while let Ok(_line) =
            self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))
        {}
        assert!(Instant::now() < until, "the server did not leave in time");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has left already cannot be killed and need not be.
        let _left = self.child.kill();
        let _code = self.child.wait();
        // To its end, so that no line goes unread.
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        if let (Some(words), false) = (self.told.get(), thread::panicking()) {
            panic!("the log tells a credential: {words:?}");
        }
    }
}

fn lines(stderr: ChildStderr, told: Arc<OnceLock<String>>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1_024);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            if let Some(words) = told::found(line.as_bytes()) {
                let _first = told.set(words);
            }
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

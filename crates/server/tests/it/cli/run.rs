//! Runs the binary and waits for it, with a deadline.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use crate::told;

/// Longer than any command here should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Stdout as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }
}

/// The binary with arguments, in an empty environment.
pub(crate) fn fanfare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Servers of tests stand side by side in one directory; those about the log say where it is.
    if matches!(arguments.first(), Some(&("dev" | "serve"))) {
        command.env("FANFARE_ENGINE", "memory");
    }
    command
}

/// Runs to the end.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    finish(fanfare(arguments).spawn().unwrap())
}

/// Runs to the end with this on stdin.
pub(crate) fn run_with_stdin(arguments: &[&str], stdin: &[u8]) -> Outcome {
    let mut child = fanfare(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    finish(child)
}

/// Waits for the end of a process; one that does not end is killed and fails the test.
pub(crate) fn finish(child: Child) -> Outcome {
    finish_within(child, DEADLINE)
}

/// The same for one that is asked for a token or a key, and has to tell it.
pub(crate) fn finish_telling(child: Child) -> Outcome {
    outcome(child, DEADLINE)
}

/// The same for one that takes its time.
pub(crate) fn finish_within(child: Child, deadline: Duration) -> Outcome {
    let outcome = outcome(child, deadline);
    told::look("stdout", &outcome.stdout);
    told::look("stderr", outcome.stderr.as_bytes());
    outcome
}

fn outcome(mut child: Child, deadline: Duration) -> Outcome {
    let stdout = child.stdout.take().map(read);
    let stderr = child.stderr.take().map(read);
    let mut told = |output| wait(&mut child, &output, deadline);
    let stdout = stdout.map(&mut told).unwrap_or_default();
    let stderr = stderr.map(&mut told).unwrap_or_default();
    let code = child.wait().unwrap().code();
    Outcome { code, stdout, stderr: String::from_utf8(stderr).unwrap() }
}

fn wait(child: &mut Child, output: &Receiver<Vec<u8>>, deadline: Duration) -> Vec<u8> {
    output.recv_timeout(deadline).unwrap_or_else(|error| {
        child.kill().unwrap();
        panic!("the command did not end: {error}");
    })
}

fn read(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        sender.send(bytes).unwrap();
    });
    receiver
}

/// A folder of one test, removed when it ends.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the build folder and disturbs no other test.
        let _left = fs::remove_dir_all(&self.0);
    }
}

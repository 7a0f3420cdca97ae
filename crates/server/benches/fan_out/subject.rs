//! A child under measurement: the real binary, or the floor.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::round::Lengths;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The binary that users run.
    Fanfare,
    /// The bare loop.
    Floor,
}

/// A running child; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Subject {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    child: Child,
}

impl Subject {
    /// Starts it on a free port. The floor's frames and answers have these lengths.
    ///
    /// # Errors
    /// If it does not start or does not tell its address.
    pub(crate) fn start(kind: Kind, lengths: Lengths) -> Result<Self> {
        let mut command = match kind {
            Kind::Fanfare => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
                command.args(["dev", "--listen", "127.0.0.1:0", "--shards", "1"]);
                command
            }
            Kind::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--floor", &lengths.frame.to_string(), &lengths.answer.to_string()]);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the child does not start")?;
        let stderr = child.stderr.take().context("the child has no stderr")?;
        let mut subject = Self { address: String::new(), child };
        let mut lines = BufReader::new(stderr).lines();
        for line in lines.by_ref() {
            if let Some((_, rest)) = line?.split_once("127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                subject.address = format!("127.0.0.1:{port}");
                break;
            }
        }
        if subject.address.is_empty() {
            bail!("the child ended before it listened");
        }
        // Whatever else it says must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        Ok(subject)
    }

    /// CPU time that all its threads have taken so far, in nanoseconds, once it has come to rest.
    ///
    /// # Errors
    /// If the kernel does not tell, or the child does not come to rest within five seconds.
    pub(crate) fn cpu(&self) -> Result<u64> {
        let mut before = cpu_of(&self.child.id().to_string())?;
        for _ in 0..1_000 {
            thread::sleep(Duration::from_millis(5));
            let now = cpu_of(&self.child.id().to_string())?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        bail!("the child does not come to rest");
    }

    /// Bytes of memory that are its own and nobody else's: `Private_Dirty`. What the kernel keeps
    /// for its sockets is not among them.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(crate) fn memory(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kilobytes: u64 = line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .context("no Private_Dirty")?
            .trim()
            .parse()?;
        Ok(kilobytes * 1_024)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // One that has ended already cannot be killed and need not be.
        let _ended = self.child.kill();
        let _code = self.child.wait();
    }
}

/// CPU time that this process has taken so far, in nanoseconds.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) fn own_cpu() -> Result<u64> {
    cpu_of("self")
}

/// The sum over a process's threads; `schedstat` counts nanoseconds where `stat` has ticks. Threads
/// that have ended are not in it, and none of the children ends any between two readings.
fn cpu_of(process: &str) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            // It ended since the folder was listed.
            continue;
        };
        let first = text.split_whitespace().next().context("an empty schedstat")?;
        sum += first.parse::<u64>()?;
    }
    Ok(sum)
}

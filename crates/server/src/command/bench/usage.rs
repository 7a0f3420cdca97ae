//! What processes have used, as the kernel counts it: a server's, its children included, and one's
//! own.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// The processes of a server: those named, and all that descend from them.
#[derive(Debug, Clone)]
pub(super) struct Processes(Vec<u32>);

/// Bytes of memory, over all processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Memory {
    /// What is theirs and nobody else's, and has been written to: `Private_Dirty`.
    pub(super) private: u64,
    /// What is resident, shared pages divided among those that share them: `Pss`.
    pub(super) proportional: u64,
}

impl Processes {
    /// Those of these roots; without one nothing can be told.
    pub(super) fn of(roots: Vec<u32>) -> Self {
        Self(roots)
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The roots and all that descend from them now.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(super) fn all(&self) -> Result<Vec<u32>> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if let Some(parent) = parent(process) {
                children.entry(parent).or_default().push(process);
            }
        }
        let mut open = self.0.clone();
        let mut all = BTreeSet::new();
        while let Some(process) = open.pop() {
            if all.insert(process) {
                open.extend(children.get(&process).into_iter().flatten());
            }
        }
        Ok(all.into_iter().collect())
    }

    /// CPU time that all their threads have taken so far, in nanoseconds, at this moment.
    ///
    /// # Errors
    /// If the kernel does not tell, or a process has ended.
    pub(super) fn cpu(&self) -> Result<u64> {
        self.all()?.into_iter().map(|process| cpu_of(&process.to_string())).sum()
    }

    /// The same once they have come to rest, or have gone on for [`REST_MAX`] without: some servers
    /// never rest, and what they do then is in their figures.
    ///
    /// # Errors
    /// As [`Self::cpu`].
    pub(super) fn cpu_at_rest(&self) -> Result<u64> {
        let all = self.all()?;
        let sum = || all.iter().map(|process| cpu_of(&process.to_string())).sum::<Result<u64>>();
        let mut before = sum()?;
        for _ in 0..REST_MAX.as_millis() / REST.as_millis() {
            thread::sleep(REST);
            let now = sum()?;
            if now - before <= REST_NANOS {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }

    /// Their memory. What the kernel keeps for their sockets is not in it.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(super) fn memory(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for process in self.all()? {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
                .with_context(|| format!("the memory of process {process}"))?;
            sum.private += kilobytes(&rollup, "Private_Dirty:")? * 1_024;
            sum.proportional += kilobytes(&rollup, "Pss:")? * 1_024;
        }
        Ok(sum)
    }

    /// The most memory that they have had resident since the last time that this was asked, in
    /// bytes: the sum of what each has had, at whatever moment that was.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(super) fn memory_peak(&self) -> Result<u64> {
        let mut sum = 0;
        for process in self.all()? {
            let file = |name| format!("/proc/{process}/{name}");
            let status = fs::read_to_string(file("status"))
                .with_context(|| format!("the memory of process {process}"))?;
            sum += kilobytes(&status, "VmHWM:")? * 1_024;
            fs::write(file("clear_refs"), FORGET_PEAK)
                .with_context(|| format!("the memory of process {process}"))?;
        }
        Ok(sum)
    }
}

/// CPU time that this process has taken so far, in nanoseconds.
///
/// # Errors
/// If the kernel does not tell.
pub(super) fn own_cpu() -> Result<u64> {
    cpu_of("self")
}

/// The same of the thread that asks.
///
/// # Errors
/// If the kernel does not tell.
pub(super) fn own_thread_cpu() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    first_number(&text)
}

/// The sum over a process's threads; `schedstat` counts nanoseconds where `stat` has ticks. Threads
/// that have ended are not in it.
fn cpu_of(process: &str) -> Result<u64> {
    let mut sum = 0;
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .with_context(|| format!("process {process} has ended"))?;
    for task in tasks {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            // It ended since the folder was listed.
            continue;
        };
        sum += first_number(&text)?;
    }
    Ok(sum)
}

fn first_number(text: &str) -> Result<u64> {
    Ok(text.split_whitespace().next().context("an empty schedstat")?.parse()?)
}

fn kilobytes(rollup: &str, name: &str) -> Result<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(number.with_context(|| format!("the kernel tells no {name}"))?.trim().parse()?)
}

/// The parent of a process; its name, which stands before, may have any bytes in it.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Sees to it that there are so many file descriptors.
///
/// # Errors
/// If there are not, with what to do about it.
pub(super) fn need_files(files: usize) -> Result<()> {
    let limit = crate::config::machine::raise_limits().open_files;
    if (files as u64) + FILES_BESIDE > limit {
        bail!(
            "{files} connections need {} open files and the limit is {limit}: raise `ulimit -n`, \
             or ask for fewer --connections",
            files as u64 + FILES_BESIDE
        );
    }
    Ok(())
}

/// What has the kernel measure the greatest memory anew.
const FORGET_PEAK: &str = "5";

/// How long no more than [`REST_NANOS`] may be taken for a process to be at rest.
const REST: Duration = Duration::from_millis(5);
const REST_NANOS: u64 = 20_000;
const REST_MAX: Duration = Duration::from_secs(5);

/// Files that are open beside connections.
const FILES_BESIDE: u64 = 200;

#[cfg(test)]
#[path = "usage_test.rs"]
mod tests;

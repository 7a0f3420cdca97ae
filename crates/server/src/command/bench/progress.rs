//! What the bench is doing just now, on a terminal: one line that is written over and over.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    shown: bool,
    next: Instant,
    /// What stands before everything: the scenario, the round, whose turn it is.
    phase: String,
}

impl Progress {
    /// On stderr, if that is a terminal.
    pub(super) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        Self { terminal, shown: false, next: Instant::now(), phase: String::new() }
    }

    /// One that says nothing.
    pub(super) fn silent() -> Self {
        Self { terminal: false, ..Self::new() }
    }

    /// Begins a phase.
    pub(super) fn phase(&mut self, text: String) {
        self.phase = text;
        self.next = Instant::now();
        self.tell(String::new);
    }

    /// Says how far it is, a few times a second at most.
    pub(super) fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if !self.terminal || now < self.next {
            return;
        }
        self.next = now + PAUSE;
        self.shown = true;
        // Back to the beginning of the line, and what stood there is wiped out.
        self.write(&format!("\r\x1b[2K{} {}", self.phase, text()));
    }

    /// Clears the line, so that something else can be written.
    pub(super) fn clear(&mut self) {
        if self.shown {
            self.shown = false;
            self.write("\r\x1b[2K");
        }
    }

    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // That nobody reads stderr stops nothing.
        let _unread = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

const PAUSE: Duration = Duration::from_millis(150);

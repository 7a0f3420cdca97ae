//! Leaving: what the first signal begins and the second one cuts short.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::server::Server;
use crate::config::settings::{Mode, Settings};
use crate::exit::Exit;

/// How long `/ready` fails before anyone is asked to leave, so that balancers look elsewhere
/// first; a tenth of the window if that is shorter.
const NOTICE_MAX: Duration = Duration::from_secs(2);

/// What is granted after the window to those who have not left.
const GRACE: Duration = Duration::from_secs(5);

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on signals no longer end the process by themselves.
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Drains the server over its window, now that a signal has come. A second one ends it at once.
pub(super) async fn when_told(
    mut signals: Signals,
    server: Server,
    settings: &Settings,
) -> Result<Exit> {
    let window = settings.drain.window;
    // Nobody balances between servers on one's own machine.
    let notice = match settings.mode {
        Mode::Dev | Mode::Demo => Duration::ZERO,
        Mode::Serve => NOTICE_MAX.min(window / 10),
    };
    tracing::info!(window_seconds = window.as_secs(), "leaving: a second signal ends at once");
    server.announce();
    let leaving = async {
        sleep(notice).await;
        server.leave(window, Instant::now() + window + GRACE).await;
    };
    tokio::select! {
        () = leaving => Ok(Exit::Success),
        () = signals.next() => {
            tracing::warn!("a second signal: the rest is cut");
            // Threads that still serve would keep the process waiting for them.
            std::process::exit(i32::from(Exit::Interrupted.code()))
        }
    }
}

//! Reading the configuration again: on SIGHUP, as a whole or not at all.
//!
//! What can be exchanged is made ready first ([`Server::prepare`]), and then put in the place of
//! what was there. Readers stay where they are: what a connection was told when it began, its
//! heartbeat or its limit on messages, holds for it until it ends.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::server::Server;
use crate::config::settings::Settings;
use crate::config::standing::{Changes, Standing};
use crate::logging::Logging;
use crate::metrics::Reloaded;

/// What it takes to read the configuration again.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The configuration that holds.
    pub standing: Standing,
    /// Whether a server may go on with these settings; says why not.
    pub suffices: fn(&Settings) -> Result<()>,
}

/// SIGHUP.
#[derive(Debug)]
pub(super) struct Hangups(Signal);

impl Hangups {
    /// From here on the signal no longer ends the process.
    pub(super) fn listen() -> Result<Self> {
        signal(SignalKind::hangup()).map(Self).context("signals cannot be received")
    }
}

impl Reload {
    /// Reads it again whenever the signal comes; never ends. `settings` are always those that hold.
    pub(super) async fn run(
        mut self,
        mut hangups: Hangups,
        server: &Server,
        logging: &Logging,
        settings: &mut Settings,
    ) {
        while hangups.0.recv().await.is_some() {
            match self.again(server, logging) {
                Ok((renewed, changes)) => {
                    *settings = renewed;
                    server.cells().reloaded(Reloaded::Taken);
                    tell(&changes);
                }
                Err(error) => {
                    server.cells().reloaded(Reloaded::Refused);
                    let why = format!("{error:#}").replace('\n', "; ");
                    tracing::error!(
                        why,
                        "the configuration was read again and is wrong: the one before holds on"
                    );
                }
            }
        }
        // No signal will ever come.
        std::future::pending::<()>().await;
    }

    fn again(&mut self, server: &Server, logging: &Logging) -> Result<(Settings, Changes)> {
        let mut renewal = self.standing.read_again()?;
        (self.suffices)(&renewal.settings)?;
        let exchange = server.prepare(&renewal.settings)?;
        logging.set_level(&renewal.settings.log.level)?;
        server.exchange(exchange);
        server.reload_certificates();
        let changes = std::mem::take(&mut renewal.changes);
        let settings = renewal.settings.clone();
        self.standing.accept(renewal);
        Ok((settings, changes))
    }
}

/// Says what has changed: keys alone, since values may be secrets.
fn tell(changes: &Changes) {
    let Changes { exchanged, restart } = changes;
    let (changed, needs_restart) = (exchanged.join(", "), restart.join(", "));
    match (exchanged.as_slice(), restart.as_slice()) {
        ([], []) => tracing::info!("the configuration was read again: every value is as before"),
        (_, []) => tracing::info!(changed, "the configuration was read again"),
        _ => tracing::warn!(
            changed,
            needs_restart,
            "the configuration was read again: some of it takes a restart"
        ),
    }
}

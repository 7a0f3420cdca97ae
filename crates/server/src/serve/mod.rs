//! The composition root: builds a server from settings and runs it until it is told to leave.

mod banner;
mod files;
mod leave;
mod listen;
mod parts;
mod reload;
mod server;

use std::net::TcpListener;

use anyhow::{Context, Result};

use crate::config::settings::Settings;
use crate::exit::Exit;
use crate::logging;
use crate::metrics::PanicCount;
pub(crate) use files::mistakes;
pub(crate) use parts::{access, tokens};
pub(crate) use reload::Reload;
use server::Server;

/// Runs a server until SIGTERM or Ctrl-C has drained it. With a `reload`, SIGHUP reads the
/// configuration again; without one it ends the process, as it does where nobody asked otherwise.
///
/// # Errors
///
/// The server cannot start, or one of its parts broke.
pub(crate) fn run(settings: Settings, reload: Option<Reload>) -> Result<Exit> {
    let logging = logging::start(&settings.log)?;
    PanicCount::install();
    let listeners = listen::all(&settings)?;
    let addresses = listeners
        .iter()
        .map(|(listener, entrance)| Ok((listener.local_addr()?, *entrance)))
        .collect::<std::io::Result<Vec<_>>>()
        .context("the address of a listening socket cannot be read")?;
    let admin = listen::operators(&settings)?;
    let operators = admin
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<Vec<_>, _>>()
        .context("the address of a listening socket cannot be read")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(EDGE_WORKERS)
        .thread_name("edge")
        .enable_all()
        .build()
        .context("the edge's threads cannot be started")?;
    let outcome = runtime.block_on(async {
        // Signals count from here on, so that whoever has read the banner can send one.
        let mut signals = leave::Signals::listen()?;
        let hangups = reload.is_some().then(reload::Hangups::listen).transpose()?;
        let server = Server::start(&settings, listeners, admin)?;
        banner::show(&settings, &addresses, &operators);
        let mut settings = settings;
        if let Some((reload, hangups)) = reload.zip(hangups) {
            let reloading = reload.run(hangups, &server, &logging, &mut settings);
            tokio::select! {
                () = signals.next() => {}
                () = reloading => {}
            }
        } else {
            signals.next().await;
        }
        leave::when_told(signals, server, &settings).await
    });
    // Everyone has left or was given up: nothing is worth another wait.
    runtime.shutdown_background();
    outcome
}

/// Threads of the edge; the shards have the cores.
const EDGE_WORKERS: usize = 2;

//! What a person sees when the server has started.

use std::net::SocketAddr;

use crate::config::settings::{Mode, Settings};
use crate::tls::Entrance;

/// Tells where the server listens; on one's own machine also what to type next.
#[expect(clippy::print_stderr, reason = "a person started it and wants to see where it is")]
pub(super) fn show(
    settings: &Settings,
    addresses: &[(SocketAddr, Entrance)],
    operators: &[SocketAddr],
) {
    let limits = &settings.limits;
    let (shards, open_files) = (settings.shards, settings.open_files);
    match settings.mode {
        Mode::Serve => {
            let listening: Vec<_> = addresses.iter().map(url).collect();
            let admin: Vec<_> = operators.iter().map(ToString::to_string).collect();
            tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                listening = listening.join(", "),
                admin = (!admin.is_empty()).then(|| admin.join(", ")),
                shards,
                open_files,
                connections_max = limits.connections_max,
                "serving"
            );
        }
        Mode::Dev | Mode::Demo => eprint!("{}", words(settings, addresses, operators)),
    }
}

fn words(
    settings: &Settings,
    addresses: &[(SocketAddr, Entrance)],
    operators: &[SocketAddr],
) -> String {
    let mode = settings.mode.name();
    let mut words = format!("fanfare {} {mode}\n\n", env!("CARGO_PKG_VERSION"));
    let visit = if settings.mode == Mode::Demo { "look at" } else { "try it " };
    for url in addresses.iter().map(url) {
        words.push_str(&format!("  {visit}  {url}/\n"));
    }
    if let Some(url) = addresses.first().map(url) {
        words.push_str(&format!("  listen   curl -N {url}/c/news\n"));
        words.push_str(&format!("  publish  curl -d 'Hello' {url}/c/news\n"));
    }
    for address in operators {
        words.push_str(&format!("  operate  http://{address}/metrics\n"));
    }
    words.push_str(&format!(
        "\n  {} shards, {} open files at most, so {} connections\n\n",
        settings.shards, settings.open_files, settings.limits.connections_max
    ));
    words
}

fn url((address, entrance): &(SocketAddr, Entrance)) -> String {
    match entrance {
        Entrance::Plain => format!("http://{address}"),
        Entrance::Secure => format!("https://{address}"),
    }
}

//! What `fanfare demo` has beside `fanfare dev`: the pages of `examples/` and what they show.
//!
//! Nothing of it runs in another mode. The pages come out of the binary; what they need of channels
//! and routes is a configuration that anyone can copy ([`CONFIGURATION`]).

mod desk;
mod pages;
mod source;

use std::sync::Arc;

use anyhow::{Context, Result};
use fanfare_core::name::ChannelName;
use tokio_util::task::TaskTracker;

use crate::edge::Drain;
use crate::node::Node;
use desk::Desk;
pub(crate) use pages::{Found, find};
use source::{clock, news, prices};

/// The configuration below all others, and the name that messages call it by.
pub(crate) const CONFIGURATION: (&str, &str) =
    ("examples/demo.toml", include_str!("../../../../examples/demo.toml"));

/// Starts everything that publishes by itself. It ends when the server drains.
///
/// # Errors
///
/// A channel has a name that is none, which is a mistake in this folder.
pub(crate) fn start(node: &Arc<Node>, drain: &Drain, tracker: &TaskTracker) -> Result<()> {
    let desk = Desk::new(Arc::clone(node), drain.clone(), tracker.clone());
    desk.run(clock::tick(desk.clone(), channel("clock")?));
    desk.run(prices::wander(desk.clone(), channel("prices")?));
    desk.run(news::report(desk.clone(), channel("news")?));
    Ok(())
}

fn channel(name: &str) -> Result<ChannelName> {
    ChannelName::new(name).with_context(|| format!("the demo cannot publish to {name:?}"))
}

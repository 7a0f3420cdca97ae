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

use crate::edge::{Arrivals, Drain};
use crate::node::Node;
use desk::Desk;
pub(crate) use pages::{Found, find};
use source::{clock, news, prices, story};

/// The configuration below all others, and the name that messages call it by.
pub(crate) const CONFIGURATION: (&str, &str) =
    ("examples/demo.toml", include_str!("../../../../examples/demo.toml"));

/// Starts everything that publishes by itself, and takes who comes to a channel of its own. It ends
/// when the server drains.
///
/// # Errors
///
/// A channel has a name that is none, which is a mistake in this folder.
pub(crate) fn start(node: &Arc<Node>, drain: &Drain, tracker: &TaskTracker) -> Result<Arrivals> {
    let desk = Desk::new(Arc::clone(node), drain.clone(), tracker.clone());
    desk.run(clock::tick(desk.clone(), channel("clock")?));
    desk.run(prices::wander(desk.clone(), channel("prices")?));
    desk.run(news::report(desk.clone(), channel("news")?));
    let (arrivals, coming) = tokio::sync::mpsc::channel(ARRIVALS_MAX);
    desk.run(story::tell_each(desk.clone(), coming));
    Ok(arrivals)
}

/// Readers who wait for a story to begin, beside those who are being told one.
const ARRIVALS_MAX: usize = 64;

fn channel(name: &str) -> Result<ChannelName> {
    ChannelName::new(name).with_context(|| format!("the demo cannot publish to {name:?}"))
}

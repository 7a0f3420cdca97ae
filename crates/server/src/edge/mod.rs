//! The edge: everything that a shard does not answer itself, on tokio and hyper.
//!
//! Shards hand connections over through [`Handoff`]; [`connection`] serves each one with hyper,
//! [`handle`] finds what a request asks for. Publishing and asking go to the owners of channels;
//! reading is a subscriber of a shard behind a pipe; a WebSocket goes back to a shard. The edge
//! holds no channel and no history.

pub(crate) mod admin;
mod alias;
mod answer;
mod ask;
mod attend;
mod batch;
mod body;
mod connection;
mod drain;
mod handle;
mod http2;
mod inquire;
mod intake;
mod operations;
mod pace;
mod page;
mod poll;
mod publish;
mod random;
mod read;
mod resolve;
mod rewound;
mod session;
mod socket;
mod stream;
mod tunnel;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fanfare_core::name::ChannelName;
use fanfare_core::namespace::Namespaces;
use fanfare_core::publication::Draft;
use fanfare_core::shard::Answer;
use fanfare_protocol::native::alias::Aliases;
use fanfare_protocol::native::cors::OriginPolicy;
use fanfare_protocol::native::route::Rules;
use tokio_util::task::TaskTracker;

use crate::auth::Access;
use crate::hooks::Questions;
use crate::limit::{Limiter, Terms};
use crate::load::Load;
use crate::metrics::EdgeCells;
use crate::metrics::scrape::Sources;
use crate::node::Node;
pub(crate) use alias::Arrivals;

pub(crate) use drain::{Drain, DrainSwitch, drain};
use handle::unexpected;
pub(crate) use handle::unix_millis;
pub(crate) use http2::StreamBounds;
pub(crate) use intake::{Handoff, Intake};
pub(crate) use page::Pages;
pub(crate) use random::Jitter;

/// The bounds and words of the edge.
#[derive(Debug, Clone)]
pub(crate) struct EdgeOptions {
    /// Bytes of a request head at most.
    pub head_bytes_max: usize,
    /// How long a request head may take from its first byte.
    pub head_within: Duration,
    /// How long a connection may stay between two requests.
    pub idle_within: Duration,
    /// Bytes of a body that have to come in every `body_progress_within`, or its end.
    pub body_progress_bytes: usize,
    /// See `body_progress_bytes`.
    pub body_progress_within: Duration,
    /// What one connection of HTTP/2 may have and do.
    pub streams: StreamBounds,
    /// Connections at one time, readers on HTTP/2 included.
    pub connections_max: usize,
    /// When event streams are told to come back in general.
    pub retry: Jitter,
    /// When they are told to come back as they are drained or refused for now.
    pub drain_retry: Jitter,
    /// Which pages there are.
    pub pages: Pages,
    /// Where `/metrics` is.
    pub metrics: MetricsPlace,
}

/// Where `/metrics` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsPlace {
    /// On every listener.
    Everywhere,
    /// On the listeners of operators only.
    Apart,
}

/// What the edge is made of. A new configuration is another one of it; what is not of the
/// configuration, both share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// The shards.
    pub node: Arc<Node>,
    /// How many connections there are, and where.
    pub load: Arc<Load>,
    /// What holds for the channels of each namespace.
    pub namespaces: Arc<Namespaces>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Which hosts and origins are served.
    pub policy: Arc<OriginPolicy>,
    /// What each address, user and channel may do.
    pub terms: Arc<Terms>,
    /// Who holds them to that.
    pub limiter: Arc<Limiter>,
    /// What requests are read by.
    pub rules: Rules,
    /// Which paths stand for URLs of channels.
    pub aliases: Arc<Aliases>,
    /// Where it is told that a channel was made for one reader; none in `dev` and `serve`.
    pub arrivals: Option<Arrivals>,
    /// The bounds and words.
    pub options: EdgeOptions,
    /// What the application's backend is asked; none where it is asked nothing.
    pub hooks: Option<Arc<Questions>>,
    /// What is counted.
    pub cells: Arc<EdgeCells>,
    /// What a scrape reads.
    pub sources: Sources,
    /// Whether the server leaves.
    pub drain: Drain,
    /// Every task of the edge.
    pub tracker: TaskTracker,
}

/// Publishes from inside of the process, as a request that has passed every check does.
pub(crate) async fn publish(node: &Node, channel: ChannelName, draft: Draft) -> Answer {
    ask::publish(node, channel, draft).answer().await
}

/// The edge as it is configured at present. Each request is answered by what holds when it comes.
#[derive(Debug)]
pub(crate) struct Present(ArcSwap<Shared>);

impl Present {
    /// What holds from the start.
    pub(crate) fn new(shared: Shared) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(shared)))
    }

    /// What holds now.
    pub(crate) fn get(&self) -> Arc<Shared> {
        self.0.load_full()
    }

    /// Requests that come from here on are answered by this.
    pub(crate) fn exchange(&self, shared: Shared) {
        self.0.store(Arc::new(shared));
    }

    /// Serves what shards hand over, until they have ended.
    pub(crate) async fn run(self: Arc<Self>, intake: Intake) {
        connection::serve_all(self, intake).await;
    }
}

impl Shared {
    fn draining(&self) -> bool {
        self.drain.has_begun()
    }
}

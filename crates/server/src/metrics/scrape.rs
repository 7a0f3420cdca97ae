//! A scrape: copies every shard's cells and names them.

use std::sync::Arc;
use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::frame::Coding;
use fanfare_core::gap::GapReason;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::sample::{Sample, Value, text};
use super::{Delays, EdgeCells, PanicCount, Refusals, Transport};
use crate::auth::token::Tokens;
use crate::coding::{CodingFigures, Passage, coding_name};
use crate::engine::Health;
use crate::hooks::events::Events;
use crate::hooks::{Figures, Questions};
use crate::limit::Limiter;
use crate::load::Load;
use crate::node::{Letter, Node, ShardSnapshot};
use crate::tls::{Certificates, TlsFigures};

pub(crate) use super::sample::TEXT_TYPE;

/// How long a shard may take to answer a scrape. Its figures are then missing, and
/// `fanfare_shards_silent` says so.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a scrape finds its figures.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The shards.
    pub node: Arc<Node>,
    /// What the acceptor counts.
    pub load: Arc<Load>,
    /// What the edge counts.
    pub edge: Arc<EdgeCells>,
    /// Each limit's key and value.
    pub limits: Arc<[(&'static str, u64)]>,
    /// Who holds addresses, users and channels to their limits.
    pub limiter: Arc<Limiter>,
    /// The log, if there is one.
    pub log: Option<Arc<Health>>,
    /// The certificates of TLS, if it is spoken.
    pub certificates: Option<Arc<Certificates>>,
    /// What is done with tokens, if there are any.
    pub tokens: Option<Arc<Tokens>>,
    /// What the application's backend is told.
    pub events: Arc<Events>,
    /// What is counted of questions to the application's backend.
    pub questions: Arc<Figures>,
    /// What is asked of it, if anything.
    pub hooks: Option<Arc<Questions>>,
}

impl Sources {
    /// Asks every shard, then writes the text.
    ///
    /// # Errors
    /// When the text cannot be formatted.
    pub(crate) async fn scrape(&self) -> Result<String, std::fmt::Error> {
        let questions: Vec<_> = self
            .node
            .mailboxes()
            .iter()
            .map(|mailbox| {
                let (sender, receiver) = oneshot::channel();
                mailbox.put(Letter::Snapshot(sender));
                timeout(SNAPSHOT_TIMEOUT, receiver)
            })
            .collect();
        let mut total = Total::default();
        for question in questions {
            match question.await {
                Ok(Ok(snapshot)) => total.add(&snapshot),
                _ => total.silent += 1,
            }
        }
        total.shards = self.node.mailboxes().len() as u64;
        text(self.samples(total))
    }

    fn samples(&self, mut total: Total) -> Vec<Sample> {
        for (place, transport) in Transport::ALL.into_iter().enumerate() {
            total.connections[place] += self.edge.connections(transport);
        }
        total.refusals.add(self.edge.refusals());
        total.refusals.raise(Code::ConnectionsFull, self.load.refused());
        let [crowds, storms] = self.load.limited();
        total.refusals.raise(Code::ConnectionsLimited, crowds);
        total.refusals.raise(Code::RateLimited, storms);
        total.written_bytes += self.edge.written_bytes();
        let mut samples = self.process();
        samples.extend(self.large_messages());
        samples.extend(total.messages());
        samples.extend(total.compression());
        samples.extend(total.shards());
        samples.extend(total.ended());
        samples.extend(super::tls::samples(self.certificates.as_deref(), &total.tls));
        samples.extend(super::tokens::samples(self.tokens.as_deref()));
        samples.extend(super::events::samples(self.events.figures()));
        samples.extend(super::hooks::samples(&self.questions, self.hooks.as_deref()));
        samples.extend(self.edge.http2().samples());
        samples.extend(self.log.as_deref().map(super::log::samples).unwrap_or_default());
        samples
    }

    fn large_messages(&self) -> [Sample; 3] {
        let clerks = self.node.clerks();
        [
            Sample {
                name: "fanfare_large_messages",
                help: "Messages and bodies of more than 64 KiB that were read apart from others",
                value: Value::Counter(clerks.given()),
            },
            Sample {
                name: "fanfare_large_messages_waiting",
                help: "Of these, those that wait to be read",
                value: Value::Gauge(clerks.waiting() as u64),
            },
            Sample {
                name: "fanfare_large_messages_bytes",
                help: "What they hold, to be held against limits.large_messages_bytes_max",
                value: Value::Gauge(self.limiter.large_bytes() as u64),
            },
        ]
    }

    fn process(&self) -> Vec<Sample> {
        let limits = self.limits.iter();
        let limits = limits.map(|(key, value)| ((*key).to_owned(), *value));
        vec![
            Sample {
                name: "fanfare_build",
                help: "What is running",
                value: Value::Info(vec![("version", env!("CARGO_PKG_VERSION").to_owned())]),
            },
            Sample {
                name: "fanfare_limit",
                help: "Each limit by its configuration key, in its own unit",
                value: Value::Gauges("key", limits.collect()),
            },
            Sample {
                name: "fanfare_connections_open",
                help: "Connections of every kind, to be held against limits.connections_max",
                value: Value::Gauge(self.load.connections() as u64),
            },
            Sample {
                name: "fanfare_handshakes_pending",
                help: "Connections whose first request is not whole yet",
                value: Value::Gauge(self.load.handshakes() as u64),
            },
            Sample {
                name: "fanfare_accepts_starved",
                help: "Times that a connection found no file descriptor free",
                value: Value::Counter(self.load.starved()),
            },
            Sample {
                name: "fanfare_publishes_in_flight",
                help: "Publications on their way, to be held against limits.publishes_in_flight_max",
                value: Value::Gauge(self.node.permits().in_flight() as u64),
            },
            Sample {
                name: "fanfare_publishes_in_flight_bytes",
                help: "Payload in them, to be held against limits.publishes_in_flight_bytes_max",
                value: Value::Gauge(self.node.permits().bytes_in_flight() as u64),
            },
            Sample {
                name: "fanfare_limited",
                help: "Times that an address, a user or a channel was over a limit, by its key",
                value: Value::Counters(
                    "key",
                    self.limiter.limited().map(|(key, count)| (key.to_owned(), count)).collect(),
                ),
            },
            Sample {
                name: "fanfare_rates_forgotten",
                help: "Rates forgotten before their time, see limits.rates_tracked_max",
                value: Value::Counter(self.limiter.forgotten()),
            },
            Sample {
                name: "fanfare_reloads",
                help: "Times that the configuration was read again, by what came of it",
                value: Value::Counters(
                    "outcome",
                    self.edge.reloads().map(|(name, count)| (name.to_owned(), count)).into(),
                ),
            },
            Sample {
                name: "fanfare_panics",
                help: "Panics that ended one connection and were survived: bugs",
                value: Value::Counter(PanicCount::read()),
            },
        ]
    }
}

/// What all shards counted together.
#[derive(Debug, Default)]
struct Total {
    core: fanfare_core::shard::Figures,
    connections: [u64; Transport::ALL.len()],
    refusals: Refusals,
    written_bytes: u64,
    received_bytes: u64,
    delays: [Delays; Transport::ALL.len()],
    broken: u64,
    accepted: u64,
    handed_over: u64,
    publishes: u64,
    changes: [u64; 2],
    unanswered: u64,
    expired: u64,
    revoked: [u64; 2],
    stuck: u64,
    coding: CodingFigures,
    tls: TlsFigures,
    shards: u64,
    silent: u64,
}

impl Total {
    fn add(&mut self, snapshot: &ShardSnapshot) {
        let ShardSnapshot { core, sockets } = snapshot;
        let sum = &mut self.core;
        sum.publications += core.publications;
        sum.publication_bytes += core.publication_bytes;
        sum.publishes_refused += core.publishes_refused;
        sum.deliveries += core.deliveries;
        sum.conflated += core.conflated;
        sum.slow_readers += core.slow_readers;
        sum.channels += core.channels;
        sum.feeds += core.feeds;
        sum.readers += core.readers;
        sum.ring_bytes += core.ring_bytes;
        sum.feed_bytes += core.feed_bytes;
        sum.page_bytes += core.page_bytes;
        sum.keys += core.keys;
        sum.members += core.members;
        sum.joins += core.joins;
        sum.leaves += core.leaves;
        sum.lag_max = sum.lag_max.max(core.lag_max);
        for (gaps, more) in sum.gaps.iter_mut().zip(core.gaps) {
            *gaps += more;
        }
        for (open, more) in self.connections.iter_mut().zip(sockets.connections) {
            *open += more;
        }
        self.refusals.add(sockets.refusals.counts());
        self.written_bytes += sockets.written_bytes;
        self.received_bytes += sockets.received_bytes;
        for (delays, more) in self.delays.iter_mut().zip(&sockets.delays) {
            delays.add(more);
        }
        self.broken += sockets.broken;
        self.accepted += sockets.accepted;
        self.handed_over += sockets.handed_over;
        self.publishes += sockets.publishes;
        self.unanswered += sockets.silent;
        self.expired += sockets.expired;
        let revoked = [sockets.revoked, sockets.channels_revoked];
        self.revoked.iter_mut().zip(revoked).for_each(|(sum, more)| *sum += more);
        self.stuck += sockets.stuck;
        let changes = [sockets.changes_made, sockets.changes_refused];
        self.changes.iter_mut().zip(changes).for_each(|(sum, more)| *sum += more);
        self.coding.add(&sockets.coding);
        self.tls.add(&sockets.tls);
    }

    /// What took how long, by transport.
    fn delays(&self) -> Vec<(String, Delays)> {
        let named = Transport::ALL.map(Transport::as_str).into_iter();
        named.map(str::to_owned).zip(self.delays.iter().cloned()).collect()
    }

    /// What happens to messages and to those who read them.
    fn messages(&self) -> Vec<Sample> {
        let named = Transport::ALL.map(Transport::as_str).into_iter();
        let connections = named.map(str::to_owned).zip(self.connections).collect();
        let reasons = GapReason::ALL.map(GapReason::as_str).into_iter();
        let gaps = reasons.map(str::to_owned).zip(self.core.gaps).collect();
        let refusals = self.refusals.named();
        let refusals = refusals.map(|(name, count)| (name.to_owned(), count));
        let outcomes = ["made", "refused"].map(str::to_owned);
        let changes = outcomes.into_iter().zip(self.changes).collect();
        let counter = |name, help, value| Sample { name, help, value: Value::Counter(value) };
        vec![
            Sample {
                name: "fanfare_connections",
                help: "Open connections by what they are at present",
                value: Value::Gauges("transport", connections),
            },
            counter("fanfare_publications", "Publications committed", self.core.publications),
            counter(
                "fanfare_publication_bytes",
                "Bytes of payload in committed publications",
                self.core.publication_bytes,
            ),
            counter(
                "fanfare_deliveries",
                "Publications and news of members handed to readers",
                self.core.deliveries,
            ),
            counter(
                "fanfare_conflated",
                "Publications that a newer one superseded on their way to conflating readers",
                self.core.conflated,
            ),
            counter("fanfare_written_bytes", "Bytes written to clients", self.written_bytes),
            counter("fanfare_received_bytes", "Bytes read by shards", self.received_bytes),
            Sample {
                name: "fanfare_gaps",
                help: "Gaps told to readers, by reason",
                value: Value::Counters("reason", gaps),
            },
            counter(
                "fanfare_slow_readers",
                "Readers that the ring has passed",
                self.core.slow_readers,
            ),
            Sample {
                name: "fanfare_refusals",
                help: "Requests and connections refused, by the code that the client was told",
                value: Value::Counters("reason", refusals.collect()),
            },
            counter(
                "fanfare_publishes_refused",
                "Publishes that an owner refused or could not store",
                self.core.publishes_refused,
            ),
            Sample {
                name: "fanfare_session_changes",
                help: "Channels that POST /sessions added to streams or dropped, or was refused",
                value: Value::Counters("outcome", changes),
            },
            Sample {
                name: "fanfare_publish_to_write_seconds",
                help: "From a publication's time to the write of its frame to a reader, by transport",
                value: Value::Delays("transport", self.delays()),
            },
        ]
    }

    /// What compression makes of bytes.
    fn compression(&self) -> Vec<Sample> {
        let by_coding = |bytes: fn(&Passage) -> u64| {
            let named = Coding::ALL.into_iter().map(coding_name).map(str::to_owned);
            let counts = self.coding.compressed.iter().map(bytes);
            Value::Counters("coding", named.zip(counts).collect())
        };
        let inflated = self.coding.inflated;
        vec![
            Sample {
                name: "fanfare_compression_before_bytes",
                help: "Bytes of frames that were compressed, before",
                value: by_coding(|passage| passage.taken),
            },
            Sample {
                name: "fanfare_compression_after_bytes",
                help: "Bytes of frames that were compressed, after",
                value: by_coding(|passage| passage.given),
            },
            Sample {
                name: "fanfare_inflation_before_bytes",
                help: "Bytes of messages of clients that came deflated, as they came",
                value: Value::Counter(inflated.taken),
            },
            Sample {
                name: "fanfare_inflation_after_bytes",
                help: "Bytes of messages of clients that came deflated, inflated",
                value: Value::Counter(inflated.given),
            },
        ]
    }

    /// What shards hold.
    fn shards(&self) -> Vec<Sample> {
        let counter = |name, help, value| Sample { name, help, value: Value::Counter(value) };
        let gauge = |name, help, value| Sample { name, help, value: Value::Gauge(value) };
        vec![
            gauge(
                "fanfare_lag_publications",
                "Publications between the slowest reader and the head of its feed",
                self.core.lag_max,
            ),
            gauge("fanfare_channels", "Channels that exist", self.core.channels),
            gauge(
                "fanfare_idempotency_keys",
                "Idempotency keys remembered, to be held against limits.idempotency_keys_max",
                self.core.keys,
            ),
            gauge("fanfare_feeds", "Channels being read, per shard and format", self.core.feeds),
            gauge("fanfare_readers", "Subscriptions to channels", self.core.readers),
            gauge(
                "fanfare_members",
                "Members of channels, counted for each channel",
                self.core.members,
            ),
            counter("fanfare_joins", "Members that have come", self.core.joins),
            counter("fanfare_leaves", "Members that have gone", self.core.leaves),
            gauge("fanfare_history_bytes", "Bytes that history holds", self.core.ring_bytes),
            gauge("fanfare_feed_bytes", "Bytes that feeds hold", self.core.feed_bytes),
            gauge(
                "fanfare_page_bytes",
                "Bytes of history pages on their way to readers, to be held against limits.pages_bytes_max per shard",
                self.core.page_bytes,
            ),
            gauge("fanfare_shards", "Threads that own connections and channels", self.shards),
            gauge(
                "fanfare_shards_silent",
                "Shards that did not answer this scrape in time",
                self.silent,
            ),
            counter("fanfare_accepted", "Connections accepted", self.accepted),
            counter(
                "fanfare_handovers",
                "Connections that shards handed to the edge",
                self.handed_over,
            ),
            counter(
                "fanfare_publishes_in_place",
                "Publishes that shards answered themselves",
                self.publishes,
            ),
        ]
    }

    /// Connections that the server has ended.
    fn ended(&self) -> Vec<Sample> {
        let counter = |name, help, value| Sample { name, help, value: Value::Counter(value) };
        vec![
            counter(
                "fanfare_connections_silent",
                "WebSockets ended because nobody answered their pings",
                self.unanswered,
            ),
            counter(
                "fanfare_connections_expired",
                "Readers sent away because their credentials had expired",
                self.expired,
            ),
            counter(
                "fanfare_connections_revoked",
                "Readers sent away because the rules were changed",
                self.revoked[0],
            ),
            counter(
                "fanfare_subscriptions_revoked",
                "Channels taken from readers because the rules were changed",
                self.revoked[1],
            ),
            counter(
                "fanfare_connections_stuck",
                "Readers ended because they took nothing of what waited for them",
                self.stuck,
            ),
            Sample {
                name: "fanfare_connections_broken",
                help: "Connections ended by a panic in their own code",
                value: Value::Counter(self.broken),
            },
        ]
    }
}

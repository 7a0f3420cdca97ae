//! A running server: its threads, and the ways to end them.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use fanfare_core::name::ChannelName;
use fanfare_core::permit::PermitPool;
use fanfare_core::settings::ShardId;
use fanfare_protocol::native::alias::Aliases;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listen::Listener;
use super::parts;
use crate::acceptor::{Acceptor, AcceptorOptions};
use crate::auth::token::{Tokens, fetch};
use crate::config::settings::{self, Mode, Settings};
use crate::demo;
use crate::edge::{self, DrainSwitch, Handoff, Intake};
use crate::engine::{Desk, Engine, Health, Memory, Store, log};
use crate::hooks::events::{Delivery, Events};
use crate::limit::Limiter;
use crate::load::Load;
use crate::metrics::EdgeCells;
use crate::metrics::scrape::Sources;
use crate::node::{Letter, Node};
use crate::shard::{self, Judge, Seat, ShardOptions};
use crate::tls::Acceptance;

/// Connections on their way from shards to the edge at most.
const HANDOFF_BOUND: usize = 1_024;

/// How often it is looked whether everyone has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    node: Arc<Node>,
    load: Arc<Load>,
    acceptor: Acceptor,
    shards: Vec<JoinHandle<()>>,
    log: Option<log::Running>,
    tracker: TaskTracker,
    drain: DrainSwitch,
    edge: Arc<edge::Present>,
    /// Ends what is served to operators.
    ended: CancellationToken,
}

/// What new settings make of the parts that can be exchanged; see [`Server::exchange`].
#[derive(Debug)]
pub(super) struct Exchange {
    judge: Judge,
    edge: edge::Shared,
    acceptor: AcceptorOptions,
    delivery: Delivery,
}

impl Server {
    /// Starts the shards, then the edge, then the acceptor, so that nobody comes too early.
    pub(super) fn start(
        settings: &Settings,
        listeners: Vec<Listener>,
        admin: Vec<TcpListener>,
    ) -> Result<Self> {
        let count = ShardId::try_from(settings.shards.max(1)).context("too many shards")?;
        let load = Load::new(count);
        let mut seats = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..count {
            let (mailbox, seat) = Seat::new().context("a shard has no poll")?;
            mailboxes.push(mailbox);
            seats.push(seat);
        }
        let limits = &settings.limits;
        let permits =
            PermitPool::new(limits.publishes_in_flight_max, limits.publishes_in_flight_bytes_max);
        let node = Node::new(mailboxes, permits);
        let (handoff, intake) = Handoff::channel(HANDOFF_BOUND);
        let (switch, drain) = edge::drain();
        let store = match settings.engine {
            settings::Engine::Log => Some(Store::open(settings)?),
            settings::Engine::Memory => None,
        };
        let health = store.as_ref().map(Store::health);
        let acceptance = parts::acceptance(settings)?;
        let tokens = parts::tokens(&settings.auth)?;
        let events = Events::new(parts::delivery(settings)?);
        let known = (tokens.clone(), events);
        let mut shared = shared(settings, (&node, &load), (drain, health), known);
        shared.hooks = parts::questions(settings, &shared.sources.questions, &shared.tracker)?;
        shared.sources.hooks.clone_from(&shared.hooks);
        if let Some(acceptance) = &acceptance {
            let certificates = Arc::clone(acceptance.certificates());
            shared.sources.certificates = Some(Arc::clone(&certificates));
            if let Some(keeper) = parts::keeper(settings, &certificates)? {
                until_drained(keeper.keep(), &shared);
            }
            until_drained(certificates.watch(), &shared);
        }
        if let Some(tokens) = &tokens {
            fetch::start(tokens, &shared.drain, &shared.tracker);
        }
        if settings.mode == Mode::Demo {
            let arrivals = demo::start(&node, &shared.drain, &shared.tracker)?;
            shared.arrivals = Some(arrivals);
        }
        let (shards, log) = start_shards(settings, seats, &shared, store, (&handoff, acceptance))?;
        let tracker = shared.tracker.clone();
        shared.sources.events.start(&tracker);
        let options = parts::acceptor(settings, &shared);
        let edge = edge::Present::new(shared);
        start_edge(Arc::clone(&edge), &tracker, intake);
        let ended = CancellationToken::new();
        for listener in admin {
            let listener = tokio::net::TcpListener::from_std(listener)
                .context("a listener for operators cannot be polled")?;
            tracker.spawn(edge::admin::serve(Arc::clone(&edge), listener, ended.clone()));
        }
        let acceptor = Acceptor::start(listeners, options, Arc::clone(&node), Arc::clone(&load))
            .context("the acceptor cannot be started")?;
        Ok(Self { node, load, acceptor, shards, log, tracker, drain: switch, edge, ended })
    }

    /// Makes everything ready that these settings can exchange. Whatever can fail does it here, so
    /// that either all of it is exchanged or nothing.
    ///
    /// # Errors
    ///
    /// A part cannot be what the settings say.
    pub(super) fn prepare(&self, settings: &Settings) -> Result<Exchange> {
        let mut shared = (*self.edge.get()).clone();
        let tokens = parts::tokens(&settings.auth)?;
        if let (Some(tokens), Some(before)) = (&tokens, &shared.sources.tokens) {
            tokens.take_over(before);
        }
        shared.access = Arc::new(parts::access(settings, tokens.clone()));
        shared.sources.tokens = tokens;
        let (figures, tracker) = (&shared.sources.questions, &shared.tracker);
        shared.hooks = parts::questions(settings, figures, tracker)?;
        shared.sources.hooks.clone_from(&shared.hooks);
        shared.policy = Arc::new(parts::policy(settings));
        shared.terms = Arc::new(parts::terms(settings));
        shared.rules = parts::rules(settings);
        shared.aliases = Arc::new(Aliases::new(settings.routes.clone()));
        shared.options = parts::edge(settings);
        shared.sources.limits = parts::limits(settings);
        let acceptor = parts::acceptor(settings, &shared);
        let delivery = parts::delivery(settings)?;
        Ok(Exchange { judge: judge(settings, &shared), edge: shared, acceptor, delivery })
    }

    /// From now on this holds: in the edge and the acceptor at once, in each shard when it opens its
    /// letter.
    pub(super) fn exchange(&self, exchange: Exchange) {
        let Exchange { mut judge, edge, acceptor, delivery } = exchange;
        edge.sources.events.exchange(delivery);
        judge.teller = edge.sources.events.teller();
        if let Some(before) = &self.edge.get().sources.tokens {
            before.retire();
        }
        if let Some(tokens) = &edge.sources.tokens {
            fetch::start(tokens, &edge.drain, &edge.tracker);
        }
        for mailbox in self.node.mailboxes() {
            mailbox.put(Letter::Reload(Box::new(judge.clone())));
        }
        self.edge.exchange(edge);
        self.acceptor.exchange(acceptor);
    }

    /// Has the files of certificates read again, and says in the log what came of it.
    pub(super) fn reload_certificates(&self) {
        if let Some(certificates) = &self.edge.get().sources.certificates {
            certificates.reload();
        }
    }

    /// What the edge counts.
    pub(super) fn cells(&self) -> Arc<EdgeCells> {
        Arc::clone(&self.edge.get().cells)
    }

    /// `/ready` fails from now on.
    pub(super) fn announce(&self) {
        self.drain.announce();
    }

    /// Accepts nobody any more, asks everyone to leave over `window`, and ends when they have, or
    /// at the deadline.
    pub(super) async fn leave(self, window: Duration, deadline: Instant) {
        let Self { node, load, acceptor, shards, log, tracker, drain, edge, ended } = self;
        let events = Arc::clone(&edge.get().sources.events);
        // Stopping waits for a thread, which is nothing to do on one of the edge's.
        let stopping = tokio::task::spawn_blocking(move || acceptor.stop());
        if stopping.await.is_err() {
            tracing::error!("the acceptor could not be stopped");
        }
        drain.begin();
        for mailbox in node.mailboxes() {
            mailbox.put(Letter::Drain(window));
        }
        while load.connections() > 0 && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        match load.connections() {
            0 => tracing::info!("everyone has left"),
            left => tracing::warn!(left, "connections are cut: they did not leave in time"),
        }
        for mailbox in node.mailboxes() {
            mailbox.put(Letter::Stop);
        }
        let joining = tokio::task::spawn_blocking(move || {
            for shard in shards {
                // A shard that panics ends the process itself, so it has nothing to say here.
                let _ended = shard.join();
            }
            // Nobody hands it anything any more.
            if let Some(Err(error)) = log.map(log::Running::stop) {
                tracing::warn!(%error, "the log was not closed: the next start reads all of it");
            }
            node.end();
        });
        ended.cancel();
        tracker.close();
        let last_words = events.farewell() + LAST_MOMENT;
        let ended = tokio::time::timeout_at(deadline.max(Instant::now() + last_words), async {
            let _joined = joining.await;
            events.end();
            tracker.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!("the last tasks did not end in time");
        }
    }
}

/// Starts the log if there is one, then the shards, each with the channels that it finds there.
fn start_shards(
    settings: &Settings,
    seats: Vec<Seat>,
    shared: &edge::Shared,
    mut store: Option<Store>,
    (handoff, acceptance): (&Handoff, Option<Acceptance>),
) -> Result<(Vec<JoinHandle<()>>, Option<log::Running>)> {
    let node = &shared.node;
    let mut waiting = Vec::new();
    for (seat, core) in
        seats.into_iter().zip(parts::shards(settings, &shared.namespaces, store.as_ref())?)
    {
        let owned = |channel: &ChannelName| node.owner(channel) == core.shard;
        let restored = store.as_mut().map(|store| store.restored(owned)).unwrap_or_default();
        waiting.push((seat, core, restored));
    }
    let log = store.map(|store| store.start(node.mailboxes().to_vec())).transpose()?;
    let mut shards = Vec::new();
    for (seat, core, restored) in waiting {
        let started = seat.start(shard::Parts {
            engine: match &log {
                Some(log) => Engine::Log(Desk::new(log.handle(), core.shard)),
                None => Engine::Memory(Memory),
            },
            settings: core,
            restored,
            judge: judge(settings, shared),
            node: Arc::clone(node),
            load: Arc::clone(&shared.load),
            acceptance: acceptance.clone(),
            handoff: handoff.clone(),
        });
        shards.push(started.context("a shard cannot be started")?);
    }
    Ok((shards, log))
}

/// What the last tasks have when everyone has left, or the deadline has passed.
const LAST_MOMENT: Duration = Duration::from_secs(1);

fn shared(
    settings: &Settings,
    (node, load): (&Arc<Node>, &Arc<Load>),
    (drain, health): (edge::Drain, Option<Arc<Health>>),
    (tokens, events): (Option<Arc<Tokens>>, Arc<Events>),
) -> edge::Shared {
    let cells = EdgeCells::new();
    let limiter = Limiter::new(settings.limits.rates_tracked_max, Arc::clone(load.tally()));
    edge::Shared {
        node: Arc::clone(node),
        load: Arc::clone(load),
        namespaces: Arc::new(parts::namespaces(settings)),
        access: Arc::new(parts::access(settings, tokens.clone())),
        policy: Arc::new(parts::policy(settings)),
        terms: Arc::new(parts::terms(settings)),
        limiter: Arc::clone(&limiter),
        rules: parts::rules(settings),
        aliases: Arc::new(Aliases::new(settings.routes.clone())),
        arrivals: None,
        options: parts::edge(settings),
        hooks: None,
        sources: Sources {
            node: Arc::clone(node),
            load: Arc::clone(load),
            edge: Arc::clone(&cells),
            limits: parts::limits(settings),
            limiter,
            log: health,
            certificates: None,
            tokens,
            events,
            questions: Arc::default(),
            hooks: None,
        },
        cells,
        drain,
        tracker: TaskTracker::new(),
    }
}

/// What shards judge requests by: the same as the edge.
fn judge(settings: &Settings, shared: &edge::Shared) -> Judge {
    Judge {
        options: shard_options(settings),
        rules: shared.rules,
        aliases: Arc::clone(&shared.aliases),
        access: Arc::clone(&shared.access),
        policy: Arc::clone(&shared.policy),
        terms: Arc::clone(&shared.terms),
        limiter: Arc::clone(&shared.limiter),
        teller: shared.sources.events.teller(),
        hooks: shared.hooks.clone(),
    }
}

/// Does this until the server leaves.
fn until_drained(work: impl Future<Output = ()> + Send + 'static, shared: &edge::Shared) {
    let mut drain = shared.drain.clone();
    shared.tracker.spawn(async move {
        tokio::select! {
            () = work => {}
            () = drain.begun() => {}
        }
    });
}

fn start_edge(edge: Arc<edge::Present>, tracker: &TaskTracker, intake: Intake) {
    let serving = tracker.spawn(edge.run(intake));
    tracker.spawn(async move {
        // It is never aborted, and a node whose edge takes nobody any more would look alive.
        if serving.await.is_err() {
            tracing::error!("the edge has panicked: the process ends");
            shard::end_process();
        }
    });
}

fn shard_options(settings: &Settings) -> ShardOptions {
    let limits = &settings.limits;
    ShardOptions {
        head_bytes_max: limits.request_head_bytes_max,
        head_within: limits.request_head_timeout,
        body_progress_bytes: limits.request_body_progress_bytes,
        body_within: limits.request_body_progress_timeout,
        idle_within: limits.idle_timeout,
        write_within: limits.write_timeout,
        expiry_notice: settings.auth.expiry_notice,
        expiry_grace: settings.auth.expiry_grace,
        retry: settings.retry.min..settings.retry.max,
        drain_retry: settings.drain.retry.min..settings.drain.retry.max,
        ..ShardOptions::default()
    }
}

//! From settings to what shards, edge and acceptor are built from.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fanfare_core::namespace::{NamespaceRules, Namespaces, Presence, PresenceBounds};
use fanfare_core::position::Epoch;
use fanfare_core::prefix::Prefixes;
use fanfare_core::settings::{
    Depth, Retention, ShardId, ShardSettings, SlowReader as CoreSlowReader,
};
use fanfare_protocol::native::cors::{Hosts, OriginPolicy, Origins};
use fanfare_protocol::native::route::Rules;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::files;
use crate::acceptor::AcceptorOptions;
use crate::auth::token::{IssuerParts, KeySet, Tokens};
use crate::auth::{Access, ChannelAccess, Places, PublisherKey};
use crate::coding;
use crate::config::settings::{
    Auth, ChannelRules, Issuer, Jitter, KeysAt, Mode, Settings, SlowReader,
};
use crate::edge::{self, EdgeOptions, MetricsPlace, Pages, StreamBounds};
use crate::engine::Store;
use crate::hooks::events::Delivery;
use crate::hooks::{AskedAbout, Client, Endpoint, Figures, QuestionParts, Questions, Signer};
use crate::limit::{Each, Rate, Terms};
use crate::shard;
use crate::tls::{Acceptance, Certificates, Keeper, Trust};

/// Bytes of one page of history on its way to a reader.
const PAGE_BYTES: usize = 64 * 1024;

/// Entries that a feed holds for readers that are behind. It does not follow the retention: a channel
/// that keeps ten publications must not pass a healthy reader that is eleven behind.
const FEED_COUNT: usize = 8192;

/// Sends to the readers of one feed before the next feed has its turn.
const SENDS_PER_VISIT: usize = 256;

/// How long a question to the engine may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Who may publish and read; `tokens` is what is done with those.
pub(crate) fn access(settings: &Settings, tokens: Option<Arc<Tokens>>) -> Access {
    let rest = channel_access(None, &settings.rest);
    let namespaces = settings.namespaces.iter().map(|namespace| {
        let access = channel_access(Some(namespace.name.as_str().into()), &namespace.rules);
        (namespace.prefix.as_str().into(), access)
    });
    let places = Places {
        cookie: settings.auth.cookie.as_deref().map(Into::into),
        query: settings.auth.query_token,
    };
    let access = match settings.mode {
        Mode::Dev | Mode::Demo => Access::open(rest, namespaces),
        Mode::Serve => {
            let keys = settings.auth.publisher_keys.iter().map(|key| PublisherKey::new(key));
            let named = settings.auth.keys.iter();
            let named =
                named.map(|key| PublisherKey::named(&key.name, key.hash, key.grants.clone()));
            Access::keyed(keys.chain(named), rest, namespaces)
        }
    };
    access.looking_in(places).with_tokens(tokens)
}

/// What is done with tokens; none if there is no issuer.
///
/// # Errors
///
/// A file with keys cannot be read, or has none.
pub(crate) fn tokens(auth: &Auth) -> Result<Option<Arc<Tokens>>> {
    if auth.issuers.is_empty() {
        return Ok(None);
    }
    let issuers = auth.issuers.iter().map(issuer).collect::<Result<Vec<_>>>()?;
    Ok(Some(Arc::new(Tokens::new(issuers, auth.token_bytes_max, auth.tokens_remembered_max))))
}

fn issuer(issuer: &Issuer) -> Result<IssuerParts> {
    let allowed = issuer.algorithms;
    let secrets = issuer.secrets.iter().map(|secret| KeySet::of_secret(secret, allowed));
    let keys = secrets.fold(KeySet::default(), KeySet::with).with(files::keys(issuer)?);
    Ok(IssuerParts {
        name: issuer.name.clone(),
        issuer: issuer.issuer.clone(),
        audience: issuer.audience.clone(),
        algorithms: allowed,
        leeway: issuer.leeway.as_secs(),
        require_expiry: issuer.require_expiry,
        keys,
        url: issuer.jwks.as_ref().and_then(KeysAt::url).map(str::to_owned),
    })
}

/// What is asked of the application's backend; none where it is asked nothing. What is counted goes
/// on being counted.
///
/// # Errors
///
/// Nobody can be believed to be the backend: a file is of no use, or the system has none.
pub(super) fn questions(
    settings: &Settings,
    figures: &Arc<Figures>,
    tracker: &TaskTracker,
) -> Result<Option<Arc<Questions>>> {
    let hooks = &settings.hooks;
    let asking = [&hooks.connect, &hooks.subscribe, &hooks.publish, &hooks.refresh];
    if asking.iter().all(|asking| asking.is_none()) {
        return Ok(None);
    }
    let about = |rules: &ChannelRules| AskedAbout {
        subscribe: rules.ask_subscribe,
        publish: rules.ask_publish,
    };
    let namespaces = settings.namespaces.iter();
    let namespaces = namespaces.map(|it| (it.prefix.as_str().into(), about(&it.rules)));
    Ok(Some(Questions::new(QuestionParts {
        asking: asking.map(Clone::clone),
        namespaces: Prefixes::new(namespaces),
        rest: about(&settings.rest),
        forwarded: hooks.forward_headers.clone().into(),
        max: hooks.questions_max,
        rules: rules(settings),
        client: hook_client(settings)?,
        figures: Arc::clone(figures),
        runtime: Handle::current(),
        tracker: tracker.clone(),
    })))
}

/// What talks to the application's backend.
///
/// # Errors
///
/// As for [`questions`].
pub(super) fn hook_client(settings: &Settings) -> Result<Client> {
    let hooks = &settings.hooks;
    let trust = match &hooks.ca {
        Some(path) => Trust::File(path.clone()),
        None => Trust::System,
    };
    let trust = hooks.endpoints().any(Endpoint::is_secure).then_some(trust);
    let client = Client::new(Signer::new(&hooks.secrets), trust.as_ref(), hooks.timeout);
    client.context("whom to believe to be the backend (`hooks.ca`)")
}

fn channel_access(namespace: Option<Box<str>>, rules: &ChannelRules) -> ChannelAccess {
    ChannelAccess {
        namespace,
        anonymous_subscribe: rules.anonymous_subscribe,
        anonymous_publish: rules.anonymous_publish,
        client_publish: rules.client_publish,
        users: rules.users,
    }
}

/// Which hosts and origins are served.
pub(super) fn policy(settings: &Settings) -> OriginPolicy {
    let hosts = match (settings.mode, settings.hosts.as_slice()) {
        (Mode::Dev | Mode::Demo, []) => Hosts::Loopback,
        (Mode::Serve, []) => Hosts::Any,
        (_, hosts) => Hosts::Listed(hosts.to_vec()),
    };
    let origins = match (settings.mode, &settings.public_url) {
        (Mode::Dev | Mode::Demo, _) => Origins::Loopback,
        (Mode::Serve, None) => Origins::SameHostAnd(settings.origins.clone()),
        (Mode::Serve, Some(public_url)) => {
            let listed = std::iter::once(public_url).chain(&settings.origins);
            Origins::Listed(listed.cloned().collect())
        }
    };
    OriginPolicy { hosts, origins }
}

/// How TLS connections are begun, if they are listened for.
///
/// # Errors
///
/// A certificate that is of no use.
pub(super) fn acceptance(settings: &Settings) -> Result<Option<Acceptance>> {
    if settings.tls.listen.is_empty() {
        return Ok(None);
    }
    let certificates = Certificates::read(settings.tls.certificates.clone())?;
    Acceptance::new(certificates).map(Some)
}

/// What keeps a certificate fresh that an authority issues, if one does.
///
/// # Errors
///
/// A folder or a file that is of no use.
pub(super) fn keeper(
    settings: &Settings,
    certificates: &Arc<Certificates>,
) -> Result<Option<Keeper>> {
    let acme = settings.tls.acme.clone();
    acme.map(|acme| Keeper::open(acme, certificates)).transpose()
}

/// Where the application's backend is told what happens, and how.
///
/// # Errors
///
/// Nobody can be believed to be that backend.
pub(super) fn delivery(settings: &Settings) -> Result<Delivery> {
    let hooks = &settings.hooks;
    let secure = hooks.events.as_ref().is_some_and(Endpoint::is_secure);
    let trust = secure.then(|| hooks.ca.clone().map_or(Trust::System, Trust::File));
    let client = Client::new(Signer::new(&hooks.secrets), trust.as_ref(), hooks.timeout);
    Ok(Delivery {
        client: Arc::new(client.context("the backend of `hooks.events_url` cannot be reached")?),
        endpoint: hooks.events.clone(),
        disconnects: hooks.disconnects,
        terms: hooks.event_terms,
    })
}

/// What requests are read by.
pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        payload_bytes_max: settings.limits.payload_bytes_max,
        heartbeat: settings.heartbeat,
        compression: settings.compression,
    }
}

/// The settings of every shard, from the first on.
///
/// # Errors
///
/// The system has no randomness to give.
pub(super) fn shards(
    settings: &Settings,
    namespaces: &Arc<Namespaces>,
    store: Option<&Store>,
) -> Result<Vec<ShardSettings>> {
    let shards = ShardId::try_from(settings.shards.max(1)).context("too many shards")?;
    let found = store.map(Store::opened);
    let generation = match found {
        Some(found) => found.generation,
        None => Epoch::from_bits(random()?),
    };
    let memory = &settings.storage.memory;
    let ring = Retention { count: memory.count, bytes: memory.bytes, age: memory.age };
    let feed = Retention {
        count: FEED_COUNT,
        bytes: settings.limits.reader_lag_bytes_max,
        age: oldest(settings),
    };
    let share = |of: usize| of.div_ceil(usize::from(shards)).max(1);
    (0..shards)
        .map(|shard| {
            Ok(ShardSettings {
                shard,
                shards,
                generation,
                mark: found.map_or(0, |found| found.mark),
                seed: random()?,
                encode: shard::encoder(),
                encode_news: coding::encode_news,
                namespaces: Arc::clone(namespaces),
                ring,
                rings_bytes_max: share(settings.limits.history_memory_bytes_max),
                feed,
                page_bytes: PAGE_BYTES,
                pages_bytes_max: settings.limits.pages_bytes_max,
                sends_per_visit: SENDS_PER_VISIT,
                engine_timeout: ANSWER_WITHIN,
                key_window: settings.idempotency_window,
                keys_max: share(settings.limits.idempotency_keys_max),
                channels_max: share(settings.limits.channels_max),
                subscriptions_max: settings.limits.channels_per_connection_max,
                depth: if found.is_some() { Depth::Engine } else { Depth::Ring },
            })
        })
        .collect()
}

/// What holds for the channels of each namespace.
pub(super) fn namespaces(settings: &Settings) -> Namespaces {
    let bounds = PresenceBounds {
        told_max: settings.presence_told_max,
        listed_max: settings.limits.presence_members_max,
    };
    let prefixed = settings
        .namespaces
        .iter()
        .map(|it| (it.prefix.as_str().into(), namespace_rules(&it.rules, bounds)));
    Namespaces::new(prefixed, namespace_rules(&settings.rest, bounds))
}

fn namespace_rules(rules: &ChannelRules, bounds: PresenceBounds) -> NamespaceRules {
    NamespaceRules {
        history: Retention {
            count: rules.history.count,
            bytes: rules.history.bytes,
            age: rules.history.age,
        },
        slow_reader: slow_reader(rules.slow_reader),
        presence: if rules.presence { Presence::On(bounds) } else { Presence::Off },
        wishes: rules.events,
    }
}

/// The age of the oldest publication that any channel keeps.
fn oldest(settings: &Settings) -> Duration {
    let ages = settings.namespaces.iter().map(|namespace| namespace.rules.history.age);
    ages.fold(settings.rest.history.age, Duration::max)
}

/// What each address, user and channel may do.
pub(super) fn terms(settings: &Settings) -> Terms {
    let limits = &settings.limits;
    let connections = Each {
        address: Some(limits.connections_per_address_max),
        user: Some(limits.connections_per_user_max),
        channel: None,
    };
    Terms {
        proxies: settings.proxies.clone(),
        connections,
        connect: limits.rates.connect,
        subscribe: limits.rates.subscribe,
        publish: limits.rates.publish,
        burst: limits.rate_burst,
        large_bytes: Some(limits.large_messages_bytes_max),
    }
}

/// The limits that the acceptor holds.
pub(super) fn acceptor(settings: &Settings, shared: &edge::Shared) -> AcceptorOptions {
    AcceptorOptions {
        connections_max: settings.limits.connections_max,
        handshakes_max: settings.limits.handshakes_max,
        retry: settings.drain.retry.min..settings.drain.retry.max,
        write_within: settings.limits.write_timeout,
        policy: Arc::clone(&shared.policy),
        terms: Arc::clone(&shared.terms),
        limiter: Arc::clone(&shared.limiter),
    }
}

/// The bounds and words of the edge.
pub(super) fn edge(settings: &Settings) -> EdgeOptions {
    EdgeOptions {
        head_bytes_max: settings.limits.request_head_bytes_max,
        head_within: settings.limits.request_head_timeout,
        idle_within: settings.limits.idle_timeout,
        body_progress_bytes: settings.limits.request_body_progress_bytes,
        body_progress_within: settings.limits.request_body_progress_timeout,
        streams: StreamBounds {
            streams_max: u32::try_from(settings.limits.streams_per_connection_max)
                .unwrap_or(u32::MAX),
            turns: settings.limits.large_requests_per_connection_max,
            resets_max: settings.limits.stream_resets_max as u64,
            stalled_within: settings.limits.request_body_progress_timeout,
        },
        connections_max: settings.limits.connections_max,
        retry: jitter(settings.retry),
        drain_retry: jitter(settings.drain.retry),
        pages: match settings.mode {
            Mode::Dev => Pages::TryIt,
            Mode::Demo => Pages::Examples,
            Mode::Serve => Pages::Channels,
        },
        metrics: match settings.admin_listen.as_slice() {
            [] => MetricsPlace::Everywhere,
            _ => MetricsPlace::Apart,
        },
    }
}

/// Each limit's key and value, in its own unit, for the metrics.
pub(super) fn limits(settings: &Settings) -> Arc<[(&'static str, u64)]> {
    let number = |number: usize| number as u64;
    let rate = |rate: Option<Rate>| rate.map_or(0, |rate| u64::from(rate.count));
    let Settings { limits, hooks, .. } = settings;
    let rates = &limits.rates;
    Arc::new([
        ("limits.payload_bytes_max", number(limits.payload_bytes_max)),
        ("limits.connections_max", number(limits.connections_max)),
        ("limits.handshakes_max", number(limits.handshakes_max)),
        ("limits.request_head_bytes_max", number(limits.request_head_bytes_max)),
        ("limits.request_head_timeout", limits.request_head_timeout.as_secs()),
        ("limits.request_body_progress_bytes", number(limits.request_body_progress_bytes)),
        ("limits.request_body_progress_timeout", limits.request_body_progress_timeout.as_secs()),
        ("limits.channels_max", number(limits.channels_max)),
        ("limits.channels_per_connection_max", number(limits.channels_per_connection_max)),
        ("limits.publishes_in_flight_max", number(limits.publishes_in_flight_max)),
        ("limits.publishes_in_flight_bytes_max", number(limits.publishes_in_flight_bytes_max)),
        ("limits.large_messages_bytes_max", number(limits.large_messages_bytes_max)),
        ("limits.pages_bytes_max", number(limits.pages_bytes_max)),
        ("limits.idempotency_keys_max", number(limits.idempotency_keys_max)),
        ("limits.presence_members_max", number(limits.presence_members_max)),
        ("limits.history_memory_bytes_max", number(limits.history_memory_bytes_max)),
        ("limits.streams_per_connection_max", number(limits.streams_per_connection_max)),
        (
            "limits.large_requests_per_connection_max",
            number(limits.large_requests_per_connection_max),
        ),
        ("limits.stream_resets_max", number(limits.stream_resets_max)),
        ("limits.connections_per_address_max", number(limits.connections_per_address_max)),
        ("limits.connections_per_user_max", number(limits.connections_per_user_max)),
        ("limits.connect_rate_per_address", rate(rates.connect.address)),
        ("limits.connect_rate_per_user", rate(rates.connect.user)),
        ("limits.subscribe_rate_per_address", rate(rates.subscribe.address)),
        ("limits.subscribe_rate_per_user", rate(rates.subscribe.user)),
        ("limits.subscribe_rate_per_channel", rate(rates.subscribe.channel)),
        ("limits.publish_rate_per_address", rate(rates.publish.address)),
        ("limits.publish_rate_per_user", rate(rates.publish.user)),
        ("limits.publish_rate_per_channel", rate(rates.publish.channel)),
        ("limits.rate_burst", limits.rate_burst.as_secs()),
        ("limits.rates_tracked_max", number(limits.rates_tracked_max)),
        ("limits.idle_timeout", limits.idle_timeout.as_secs()),
        ("limits.write_timeout", limits.write_timeout.as_secs()),
        ("limits.reader_lag_bytes_max", number(limits.reader_lag_bytes_max)),
        ("hooks.questions_max", number(hooks.questions_max)),
        ("hooks.events_bytes_max", number(hooks.event_terms.bytes_max)),
    ])
}

fn slow_reader(policy: SlowReader) -> CoreSlowReader {
    match policy {
        SlowReader::Recover => CoreSlowReader::Recover,
        SlowReader::Latest => CoreSlowReader::Latest,
        SlowReader::Disconnect => CoreSlowReader::Disconnect,
    }
}

fn jitter(jitter: Jitter) -> edge::Jitter {
    edge::Jitter { min: jitter.min, max: jitter.max }
}

fn random() -> Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))
}

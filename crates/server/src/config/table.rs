//! The table of configuration keys.
//!
//! File keys, environment names, `fanfare config show`, `fanfare init` and `docs/configuration.md`
//! are all derived from it, from [`super::namespace`] and [`super::route`], the tables of the keys
//! that a namespace and a route have; a key that is in none does not exist. Knows nothing of sources.

use std::time::Duration;

use super::{hook_keys, storage_keys, tls_keys, trust};

/// One configuration key.
#[derive(Debug)]
pub(crate) struct Key {
    /// As written in the file, with `.` between table and key; the key of a namespace without its
    /// table.
    pub(crate) name: &'static str,
    /// What a value looks like and its bounds.
    pub(crate) kind: Kind,
    /// What holds when no source sets it.
    pub(crate) default: Standard,
    /// What a new value takes before it holds in a running server.
    pub(crate) takes: Takes,
    /// One or two sentences for people, with the unit.
    pub(crate) about: &'static str,
}

/// What a value of a key looks like. Bounds are inclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A size in bytes.
    Bytes { min: u64, max: u64 },
    /// A duration with its unit.
    Duration { min: Duration, max: Duration },
    /// So many in a time, or `off`.
    Rate,
    /// `true` or `false`.
    Switch,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// Several texts: an array in the file, separated by commas in the environment.
    List,
    /// Several of a few words, written like a `List`.
    Choices(&'static [&'static str]),
    /// As `List`, but never shown: `config show` tells only how many there are.
    SecretList,
}

/// The default of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standard {
    /// A value, written as a source would write it.
    Value(&'static str),
    /// Found out at start.
    Computed {
        /// How, in words.
        how: &'static str,
        /// What a file might say instead.
        example: &'static str,
    },
    /// In a namespace: what this key of the top says.
    Inherited(&'static Key),
    /// In a namespace: its name and this after it.
    NameAnd(&'static str),
    /// Not set, or an empty list.
    Unset,
}

/// What a new value of a key takes before it holds in a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// That the configuration is read again: `Server::prepare` makes anew what the key is used for.
    Reload,
    /// That the server is started again: threads, sockets, history or channels are made of it.
    Restart,
}

/// Every key, in the order in which documents list them; keys of one table stand together.
pub(crate) static KEYS: [&Key; 111] = [
    &LISTEN,
    &SHARDS,
    &PUBLIC_URL,
    &HOSTS,
    &ORIGINS,
    &HEARTBEAT,
    &RETRY_MIN,
    &RETRY_MAX,
    &SLOW_READER,
    &storage_keys::ENGINE,
    &storage_keys::DURABILITY,
    &PRESENCE,
    &PRESENCE_TOLD_MAX,
    &COMPRESS_WEBSOCKET,
    &COMPRESS_STREAMS,
    &PUBLISHER_KEYS,
    &ANONYMOUS_SUBSCRIBE,
    &ANONYMOUS_PUBLISH,
    &CLIENT_PUBLISH,
    &USERS,
    &TOKEN_BYTES_MAX,
    &TOKENS_REMEMBERED_MAX,
    &COOKIE,
    &QUERY_TOKEN,
    &EXPIRY_NOTICE,
    &EXPIRY_GRACE,
    &PAYLOAD_BYTES_MAX,
    &CONNECTIONS_MAX,
    &HANDSHAKES_MAX,
    &REQUEST_HEAD_BYTES_MAX,
    &REQUEST_HEAD_TIMEOUT,
    &REQUEST_BODY_PROGRESS_BYTES,
    &REQUEST_BODY_PROGRESS_TIMEOUT,
    &CHANNELS_MAX,
    &CHANNELS_PER_CONNECTION_MAX,
    &PUBLISHES_IN_FLIGHT_MAX,
    &PUBLISHES_IN_FLIGHT_BYTES_MAX,
    &PAGES_BYTES_MAX,
    &IDEMPOTENCY_KEYS_MAX,
    &PRESENCE_MEMBERS_MAX,
    &storage_keys::HISTORY_MEMORY_BYTES_MAX,
    &STREAMS_PER_CONNECTION_MAX,
    &LARGE_REQUESTS_PER_CONNECTION_MAX,
    &STREAM_RESETS_MAX,
    &trust::CONNECTIONS_PER_ADDRESS_MAX,
    &trust::CONNECTIONS_PER_USER_MAX,
    &trust::CONNECT_RATE_PER_ADDRESS,
    &trust::CONNECT_RATE_PER_USER,
    &trust::SUBSCRIBE_RATE_PER_ADDRESS,
    &trust::SUBSCRIBE_RATE_PER_USER,
    &trust::SUBSCRIBE_RATE_PER_CHANNEL,
    &trust::PUBLISH_RATE_PER_ADDRESS,
    &trust::PUBLISH_RATE_PER_USER,
    &trust::PUBLISH_RATE_PER_CHANNEL,
    &trust::RATE_BURST,
    &trust::RATES_TRACKED_MAX,
    &trust::IDLE_TIMEOUT,
    &trust::WRITE_TIMEOUT,
    &trust::READER_LAG_BYTES_MAX,
    &trust::LARGE_MESSAGES_BYTES_MAX,
    &storage_keys::HISTORY_COUNT,
    &storage_keys::HISTORY_BYTES,
    &storage_keys::HISTORY_AGE,
    &storage_keys::HISTORY_MEMORY_COUNT,
    &storage_keys::HISTORY_MEMORY_BYTES,
    &storage_keys::IDEMPOTENCY_WINDOW,
    &DRAIN_WINDOW,
    &DRAIN_RETRY_MIN,
    &DRAIN_RETRY_MAX,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &storage_keys::LOG_DIRECTORY,
    &storage_keys::LOG_SEGMENT_BYTES,
    &storage_keys::LOG_BYTES_MAX,
    &storage_keys::LOG_COPY_BYTES_PER_SECOND,
    &storage_keys::LOG_READERS,
    &storage_keys::LOG_ON_CORRUPTION,
    &tls_keys::TLS_LISTEN,
    &tls_keys::TLS_CERTIFICATE,
    &tls_keys::TLS_KEY,
    &trust::PROXIES_TRUSTED,
    &trust::PROXIES_HEADER,
    &trust::PROXIES_PROTOCOL,
    &trust::ADMIN_LISTEN,
    &tls_keys::ACME_DOMAINS,
    &tls_keys::ACME_URL,
    &tls_keys::ACME_CONTACT,
    &tls_keys::ACME_CA,
    &tls_keys::ACME_FOLDER,
    &hook_keys::HOOK_SECRETS,
    &hook_keys::HOOK_CA,
    &hook_keys::CONNECT_URL,
    &hook_keys::CONNECT_ON_FAILURE,
    &hook_keys::SUBSCRIBE_URL,
    &hook_keys::SUBSCRIBE_ON_FAILURE,
    &hook_keys::ASK_SUBSCRIBE,
    &hook_keys::PUBLISH_URL,
    &hook_keys::PUBLISH_ON_FAILURE,
    &hook_keys::ASK_PUBLISH,
    &hook_keys::REFRESH_URL,
    &hook_keys::REFRESH_ON_FAILURE,
    &hook_keys::FORWARD_HEADERS,
    &hook_keys::HOOK_TIMEOUT,
    &hook_keys::QUESTIONS_MAX,
    &hook_keys::EVENTS_URL,
    &hook_keys::EVENTS,
    &hook_keys::DISCONNECTS,
    &hook_keys::EVENTS_GRACE,
    &hook_keys::EVENTS_BATCH_MAX,
    &hook_keys::EVENTS_RETRY_FOR,
    &hook_keys::EVENTS_BYTES_MAX,
];

pub(crate) static LISTEN: Key = Key {
    name: "listen",
    kind: Kind::List,
    default: Standard::Computed {
        how: "`127.0.0.1:8300` in `dev`, `0.0.0.0:8300` in `serve`, loopback there too if \
              `tls.listen` is set",
        example: "[\"127.0.0.1:8300\"]",
    },
    takes: Takes::Restart,
    about: "The addresses to listen on, each `address:port`, at most 16. `dev` refuses any that \
            is not loopback.",
};

pub(crate) static SHARDS: Key = Key {
    name: "shards",
    kind: Kind::Count { min: 1, max: 256 },
    default: Standard::Computed { how: "the number of cores", example: "4" },
    takes: Takes::Restart,
    about: "Threads that own connections and channels.",
};

pub(crate) static PUBLIC_URL: Key = Key {
    name: "public_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "The URL under which browsers reach this server, such as `https://live.example.com`; \
            its origin is then the server's own. Without it the own origin is the one whose host \
            equals the request's `Host`.",
};

pub(crate) static HOSTS: Key = Key {
    name: "hosts",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "The `Host` values that are answered, each a name or `name:port`; others get 403 \
            `host-refused`. Empty: `serve` answers any, `dev` loopback names only.",
};

pub(crate) static ORIGINS: Key = Key {
    name: "origins",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Origins of web pages that may read and publish besides the server's own, each \
            `https://name` or `https://name:port`. `dev` allows every loopback origin as well.",
};

pub(crate) static HEARTBEAT: Key = Key {
    name: "heartbeat",
    kind: Kind::Duration { min: Duration::from_secs(5), max: Duration::from_secs(60) },
    default: Standard::Value("15s"),
    takes: Takes::Reload,
    about: "How often a silent stream carries a sign of life, and a WebSocket a ping. A client \
            may choose its own with `?heartbeat=`.",
};

pub(crate) static RETRY_MIN: Key = Key {
    name: "retry_min",
    kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(10) },
    default: Standard::Value("2s"),
    takes: Takes::Reload,
    about: "The shortest `retry:` that an event stream starts with; each stream is told a random \
            one between this and `retry_max`, so that clients do not come back all at once.",
};

pub(crate) static RETRY_MAX: Key = Key {
    name: "retry_max",
    kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(10) },
    default: Standard::Value("3s"),
    takes: Takes::Reload,
    about: "The longest such `retry:`; not below `retry_min`.",
};

pub(crate) static SLOW_READER: Key = Key {
    name: "slow_reader",
    kind: Kind::Choice(&["recover", "latest", "disconnect"]),
    default: Standard::Value("recover"),
    takes: Takes::Restart,
    about: "What happens to a reader that is too slow: `recover` pages it from history and tells \
            it what is gone, `latest` skips to the newest, which the opening of its stream \
            declares, `disconnect` closes its connection.",
};

pub(crate) static PRESENCE: Key = Key {
    name: "presence",
    kind: Kind::Switch,
    default: Standard::Computed { how: "`true` in `dev`, `false` in `serve`", example: "true" },
    takes: Takes::Restart,
    about: "Whether it is known who reads a channel: whoever may read it may then list its \
            members, and be told who comes and goes.",
};

pub(crate) static PRESENCE_TOLD_MAX: Key = Key {
    name: "presence_told_max",
    kind: Kind::Count { min: 0, max: 1_000_000 },
    default: Standard::Value("100"),
    takes: Takes::Restart,
    about: "Members of a channel up to which its readers are told who comes and goes; with more \
            they are told the number, once a second. Not above `limits.presence_members_max`.",
};

pub(crate) static COMPRESS_WEBSOCKET: Key = Key {
    name: "compression.websocket",
    kind: Kind::Switch,
    default: Standard::Value("false"),
    takes: Takes::Reload,
    about: "Whether WebSockets whose clients offer it, as browsers do, have messages of 256 bytes \
            and more deflated (permessage-deflate): once for each publication, for all readers. It \
            saves bytes where networks are slow or dear, and costs a publication several times the \
            time that it takes otherwise, which many readers share and few do not.",
};

pub(crate) static COMPRESS_STREAMS: Key = Key {
    name: "compression.streams",
    kind: Kind::Switch,
    default: Standard::Value("false"),
    takes: Takes::Reload,
    about: "Whether streams (Server-Sent Events, NDJSON, `as=raw`) are compressed for clients whose \
            `Accept-Encoding` names `gzip` or `zstd`, as that of browsers does: each publication \
            once, for all readers, and passed on at once. What it saves and costs is as for \
            `compression.websocket`.",
};

pub(crate) static PUBLISHER_KEYS: Key = Key {
    name: "auth.publisher_keys",
    kind: Kind::SecretList,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Keys that may publish, sent as `Authorization: Bearer <key>`; several allow changing \
            them one by one. Each 1 to 255 visible ASCII characters without a comma. `serve` \
            needs one, or a key with a name, or an issuer, unless anyone may publish and read \
            everywhere; `dev` asks for none.",
};

pub(crate) static ANONYMOUS_SUBSCRIBE: Key = Key {
    name: "auth.anonymous_subscribe",
    kind: Kind::Switch,
    default: Standard::Value("false"),
    takes: Takes::Reload,
    about: "Whether anyone may read channels. `serve` does not start unless it is true here or in \
            a namespace, or there is an issuer of tokens or a key that may; in `dev` anyone may.",
};

pub(crate) static ANONYMOUS_PUBLISH: Key = Key {
    name: "auth.anonymous_publish",
    kind: Kind::Switch,
    default: Standard::Value("false"),
    takes: Takes::Reload,
    about: "Whether anyone may publish. To end or remove a channel takes a key all the same. In \
            `dev` anyone may do everything.",
};

pub(crate) static CLIENT_PUBLISH: Key = Key {
    name: "auth.client_publish",
    kind: Kind::Switch,
    default: Standard::Value("true"),
    takes: Takes::Reload,
    about: "Whether the frames of a WebSocket may publish, raw or `fanfare.v1`, whatever key it \
            has shown; if not, they are refused, 403 `forbidden`. It does not concern who \
            publishes by POST.",
};

pub(crate) static USERS: Key = Key {
    name: "auth.users",
    kind: Kind::Choices(&["subscribe", "publish", "presence", "history", "manage"]),
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "What the holder of any valid token may do with every channel, beside what the token \
            grants: `subscribe`, `publish`, `presence` (list members), `history`, `manage` (remove and \
            end channels).",
};

pub(crate) static TOKEN_BYTES_MAX: Key = Key {
    name: "auth.token_bytes_max",
    kind: Kind::Bytes { min: 256, max: 64 << 10 },
    default: Standard::Value("8 KiB"),
    takes: Takes::Reload,
    about: "The longest token that is looked at. Beyond it: 401 `unauthorized`. Watch \
            `fanfare_tokens_refused_total` with the reason `too-long`.",
};

pub(crate) static TOKENS_REMEMBERED_MAX: Key = Key {
    name: "auth.tokens_remembered_max",
    kind: Kind::Count { min: 0, max: 10_000_000 },
    default: Standard::Value("100000"),
    takes: Takes::Reload,
    about: "Tokens that are remembered once their signature has been checked, so that who comes back \
            with one costs no second check. Beyond it: the older ones are forgotten. Watch \
            `fanfare_tokens_remembered_total`.",
};

pub(crate) static COOKIE: Key = Key {
    name: "auth.cookie",
    kind: Kind::Text,
    default: Standard::Computed { how: "no cookie", example: "\"fanfare_token\"" },
    takes: Takes::Restart,
    about: "The name of a cookie whose value is a token, for pages that can send no header, such as \
            those with an `EventSource`. It counts where the page's origin is allowed, and without an \
            `Origin` only for a GET that is no upgrade.",
};

pub(crate) static QUERY_TOKEN: Key = Key {
    name: "auth.query_token",
    kind: Kind::Switch,
    default: Standard::Value("false"),
    takes: Takes::Restart,
    about: "Whether a request may bring its token as `?token=`. URLs end up in the logs of proxies, \
            so switch it on only for clients that have no other way, and with tokens that live for \
            minutes. It never stands in this server's own log.",
};

pub(crate) static EXPIRY_NOTICE: Key = Key {
    name: "auth.expiry_notice",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(1) },
    default: Standard::Value("30s"),
    takes: Takes::Restart,
    about: "How long before its token expires a reader is told, so that it can show a new one; at \
            most half of what is left when it comes.",
};

pub(crate) static EXPIRY_GRACE: Key = Key {
    name: "auth.expiry_grace",
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_mins(10) },
    default: Standard::Value("10s"),
    takes: Takes::Restart,
    about: "How long a reader may stay after its token has expired. Then a WebSocket is closed with \
            4001, and a stream is broken off. Watch `fanfare_connections_expired`.",
};

pub(crate) static PAYLOAD_BYTES_MAX: Key = Key {
    name: "limits.payload_bytes_max",
    kind: Kind::Bytes { min: 1 << 10, max: 32 << 20 },
    default: Standard::Value("1 MiB"),
    takes: Takes::Reload,
    about: "The largest payload of one publication, on every way in. Beyond it: 413 \
            `payload-too-large`, on a WebSocket 1009. Watch `fanfare_refusals_total` with \
            the reason `payload-too-large`.",
};

pub(crate) static CONNECTIONS_MAX: Key = Key {
    name: "limits.connections_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Computed { how: "the open-file limit less 512", example: "10000" },
    takes: Takes::Reload,
    about: "Connections at one time, those in their handshake included. Beyond it: 503 \
            `connections-full`; an event stream is told when to come back and cut. Watch \
            `fanfare_connections_open`.",
};

pub(crate) static HANDSHAKES_MAX: Key = Key {
    name: "limits.handshakes_max",
    kind: Kind::Count { min: 1, max: 1_000_000 },
    default: Standard::Value("4096"),
    takes: Takes::Reload,
    about: "Connections that have not yet sent their first request, counted among the \
            connections. Beyond it: as for `limits.connections_max`. Watch \
            `fanfare_handshakes_pending`.",
};

pub(crate) static REQUEST_HEAD_BYTES_MAX: Key = Key {
    name: "limits.request_head_bytes_max",
    kind: Kind::Bytes { min: 1 << 10, max: 1 << 20 },
    default: Standard::Value("16 KiB"),
    takes: Takes::Reload,
    about: "The largest request line with its headers. Beyond it: 431 `head-too-large`. \
            Watch `fanfare_refusals_total` with the reason `head-too-large`.",
};

pub(crate) static REQUEST_HEAD_TIMEOUT: Key = Key {
    name: "limits.request_head_timeout",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_mins(10) },
    default: Standard::Value("10s"),
    takes: Takes::Reload,
    about: "How long a request head may take from its first byte to its last. Beyond it: \
            408 `request-timeout`; a connection that has sent nothing is just closed. \
            Watch `fanfare_refusals_total` with the reason `request-timeout`.",
};

pub(crate) static REQUEST_BODY_PROGRESS_BYTES: Key = Key {
    name: "limits.request_body_progress_bytes",
    kind: Kind::Bytes { min: 1, max: 32 << 20 },
    default: Standard::Value("64 KiB"),
    takes: Takes::Reload,
    about: "How much of a request body, or of a WebSocket's message, must arrive, unless it \
            ends before, in every `limits.request_body_progress_timeout`. Beyond it: 408 \
            `request-timeout`, on a WebSocket 1008 with the next heartbeat. Watch `fanfare_refusals_total` with the reason `request-timeout`.",
};

pub(crate) static REQUEST_BODY_PROGRESS_TIMEOUT: Key = Key {
    name: "limits.request_body_progress_timeout",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_mins(10) },
    default: Standard::Value("30s"),
    takes: Takes::Reload,
    about: "The time in which `limits.request_body_progress_bytes` must arrive. Beyond it: \
            408 `request-timeout`, on a WebSocket 1008 with the next heartbeat. Watch `fanfare_refusals_total` with the reason \
            `request-timeout`.",
};

pub(crate) static CHANNELS_MAX: Key = Key {
    name: "limits.channels_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("1000000"),
    takes: Takes::Restart,
    about: "Channels that exist at one time on this node. Beyond it: the channel that has \
            been idle longest and has no readers is forgotten; if there is none, a new one \
            is refused, 507 `channels-full`. Watch `fanfare_channels`.",
};

pub(crate) static CHANNELS_PER_CONNECTION_MAX: Key = Key {
    name: "limits.channels_per_connection_max",
    kind: Kind::Count { min: 1, max: 64 },
    default: Standard::Value("64"),
    takes: Takes::Restart,
    about: "Channels that one connection may read. Beyond it: 400 `too-many-channels`. \
            Watch `fanfare_refusals_total` with the reason `too-many-channels`.",
};

pub(crate) static PUBLISHES_IN_FLIGHT_MAX: Key = Key {
    name: "limits.publishes_in_flight_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("65536"),
    takes: Takes::Restart,
    about: "Publications that have been accepted and have not yet reached every shard. \
            Beyond it: 503 `overloaded`. Watch `fanfare_publishes_in_flight`.",
};

pub(crate) static PUBLISHES_IN_FLIGHT_BYTES_MAX: Key = Key {
    name: "limits.publishes_in_flight_bytes_max",
    kind: Kind::Bytes { min: 1 << 20, max: 64 << 30 },
    default: Standard::Value("256 MiB"),
    takes: Takes::Restart,
    about: "The same in bytes of payload; not below `limits.payload_bytes_max`. Beyond it: \
            503 `overloaded`. Watch `fanfare_publishes_in_flight_bytes`.",
};

pub(crate) static PAGES_BYTES_MAX: Key = Key {
    name: "limits.pages_bytes_max",
    kind: Kind::Bytes { min: 64 << 10, max: 4 << 30 },
    default: Standard::Value("16 MiB"),
    takes: Takes::Restart,
    about: "History pages on their way to readers who catch up, in bytes per shard. Beyond \
            it: such readers wait for their turn; no client is refused. Watch \
            `fanfare_page_bytes`.",
};

pub(crate) static IDEMPOTENCY_KEYS_MAX: Key = Key {
    name: "limits.idempotency_keys_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("1000000"),
    takes: Takes::Restart,
    about: "Idempotency keys remembered at one time on this node; each is kept for \
            `history.idempotency_window`, because forgetting one earlier could publish \
            twice. Beyond it: a publish with a new key is refused, 503 `overloaded`. Watch \
            `fanfare_idempotency_keys`.",
};

pub(crate) static PRESENCE_MEMBERS_MAX: Key = Key {
    name: "limits.presence_members_max",
    kind: Kind::Count { min: 1, max: 1_000_000 },
    default: Standard::Value("10000"),
    takes: Takes::Restart,
    about: "Members of one channel that are listed. Beyond it: further ones are counted and not \
            listed; no client is refused. Watch `fanfare_members`.",
};

pub(crate) static STREAMS_PER_CONNECTION_MAX: Key = Key {
    name: "limits.streams_per_connection_max",
    kind: Kind::Count { min: 1, max: 10_000 },
    default: Standard::Value("128"),
    takes: Takes::Reload,
    about: "Requests that one connection of HTTP/2 may have at once, streams among them; each \
            stream, poll and WebSocket counts in `limits.connections_max` too. Beyond it: a \
            client, which is told of it, waits; the request of one that does not is reset with \
            `REFUSED_STREAM`. Watch `fanfare_http2_full_total`.",
};

pub(crate) static LARGE_REQUESTS_PER_CONNECTION_MAX: Key = Key {
    name: "limits.large_requests_per_connection_max",
    kind: Kind::Count { min: 1, max: 10_000 },
    default: Standard::Value("4"),
    takes: Takes::Reload,
    about: "Requests of one connection of HTTP/2 that are worked on at once; streams, polls while \
            they wait and publishes of up to 64 KiB are not among them. Beyond it: they wait for \
            their turn. Watch `fanfare_http2_waits_total`.",
};

pub(crate) static STREAM_RESETS_MAX: Key = Key {
    name: "limits.stream_resets_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("500"),
    takes: Takes::Reload,
    about: "Requests and streams that the client of one connection of HTTP/2 may take back in ten \
            seconds. Beyond it: the connection is ended. Watch `fanfare_http2_resets_total` and \
            `fanfare_http2_ended_total` with the reason `resets`.",
};

pub(crate) static DRAIN_WINDOW: Key = Key {
    name: "drain.window",
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_hours(1) },
    default: Standard::Value("10s"),
    takes: Takes::Reload,
    about: "After SIGTERM or Ctrl-C, the time over which connections are asked to leave.",
};

pub(crate) static DRAIN_RETRY_MIN: Key = Key {
    name: "drain.retry_min",
    kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(10) },
    default: Standard::Value("1s"),
    takes: Takes::Reload,
    about: "The shortest `retry:` that a draining server tells its event streams.",
};

pub(crate) static DRAIN_RETRY_MAX: Key = Key {
    name: "drain.retry_max",
    kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(10) },
    default: Standard::Value("10s"),
    takes: Takes::Reload,
    about: "The longest such `retry:`; not below `drain.retry_min`.",
};

pub(crate) static LOG_FORMAT: Key = Key {
    name: "log.format",
    kind: Kind::Choice(&["auto", "pretty", "json"]),
    default: Standard::Value("auto"),
    takes: Takes::Restart,
    about: "How log lines look: `auto` is `pretty` on a terminal and `json` elsewhere.",
};

pub(crate) static LOG_LEVEL: Key = Key {
    name: "log.level",
    kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
    default: Standard::Value("info"),
    takes: Takes::Reload,
    about: "The least important level that is logged.",
};

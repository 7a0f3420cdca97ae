//! Keys about strangers: how often and how many, by address, user and channel; the proxies that are
//! believed; and where operators listen.

use std::time::Duration;

use super::table::{Key, Kind, Standard, Takes};

pub(crate) static CONNECTIONS_PER_ADDRESS_MAX: Key = Key {
    name: "limits.connections_per_address_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("4096"),
    takes: Takes::Reload,
    about: "Connections of one address at one time; of an IPv6 address, of its /64. Loopback is \
            free, and behind `proxies.trusted` only readers count, by the address that the proxy \
            names. Each stream, poll and WebSocket over HTTP/2 is one more. Beyond it: 429 \
            `too-many-connections`; an event stream is told when to come back and cut. Watch \
            `fanfare_limited_total`.",
};

pub(crate) static CONNECTIONS_PER_USER_MAX: Key = Key {
    name: "limits.connections_per_user_max",
    kind: Kind::Count { min: 1, max: 100_000_000 },
    default: Standard::Value("256"),
    takes: Takes::Reload,
    about: "Connections on which one user of a token reads at one time; over HTTP/2 each stream, \
            poll and WebSocket is one. Beyond it: 429 `too-many-connections`, on a WebSocket 1013; \
            an event stream is told when to come back and cut. Watch `fanfare_limited_total`.",
};

pub(crate) static CONNECT_RATE_PER_ADDRESS: Key = rate(
    "limits.connect_rate_per_address",
    "100/s",
    "How often one address may connect; see `limits.rate_burst`. Loopback is free, and \
     behind `proxies.trusted` only readers count. Each stream and WebSocket over HTTP/2 is a \
     connection of its own. Beyond it: 429 `rate-limited`; an event stream is told when to come \
     back and cut. Watch `fanfare_limited_total`.",
);

pub(crate) static CONNECT_RATE_PER_USER: Key = rate(
    "limits.connect_rate_per_user",
    "20/s",
    "How often one user of a token may begin to read on a new connection. Beyond it: 429 \
     `rate-limited`, on a WebSocket 1013; an event stream is told when to come back and cut. \
     Watch `fanfare_limited_total`.",
);

pub(crate) static SUBSCRIBE_RATE_PER_ADDRESS: Key = rate(
    "limits.subscribe_rate_per_address",
    "1000/s",
    "How many channels one address may begin to read, polls included. Beyond it: 429 \
     `rate-limited`, on a WebSocket as the answer to the command; an event stream is told \
     when to come back and cut. Watch `fanfare_limited_total`.",
);

pub(crate) static SUBSCRIBE_RATE_PER_USER: Key = rate(
    "limits.subscribe_rate_per_user",
    "200/s",
    "The same for one user of a token. Beyond it: 429 `rate-limited`. Watch \
     `fanfare_limited_total`.",
);

pub(crate) static SUBSCRIBE_RATE_PER_CHANNEL: Key = rate(
    "limits.subscribe_rate_per_channel",
    "off",
    "The same for one channel, whoever comes. Off, since everyone comes back at once when a \
     server or a network does. Beyond it: 429 `rate-limited`. Watch `fanfare_limited_total`.",
);

pub(crate) static PUBLISH_RATE_PER_ADDRESS: Key = rate(
    "limits.publish_rate_per_address",
    "1000/s",
    "How many publications one address may make, on every way in. Publisher keys are the \
     application's own and have no rates. Beyond it: 429 `rate-limited`, on `fanfare.v1` as \
     the answer to the command, on a raw WebSocket 1008. Watch `fanfare_limited_total`.",
);

pub(crate) static PUBLISH_RATE_PER_USER: Key = rate(
    "limits.publish_rate_per_user",
    "100/s",
    "The same for one user of a token. Beyond it: 429 `rate-limited`. Watch \
     `fanfare_limited_total`.",
);

pub(crate) static PUBLISH_RATE_PER_CHANNEL: Key = rate(
    "limits.publish_rate_per_channel",
    "off",
    "The same for one channel, whoever publishes to it but holders of publisher keys. Beyond \
     it: 429 `rate-limited`. Watch `fanfare_limited_total`.",
);

pub(crate) static RATE_BURST: Key = Key {
    name: "limits.rate_burst",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(1) },
    default: Standard::Value("10s"),
    takes: Takes::Reload,
    about: "What may be done at once: as much as each rate allows in this time, and at least one. \
            After that it is the rate, and what is refused costs nothing. Beyond it: 429 \
            `rate-limited`. Watch `fanfare_limited_total`.",
};

pub(crate) static RATES_TRACKED_MAX: Key = Key {
    name: "limits.rates_tracked_max",
    kind: Kind::Count { min: 1024, max: 100_000_000 },
    default: Standard::Value("32768"),
    takes: Takes::Restart,
    about: "Addresses, users and channels whose rates are known at one time, 17 bytes each. Beyond \
            it: those that have done least are forgotten; no client is refused. Watch \
            `fanfare_rates_forgotten_total`.",
};

pub(crate) static IDLE_TIMEOUT: Key = Key {
    name: "limits.idle_timeout",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(1) },
    default: Standard::Value("75s"),
    takes: Takes::Reload,
    about: "How long a connection may be idle between two requests. Beyond it: it is closed, which \
            every HTTP client expects. Watch `fanfare_connections`.",
};

pub(crate) static WRITE_TIMEOUT: Key = Key {
    name: "limits.write_timeout",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(1) },
    default: Standard::Value("20s"),
    takes: Takes::Restart,
    about: "How long what was sent may wait for a client that takes nothing of it. Beyond it: the \
            connection is ended without a regular end, so that the client comes back; the kernel \
            sees to it, and the next heartbeat. Watch `fanfare_connections_stuck_total`.",
};

pub(crate) static READER_LAG_BYTES_MAX: Key = Key {
    name: "limits.reader_lag_bytes_max",
    kind: Kind::Bytes { min: 16 << 10, max: 1 << 30 },
    default: Standard::Value("1 MiB"),
    takes: Takes::Restart,
    about: "What a shard holds of a channel for readers that are behind, in the form in which they \
            read it. Beyond it: such a reader is served as `slow_reader` says. Watch \
            `fanfare_slow_readers_total`.",
};

pub(crate) static LARGE_MESSAGES_BYTES_MAX: Key = Key {
    name: "limits.large_messages_bytes_max",
    kind: Kind::Bytes { min: 1 << 20, max: 64 << 30 },
    default: Standard::Value("32 MiB"),
    takes: Takes::Reload,
    about: "What messages and bodies of more than 64 KiB hold together, from when they come until \
            they have been read; a single one may be as large as its own limit says. Beyond it: 503 \
            `overloaded`, on a WebSocket 1013. Watch `fanfare_large_messages_bytes`.",
};

pub(crate) static PROXIES_TRUSTED: Key = Key {
    name: "proxies.trusted",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "The proxies in front of this server, each an address or a network such as `10.0.0.0/8`: \
            what they say of a client's address is believed, of nobody else.",
};

pub(crate) static PROXIES_HEADER: Key = Key {
    name: "proxies.header",
    kind: Kind::Choice(&["x-forwarded-for", "forwarded"]),
    default: Standard::Value("x-forwarded-for"),
    takes: Takes::Reload,
    about: "The header in which the trusted proxies name the client: `X-Forwarded-For`, or \
            `Forwarded` (RFC 7239). The client is the last one there who is no trusted proxy. The \
            other header is not looked at, since proxies pass it on as the client wrote it.",
};

pub(crate) static PROXIES_PROTOCOL: Key = Key {
    name: "proxies.protocol",
    kind: Kind::Choice(&["off", "v2"]),
    default: Standard::Value("off"),
    takes: Takes::Restart,
    about: "Whether connections to `listen` begin with a header of the PROXY protocol, version 2: \
            then all have to, and come from `proxies.trusted`; others are refused, 403 \
            `proxy-refused`. Version 1 is not spoken.",
};

pub(crate) static ADMIN_LISTEN: Key = Key {
    name: "admin.listen",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "Addresses for operators, each `address:port`, at most 16, where `/metrics`, `/health` and \
            `/ready` are answered, whatever `hosts` says. If there is one, `/metrics` is not answered \
            elsewhere. Keep them to your own network.",
};

/// A key of a rate.
const fn rate(name: &'static str, default: &'static str, about: &'static str) -> Key {
    let default = Standard::Value(default);
    Key { name, kind: Kind::Rate, default, takes: Takes::Reload, about }
}

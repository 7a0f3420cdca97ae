//! Keys about hooks: where the application's backend is, what it is asked, and what holds when it
//! does not answer.

use std::time::Duration;

use super::table::{Key, Kind, Standard, Takes};

/// What happens where a question has no answer.
const ON_FAILURE: Kind = Kind::Choice(&["refuse", "allow"]);

pub(crate) static HOOK_SECRETS: Key = Key {
    name: "hooks.secrets",
    kind: Kind::SecretList,
    default: Standard::Computed {
        how: "none",
        example: "[\"whsec_YW4gZXhhbXBsZSwgbm90IGEgc2VjcmV0IQ==\"]",
    },
    takes: Takes::Reload,
    about: "What requests to the backend are signed with (Standard Webhooks): `whsec_` and 24 to 64 \
            bytes in base64, or several while one takes the place of another. Every hook needs one. \
            See [hooks](hooks.md).",
};

pub(crate) static HOOK_CA: Key = Key {
    name: "hooks.ca",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "A file in PEM with whom to believe to be the backend at an `https` URL, and nobody else; \
            for an authority of your own. Without it: whom the system believes.",
};

pub(crate) static CONNECT_URL: Key = Key {
    name: "hooks.connect_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Where it is asked who somebody is that shows no key and no token: with its answer, an \
            application lets its users in by their session cookie.",
};

pub(crate) static SUBSCRIBE_URL: Key = Key {
    name: "hooks.subscribe_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Where it is asked whether somebody may read a channel, of those whose credentials allow \
            it; see `hooks.ask_subscribe`.",
};

pub(crate) static PUBLISH_URL: Key = Key {
    name: "hooks.publish_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Where it is asked what becomes of a publication, of those that credentials allow: the \
            answer refuses it, lets it pass, or changes it; see `hooks.ask_publish`.",
};

pub(crate) static REFRESH_URL: Key = Key {
    name: "hooks.refresh_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Where it is asked, before what `hooks.connect_url` said of a reader expires, whether it \
            may stay. Without it the reader is told, as one with a token is.",
};

pub(crate) static EVENTS_URL: Key = Key {
    name: "hooks.events_url",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "Where it is told what has happened: who has gone, and what `hooks.events` names. It is \
            told in batches, in order, each until it has been taken. Keep a backend that trusts \
            this from the reach of others, or check the signature.",
};

pub(crate) static EVENTS: Key = Key {
    name: "hooks.events",
    kind: Kind::Choices(&["occupancy", "members"]),
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "What `hooks.events_url` is told of channels, also for each namespace: `occupancy` (the \
            channel is `occupied` when somebody begins to read it, and `vacated` when nobody does \
            any more), `members` (one has `joined` or `left`; takes `presence`).",
};

pub(crate) static DISCONNECTS: Key = Key {
    name: "hooks.disconnects",
    kind: Kind::Switch,
    default: Standard::Value("true"),
    takes: Takes::Reload,
    about: "Whether `hooks.events_url`, if it is set, is told of the end of each stream and \
            WebSocket.",
};

pub(crate) static EVENTS_GRACE: Key = Key {
    name: "hooks.events_grace",
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_mins(10) },
    default: Standard::Value("5s"),
    takes: Takes::Reload,
    about: "How long who has gone may take to come back before it is told: `vacated` and `left` wait \
            so long, and are never told if the channel is read again, or the member is there again, \
            by then. So a page that is loaded again is silent.",
};

pub(crate) static EVENTS_BATCH_MAX: Key = Key {
    name: "hooks.events_batch_max",
    kind: Kind::Count { min: 1, max: 10_000 },
    default: Standard::Value("100"),
    takes: Takes::Reload,
    about: "Events of one request at most.",
};

pub(crate) static EVENTS_RETRY_FOR: Key = Key {
    name: "hooks.events_retry_for",
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_hours(24) },
    default: Standard::Value("10m"),
    takes: Takes::Reload,
    about: "How long a batch that the backend does not take is sent again, after half a second at \
            first and ten seconds at last. Then it is given up, the next one says how many events \
            are missing, and `fanfare_hook_dead_letters_total` counts them.",
};

pub(crate) static EVENTS_BYTES_MAX: Key = Key {
    name: "hooks.events_bytes_max",
    kind: Kind::Bytes { min: 64 << 10, max: 1 << 40 },
    default: Standard::Value("16 MiB"),
    takes: Takes::Reload,
    about: "Memory for events that the backend has not taken. What there is no room for is lost, \
            the backend is told how many events that are, and `fanfare_hook_dead_letters_total` \
            counts them.",
};

pub(crate) static HOOK_TIMEOUT: Key = Key {
    name: "hooks.timeout",
    kind: Kind::Duration { min: Duration::from_millis(50), max: Duration::from_mins(1) },
    default: Standard::Value("3s"),
    takes: Takes::Reload,
    about: "How long the backend may take to answer a request, from connecting to the last byte. \
            Watch `fanfare_hook_questions_total`.",
};

pub(crate) static CONNECT_ON_FAILURE: Key = Key {
    name: "hooks.connect_on_failure",
    kind: ON_FAILURE,
    default: Standard::Value("refuse"),
    takes: Takes::Reload,
    about: "What happens when nobody answers who somebody is: `refuse` sends them away to come back \
            (503 `authority-timeout`), with `allow` they are nobody in particular, and may what \
            anyone may.",
};

pub(crate) static SUBSCRIBE_ON_FAILURE: Key = Key {
    name: "hooks.subscribe_on_failure",
    kind: ON_FAILURE,
    default: Standard::Value("refuse"),
    takes: Takes::Reload,
    about: "The same for reading a channel: with `allow` their credentials decide alone.",
};

pub(crate) static PUBLISH_ON_FAILURE: Key = Key {
    name: "hooks.publish_on_failure",
    kind: ON_FAILURE,
    default: Standard::Value("refuse"),
    takes: Takes::Reload,
    about: "The same for publishing: with `allow` it is published as it came.",
};

pub(crate) static REFRESH_ON_FAILURE: Key = Key {
    name: "hooks.refresh_on_failure",
    kind: ON_FAILURE,
    default: Standard::Value("refuse"),
    takes: Takes::Reload,
    about: "The same for staying: with `refuse` the reader is told that its credentials expire, and \
            goes when they have and nothing was shown anew; with `allow` it stays, and it is asked \
            again within a minute.",
};

pub(crate) static FORWARD_HEADERS: Key = Key {
    name: "hooks.forward_headers",
    kind: Kind::List,
    default: Standard::Computed {
        how: "`cookie`, `origin`, `user-agent` and `accept-language`",
        example: "[\"cookie\", \"origin\", \"user-agent\", \"accept-language\"]",
    },
    takes: Takes::Reload,
    about: "The headers of a client's request that the backend is shown, where a question comes of \
            one. `authorization` is not among them unless you name it: tokens and keys are for this \
            server.",
};

pub(crate) static QUESTIONS_MAX: Key = Key {
    name: "hooks.questions_max",
    kind: Kind::Count { min: 1, max: 100_000 },
    default: Standard::Value("256"),
    takes: Takes::Reload,
    about: "Questions that are on their way at one time, each on a connection of its own. Beyond it \
            a question is not asked, and `…_on_failure` decides. Watch \
            `fanfare_hook_questions_in_flight`.",
};

pub(crate) static ASK_SUBSCRIBE: Key = Key {
    name: "hooks.ask_subscribe",
    kind: Kind::Switch,
    default: Standard::Value("true"),
    takes: Takes::Reload,
    about: "Whether `hooks.subscribe_url`, if it is set, is asked about channels; also for each \
            namespace.",
};

pub(crate) static ASK_PUBLISH: Key = Key {
    name: "hooks.ask_publish",
    kind: Kind::Switch,
    default: Standard::Value("true"),
    takes: Takes::Reload,
    about: "Whether `hooks.publish_url`, if it is set, is asked about publications; also for each \
            namespace.",
};

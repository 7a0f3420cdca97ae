//! The second table of keys: those that each namespace has, under `[namespaces.NAME]`.
//!
//! Its keys are [`Key`]s like those of [`super::table`], and most of them hold what a key there says
//! unless they are set.

use fanfare_core::name::{ChannelName, NAME_BYTES_MAX};

use super::hook_keys::{ASK_PUBLISH, ASK_SUBSCRIBE, EVENTS};
use super::storage_keys::{DURABILITY, HISTORY_AGE, HISTORY_BYTES, HISTORY_COUNT};
use super::table::{
    ANONYMOUS_PUBLISH, ANONYMOUS_SUBSCRIBE, CLIENT_PUBLISH, Key, Kind, PRESENCE, SLOW_READER,
    Standard, Takes, USERS,
};

/// Namespaces of one configuration at most.
pub(crate) const NAMESPACES_MAX: usize = 1_000;

/// Bytes of a namespace's name at most.
const NAMESPACE_BYTES_MAX: usize = 64;

/// Every key of a namespace, in the order in which documents list them.
pub(crate) static NAMESPACE_KEYS: [&Key; 14] = [
    &PREFIX,
    &OWN_HISTORY_COUNT,
    &OWN_HISTORY_BYTES,
    &OWN_HISTORY_AGE,
    &OWN_DURABILITY,
    &OWN_SLOW_READER,
    &OWN_PRESENCE,
    &OWN_ANONYMOUS_SUBSCRIBE,
    &OWN_ANONYMOUS_PUBLISH,
    &OWN_CLIENT_PUBLISH,
    &OWN_USERS,
    &OWN_ASK_SUBSCRIBE,
    &OWN_ASK_PUBLISH,
    &OWN_EVENTS,
];

pub(crate) static PREFIX: Key = Key {
    name: "prefix",
    kind: Kind::Text,
    default: Standard::NameAnd(":"),
    takes: Takes::Restart,
    about: "What the names of its channels begin with, 1 to 255 bytes. A channel belongs to the \
            namespace with the longest prefix that its name begins with; no two namespaces have \
            the same.",
};

pub(crate) static OWN_HISTORY_COUNT: Key =
    own("history_count", &HISTORY_COUNT, "Publications kept of each of its channels.");

pub(crate) static OWN_HISTORY_BYTES: Key = own(
    "history_bytes",
    &HISTORY_BYTES,
    "Bytes kept of each of its channels; the newest publication is always kept, whatever \
     its size.",
);

pub(crate) static OWN_HISTORY_AGE: Key =
    own("history_age", &HISTORY_AGE, "How long a publication is kept.");

pub(crate) static OWN_DURABILITY: Key =
    own("durability", &DURABILITY, "When a publish to its channels is acknowledged and seen.");

pub(crate) static OWN_SLOW_READER: Key =
    own("slow_reader", &SLOW_READER, "What happens to a reader of its channels that is too slow.");

pub(crate) static OWN_PRESENCE: Key =
    own("presence", &PRESENCE, "Whether it is known who reads its channels.");

pub(crate) static OWN_ANONYMOUS_SUBSCRIBE: Key =
    own("anonymous_subscribe", &ANONYMOUS_SUBSCRIBE, "Whether anyone may read its channels.");

pub(crate) static OWN_ANONYMOUS_PUBLISH: Key =
    own("anonymous_publish", &ANONYMOUS_PUBLISH, "Whether anyone may publish to its channels.");

pub(crate) static OWN_CLIENT_PUBLISH: Key = own(
    "client_publish",
    &CLIENT_PUBLISH,
    "Whether the frames of a WebSocket may publish to its channels.",
);

pub(crate) static OWN_USERS: Key =
    own("users", &USERS, "What the holder of any valid token may do with its channels.");

pub(crate) static OWN_ASK_SUBSCRIBE: Key =
    own("ask_subscribe", &ASK_SUBSCRIBE, "Whether the backend is asked who may read its channels.");

pub(crate) static OWN_ASK_PUBLISH: Key = own(
    "ask_publish",
    &ASK_PUBLISH,
    "Whether the backend is asked what becomes of publications to its channels.",
);

pub(crate) static OWN_EVENTS: Key =
    own("events", &EVENTS, "What `hooks.events_url` is told of its channels.");

/// A key that holds what one of the top says unless it is set, and is like that in everything else.
const fn own(name: &'static str, from: &'static Key, about: &'static str) -> Key {
    Key { name, kind: from.kind, default: Standard::Inherited(from), takes: from.takes, about }
}

/// Checks what a namespace is called; the error is the order that puts it right.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    // Two underscores stand for the dot in an environment variable.
    let apart = !name.contains("__") && !name.starts_with('_') && !name.ends_with('_');
    if (1..=NAMESPACE_BYTES_MAX).contains(&name.len()) && name.bytes().all(known) && apart {
        return Ok(());
    }
    Err(format!(
        "call it by 1 to {NAMESPACE_BYTES_MAX} lower-case letters, digits, `-` and single `_`, and \
         say in `prefix` which channels it has"
    ))
}

/// Checks what the names of channels are to begin with; the error is the order that puts it right.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), String> {
    // `.` alone is no name, and begins some.
    let longer = || ChannelName::new(&format!("{prefix}x"));
    match ChannelName::new(prefix).or_else(|_| longer()) {
        Ok(_) if !prefix.is_empty() => Ok(()),
        _ => Err(format!(
            "write 1 to {NAME_BYTES_MAX} bytes that a channel's name can begin with: no white \
             space, no control characters, and neither `$` nor `fanfare.` at the beginning"
        )),
    }
}

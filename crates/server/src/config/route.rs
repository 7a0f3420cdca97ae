//! The third table of keys: those that each route has, under `[routes]` by its path.
//!
//! A route that says only where it leads may be written as one text, which is its `to`.

use super::table::{Key, Kind, Standard, Takes};

/// Routes of one configuration at most.
pub(crate) const ROUTES_MAX: usize = 256;

/// Every key of a route, in the order in which documents list them.
pub(crate) static ROUTE_KEYS: [&Key; 3] = [&TO, &GREETING, &POST];

pub(crate) static TO: Key = Key {
    name: "to",
    kind: Kind::Text,
    default: Standard::Computed {
        how: "none, it has to be said",
        example: "\"/c/clock?since=last\"",
    },
    takes: Takes::Reload,
    about: "The URL that the path stands for, from `/c/` or `/c?` on; parameters of a request win \
            over those written here, except `channel=`. `{unique}` in it becomes 32 random \
            hexadecimal digits for each request, so that its client has a channel of its own.",
};

pub(crate) static GREETING: Key = Key {
    name: "greeting",
    kind: Kind::Text,
    default: Standard::Computed { how: "none", example: "\"Welcome\"" },
    takes: Takes::Reload,
    about: "A text that the server publishes to the route's one channel for each reader, before \
            the reader is attached: with `since=all` in a channel of its own it comes first. At \
            most `limits.payload_bytes_max`.",
};

pub(crate) static POST: Key = Key {
    name: "post",
    kind: Kind::Choice(&["publish", "read"]),
    default: Standard::Value("publish"),
    takes: Takes::Reload,
    about: "What a `POST` or `PUT` does: `publish` publishes its body as at the URL itself, `read` \
            reads as a `GET` would, whatever its body says.",
};

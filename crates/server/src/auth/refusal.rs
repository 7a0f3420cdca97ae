//! What callers are told who may not: which check failed, and which key of the configuration or
//! grant to change.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_protocol::native::problem::Problem;

use super::caller::{Holder, HolderKind, Mistake, Standing};
use super::grant::{Pattern, Right};
use super::{Caller, ChannelAccess};

/// Patterns that a refusal names at most.
const PATTERNS_TOLD: usize = 4;

/// They have no such right over the channel or, without one, over any.
pub(super) fn of(
    caller: &Caller,
    right: Right,
    channel: Option<&ChannelName>,
    rules: &ChannelAccess,
) -> Problem {
    let (detail, open) = match right {
        Right::Subscribe => {
            ("Reading here takes a key, and the request carries none.", "anonymous_subscribe")
        }
        Right::Publish => {
            ("Publishing here takes a key, and the request carries none.", "anonymous_publish")
        }
        Right::Presence => (
            "Who reads here is told to holders of a key, and the request carries none.",
            "anonymous_subscribe",
        ),
        Right::History => (
            "History here is for holders of a key, and the request carries none.",
            "anonymous_subscribe",
        ),
        Right::Manage => {
            return match &caller.standing {
                Standing::Holder(holder) => uncovered(holder, right, channel, rules),
                Standing::Mistaken(mistake) => mistaken(mistake),
                _ => remove(),
            };
        }
    };
    match &caller.standing {
        Standing::Holder(holder) => uncovered(holder, right, channel, rules),
        Standing::Mistaken(mistake) => mistaken(mistake),
        Standing::Anonymous | Standing::Unasked => anonymous(detail, Some(&key(rules, open))),
    }
}

/// Someone without credentials may not end a channel.
pub(super) fn end() -> Problem {
    anonymous("To end a channel takes a key, and the request carries none.", None)
}

fn remove() -> Problem {
    anonymous("To remove a channel takes a key, and the request carries none.", None)
}

/// Their frames may not publish, whatever key they hold.
pub(super) fn send(rules: &ChannelAccess) -> Problem {
    let key = key(rules, "client_publish");
    Problem::new(
        Code::Forbidden,
        format!("A WebSocket's frames may not publish here: `{key}` is false."),
        format!("Publish by POST, or set `{key}` to true."),
    )
}

fn mistaken(mistake: &Mistake) -> Problem {
    match mistake {
        Mistake::Key => Problem::new(
            Code::Unauthorized,
            "The key that the request carries is none of this server's.",
            "Send one of `auth.publisher_keys`, or none where none is needed.",
        ),
        Mistake::Token(failure) => Problem::new(
            Code::Unauthorized,
            format!("The token that the request carries does not hold: {failure}."),
            failure.change(),
        ),
    }
}

fn anonymous(detail: &'static str, open: Option<&str>) -> Problem {
    let send = "Send one of `auth.publisher_keys` as `Authorization: Bearer <key>`; a browser's \
                WebSocket offers the subprotocol `bearer.<key>`.";
    match open {
        Some(open) => {
            let hint = format!("{send} Or let anyone in: set `{open}` to true.");
            Problem::new(Code::Unauthorized, detail, hint)
        }
        None => Problem::new(Code::Unauthorized, detail, send),
    }
}

/// Good credentials that do not reach so far.
fn uncovered(
    holder: &Holder,
    right: Right,
    channel: Option<&ChannelName>,
    rules: &ChannelAccess,
) -> Problem {
    let name = right.name();
    let (what, grant) = match &holder.kind {
        HolderKind::Key(Some(key)) => (format!("key `{key}`"), format!("`keys.{key}.{name}`")),
        HolderKind::Key(None) => ("key".to_owned(), "the key".to_owned()),
        HolderKind::Token => {
            ("token".to_owned(), format!("`{}.{name}` of the token", super::token::GRANTS))
        }
    };
    let patterns = holder.grants.patterns(right);
    let detail = match (patterns, channel) {
        ([], _) => format!("The {what} does not grant `{name}`."),
        (_, None) => format!("The {what} grants `{name}` over no channel that there could be."),
        (patterns, Some(channel)) => {
            format!("The {what} does not grant `{name}` here: {}.", cover(patterns, channel))
        }
    };
    let mut hint = format!("Add a pattern that covers the channel to {grant}");
    if holder.is_user() {
        hint.push_str(&format!(", or `{name}` to `{}`", key(rules, "users")));
    }
    hint.push('.');
    Problem::new(Code::Forbidden, detail, hint)
}

/// Says that patterns do not cover a channel: "pattern chat:* does not cover news".
fn cover(patterns: &[Pattern], channel: &ChannelName) -> String {
    let told: Vec<_> = patterns.iter().take(PATTERNS_TOLD).map(Pattern::to_string).collect();
    let (told, channel) = (told.join(", "), channel.as_str());
    match patterns {
        [pattern] if pattern.is_vain() => {
            format!("pattern {told} covers nothing, because the token's subject cannot stand in it")
        }
        [_] => format!("pattern {told} does not cover {channel}"),
        _ if patterns.len() <= PATTERNS_TOLD => {
            format!("none of the patterns {told} covers {channel}")
        }
        _ => {
            let more = patterns.len() - PATTERNS_TOLD;
            format!("none of the patterns {told} and {more} more covers {channel}")
        }
    }
}

/// The key of the configuration that says this for the channels of the namespace.
fn key(rules: &ChannelAccess, name: &str) -> String {
    match &rules.namespace {
        Some(namespace) => format!("namespaces.{namespace}.{name}"),
        None => format!("auth.{name}"),
    }
}

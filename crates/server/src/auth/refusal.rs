//! What callers are told who may not: what it takes, and which key of the configuration to change.

use fanfare_core::code::Code;
use fanfare_protocol::native::problem::Problem;

use super::{Caller, ChannelAccess, Standing};

/// They may not read.
pub(super) fn subscribe(caller: &Caller, rules: &ChannelAccess) -> Problem {
    let open = key(rules, "anonymous_subscribe");
    unauthorized(caller, "Reading here takes a key, and the request carries none.", Some(&open))
}

/// They may not publish.
pub(super) fn publish(caller: &Caller, rules: &ChannelAccess) -> Problem {
    let open = key(rules, "anonymous_publish");
    unauthorized(caller, "Publishing here takes a key, and the request carries none.", Some(&open))
}

/// They may not end a channel.
pub(super) fn end(caller: &Caller) -> Problem {
    unauthorized(caller, "To end a channel takes a key, and the request carries none.", None)
}

/// They may not remove a channel.
pub(super) fn remove(caller: &Caller) -> Problem {
    unauthorized(caller, "To remove a channel takes a key, and the request carries none.", None)
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

fn unauthorized(caller: &Caller, detail: &'static str, open: Option<&str>) -> Problem {
    if caller.standing == Standing::Mistaken {
        return Problem::new(
            Code::Unauthorized,
            "The key that the request carries is none of this server's.",
            "Send one of `auth.publisher_keys`, or none where none is needed.",
        );
    }
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

/// The key of the configuration that says this for the channels of the namespace.
fn key(rules: &ChannelAccess, name: &str) -> String {
    match &rules.namespace {
        Some(namespace) => format!("namespaces.{namespace}.{name}"),
        None => format!("auth.{name}"),
    }
}

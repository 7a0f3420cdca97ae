//! `POST /sessions/{id}`: the channels that a live stream is to drop and to add.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Notices;
use fanfare_core::shard::Opened;
use fanfare_core::time::UnixMillis;
use serde_json::value::RawValue;

use crate::native::channels;
use crate::native::presence::notices_of;
use crate::native::problem::Problem;
use crate::native::publish::append_refused;
use crate::native::starts::{Since, parse_since};
use crate::native::{envelope, json, opening, walk};

/// Channels that one request adds, and channels that it drops, at most.
pub const CHANGES_MAX: usize = channels::CHANNELS_MAX;

/// Bytes of a change's body: enough for as many channels as there may be with the longest names,
/// each with a whole cursor.
pub const CHANGE_BYTES_MAX: usize = 512 * 1024;

/// One channel of a change, in the order in which it is made.
#[derive(Debug, Clone)]
pub enum ChangeItem {
    /// It is not read any more.
    Drop(ChannelName),
    /// It is read too.
    Add {
        /// The channel.
        channel: ChannelName,
        /// Where from; without it from the entry that the stream carries, if any.
        since: Option<Since>,
        /// Whether the stream is told who comes and goes in it.
        notices: Notices,
    },
    /// What was said of it cannot be done, and why.
    Refused(Problem),
}

/// The body of a change.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// The channels, in the order in which they are changed.
    pub items: Vec<ChangeItem>,
    /// Whether the stream is to stay as long as the credentials of this request are good.
    pub refresh: bool,
}

/// What came of one channel.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It is not read any more.
    Dropped(ChannelName),
    /// It is read, from here.
    Added(Opened),
}

/// Reads the body of a change: what is dropped first, so that there is room for what is added.
///
/// # Errors
/// What is wrong with the body as a whole. A channel or `since` that cannot be read is an item.
pub fn parse(body: &[u8], now: UnixMillis) -> Result<ChangeRequest, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        invalid(format!("The body is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    let (mut subscribe, mut unsubscribe, mut refresh, mut unknown) = (None, None, None, None);
    let read = walk::members(text, |name, json| match name {
        "subscribe" => subscribe = given(json),
        "unsubscribe" => unsubscribe = given(json),
        "refresh" => refresh = given(json),
        other => {
            unknown.get_or_insert_with(|| shown(other));
        }
    });
    if read.is_none() {
        return Err(invalid(match serde_json::from_str::<&RawValue>(text) {
            Err(error) => format!("The body is no JSON: {error}"),
            Ok(_) => "The body is no JSON object".to_owned(),
        }));
    }
    if let Some(name) = unknown {
        return Err(invalid(format!("A change has no member `{name}`")));
    }
    let refresh = match refresh {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("`refresh` is neither `true` nor `false`".to_owned())),
    };
    let mut items = Vec::new();
    for json in list("unsubscribe", unsubscribe)? {
        items.push(dropped(json)?);
    }
    for json in list("subscribe", subscribe)? {
        items.push(added(json, now)?);
    }
    Ok(ChangeRequest { items, refresh })
}

/// The body of the answer: one result for each item, in the order in which they were made; and how
/// long the stream may stay now, if it was refreshed with credentials that expire.
#[must_use]
pub fn answer(results: &[Result<Changed, Problem>], left: Option<Duration>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 * results.len() + 16);
    out.extend_from_slice(b"{\"results\":[");
    for (place, result) in results.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match result {
            Ok(Changed::Dropped(channel)) => {
                out.extend_from_slice(b"{\"channel\":");
                json::append_string(&mut out, channel.as_str());
                out.push(b'}');
            }
            Ok(Changed::Added(opened)) => {
                out.push(b'{');
                opening::append_added(&mut out, opened);
            }
            Err(problem) => append_refused(&mut out, problem),
        }
    }
    out.push(b']');
    if let Some(left) = left {
        out.push(b',');
        envelope::append_expires_in(&mut out, left);
    }
    out.push(b'}');
    out
}

/// An item of `unsubscribe`: a channel's name.
fn dropped(json: &str) -> Result<ChangeItem, Problem> {
    let name = walk::string_of(json)
        .map_err(|_other| invalid("`unsubscribe` has an item that is no string".to_owned()))?;
    Ok(channels::channel(&name).map_or_else(ChangeItem::Refused, ChangeItem::Drop))
}

/// An item of `subscribe`: an object with a channel's name and where to start.
fn added(json: &str, now: UnixMillis) -> Result<ChangeItem, Problem> {
    let (mut channel, mut since, mut presence, mut unknown) = (None, None, None, None);
    let read = walk::members(json, |name, json| match name {
        "channel" => channel = given(json),
        "since" => since = given(json),
        "presence" => presence = given(json),
        other => {
            unknown.get_or_insert_with(|| shown(other));
        }
    });
    if read.is_none() {
        return Err(invalid("`subscribe` has an item that is no object".to_owned()));
    }
    if let Some(name) = unknown {
        return Err(invalid(format!("An item of `subscribe` has no member `{name}`")));
    }
    let Some(channel) = channel else {
        return Err(invalid("An item of `subscribe` names no `channel`".to_owned()));
    };
    let name = walk::string_of(channel)
        .map_err(|_other| invalid("A `channel` is no string".to_owned()))?;
    let since = match since {
        Some(json) if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            Some(json.into())
        }
        Some(json) => {
            Some(walk::string_of(json).map_err(|_other| {
                invalid("A `since` is neither a string nor a number".to_owned())
            })?)
        }
        None => None,
    };
    let notices = notices_of(presence)
        .map_err(|_other| invalid("A `presence` is neither true nor false".to_owned()))?;
    let channel = match channels::channel(&name) {
        Ok(channel) => channel,
        Err(problem) => return Ok(ChangeItem::Refused(problem)),
    };
    // An empty value is absent, as everywhere.
    match since.filter(|since| !since.is_empty()).map(|text| parse_since(&text, now)).transpose() {
        Ok(since) => Ok(ChangeItem::Add { channel, since, notices }),
        Err(problem) => Ok(ChangeItem::Refused(problem.about(&channel, None))),
    }
}

/// The items of a list; a missing one has none.
fn list<'a>(name: &str, json: Option<&'a str>) -> Result<Vec<&'a str>, Problem> {
    let Some(json) = json else {
        return Ok(Vec::new());
    };
    let items = walk::items(json, CHANGES_MAX);
    let items = items.ok_or_else(|| invalid(format!("`{name}` is no list")))?;
    if items.len() > CHANGES_MAX {
        return Err(Problem::new(
            Code::ChannelsTooMany,
            format!("`{name}` names more than {CHANGES_MAX} channels."),
            "A connection has at most 64 channels; change them in several requests.",
        ));
    }
    Ok(items)
}

/// `null` counts as absent.
fn given(json: &str) -> Option<&str> {
    (json != "null").then_some(json)
}

fn shown(name: &str) -> String {
    let start: String = name.chars().take(64).collect();
    start.escape_debug().to_string()
}

fn invalid(detail: String) -> Problem {
    Problem::new(
        Code::CommandInvalid,
        format!("{detail}."),
        "Send an object such as \
         `{\"subscribe\":[{\"channel\":\"runs\",\"since\":\"all\"}],\"unsubscribe\":[\"news\"]}`; \
         both lists, and `since` and `presence` of a channel, may be left out.",
    )
}

//! What the backend is told of whoever a question is about: the bodies of questions.

use std::collections::BTreeMap;
use std::fmt;

use fanfare_core::name::ChannelName;
use fanfare_core::publication::Draft;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::amend::append_draft;
use fanfare_protocol::native::head::Head;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::auth::{Caller, cookie_counts};
use crate::edge::unix_millis;
use crate::limit::ClientAddress;

/// What is known of a request. A command of a WebSocket is none, and has no more than its transport.
#[derive(Clone)]
pub(crate) struct Facts {
    address: Option<String>,
    transport: &'static str,
    headers: BTreeMap<String, String>,
}

/// The transport of commands.
pub(crate) const WEBSOCKET: &str = "websocket";

impl Default for Facts {
    fn default() -> Self {
        Self { address: None, transport: WEBSOCKET, headers: BTreeMap::new() }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cookies are among the headers.
        formatter.debug_struct("Facts").field("address", &self.address).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Question<'a> {
    r#type: &'static str,
    time: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
}

impl Facts {
    /// What is known of a request with this head. A cookie goes along with whatever page asks, so it
    /// is shown only where the page is known to be one that may.
    pub(super) fn of(
        head: &Head<'_>,
        address: ClientAddress,
        transport: &'static str,
        forwarded: &[String],
    ) -> Self {
        let mut headers = BTreeMap::new();
        for name in forwarded {
            if name == "cookie" && !cookie_counts(head) {
                continue;
            }
            // RFC 9110 §5.3, and RFC 9113 §8.2.3 for the one that is an exception.
            let between = if name == "cookie" { "; " } else { ", " };
            let values: Vec<_> = head.all(name).map(String::from_utf8_lossy).collect();
            if !values.is_empty() {
                headers.insert(name.clone(), values.join(between));
            }
        }
        Self { address: Some(address.to_string()), transport, headers }
    }

    pub(super) fn connect(&self, channels: &[&str]) -> Vec<u8> {
        let question = self.question("connect", None);
        written(&Question { channels: Some(channels), ..question })
    }

    pub(super) fn subscribe(&self, caller: &Caller, channel: &ChannelName) -> Vec<u8> {
        let question = self.question("subscribe", Some(caller));
        written(&Question { channel: Some(channel.as_str()), ..question })
    }

    pub(super) fn publish(&self, caller: &Caller, channel: &ChannelName, draft: &Draft) -> Vec<u8> {
        let mut message = Vec::new();
        append_draft(&mut message, draft);
        let message = serde_json::from_slice::<&RawValue>(&message).ok();
        let question = self.question("publish", Some(caller));
        written(&Question { channel: Some(channel.as_str()), message, ..question })
    }

    pub(super) fn refresh(&self, caller: &Caller) -> Vec<u8> {
        let expires = caller.expires().map(|millis| millis / 1000);
        let question = self.question("refresh", Some(caller));
        written(&Question { expires, transport: None, ..question })
    }

    fn question<'a>(&'a self, r#type: &'static str, caller: Option<&'a Caller>) -> Question<'a> {
        let info = caller.and_then(Caller::info);
        Question {
            r#type,
            time: unix_millis(),
            user: caller.and_then(Caller::user).map(|user| &**user),
            info: info.and_then(|info| serde_json::from_str(info).ok()),
            expires: None,
            channel: None,
            channels: None,
            message: None,
            address: self.address.as_deref(),
            transport: Some(self.transport),
            headers: &self.headers,
        }
    }
}

fn written(question: &Question<'_>) -> Vec<u8> {
    // It holds texts, numbers and JSON that was checked; writing it to memory does not fail.
    serde_json::to_vec(question).unwrap_or_default()
}

//! How a message looks on stdout, the same whichever transport brought it.

use std::fmt::Write;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::message::{Message, Payload};

/// The ways to print a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// One line for people: the payload, with controls escaped, so that a message is a line.
    Plain,
    /// As `Plain`, after the channel's name.
    Named,
    /// One envelope a line, without the cursor, which belongs to one reader.
    Json,
    /// The payload's bytes and nothing else.
    Raw,
}

/// The flags that choose a look.
#[derive(Debug, clap::Args)]
pub(crate) struct LookFlags {
    /// Print one JSON envelope a line.
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Print the payloads' bytes exactly, with nothing between them.
    #[arg(long)]
    raw: bool,
}

impl LookFlags {
    /// The look for messages of so many channels.
    pub(crate) fn look(&self, channels: usize) -> Look {
        match (self.json, self.raw) {
            (true, _) => Look::Json,
            (_, true) => Look::Raw,
            _ if channels > 1 => Look::Named,
            _ => Look::Plain,
        }
    }
}

/// The bytes to print for a message, with the line's end if it is a line.
///
/// # Errors
///
/// The payload is not what its envelope says.
pub(crate) fn render(message: &Message, look: Look) -> Result<Vec<u8>> {
    let payload = message.payload()?;
    let text = match look {
        Look::Raw => return Ok(payload.as_bytes().to_vec()),
        Look::Json => envelope(message, &payload)?,
        Look::Plain => plain(message, &payload),
        Look::Named => format!("{}: {}", message.channel, plain(message, &payload)),
    };
    Ok(format!("{text}\n").into_bytes())
}

fn plain(message: &Message, payload: &Payload) -> String {
    match payload {
        Payload::Text(text) | Payload::Json(text) => escaped(text),
        Payload::Binary(bytes) => {
            let content_type =
                message.content_type.as_deref().unwrap_or("application/octet-stream");
            format!("data:{};base64,{}", escaped(content_type), STANDARD.encode(bytes))
        }
    }
}

/// Replaces controls, so that a payload can neither break a line nor command a terminal. A tab
/// stays.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push('\t'),
            control if control.is_control() => {
                // Writing to a String cannot fail.
                let _infallible = write!(shown, "\\u{:04x}", u32::from(control));
            }
            other => shown.push(other),
        }
    }
    shown
}

/// The envelope in a fixed order of fields. Text is escaped anew, so that it does not depend on
/// who encoded it.
fn envelope(message: &Message, payload: &Payload) -> Result<String> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        r#type: &'static str,
        channel: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prev: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<&'a [String]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        conflate: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<&'a str>,
        data: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<&'a str>,
    }
    let data = match payload {
        Payload::Text(text) => serde_json::value::to_raw_value(text)?,
        // A line must stay a line, whoever laid out the JSON.
        Payload::Json(json) => RawValue::from_string(json.replace(['\r', '\n'], " "))?,
        Payload::Binary(bytes) => serde_json::value::to_raw_value(&STANDARD.encode(bytes))?,
    };
    let envelope = Envelope {
        r#type: "message",
        channel: &message.channel,
        offset: message.offset,
        prev: message.prev,
        epoch: message.epoch.as_deref(),
        time: message.time,
        event: message.event.as_deref(),
        tags: message.tags.as_deref(),
        conflate: message.conflate.as_deref(),
        content_type: message.content_type.as_deref(),
        data: &data,
        encoding: message.encoding.as_deref(),
    };
    Ok(serde_json::to_string(&envelope)?)
}

#[cfg(test)]
#[path = "line_test.rs"]
mod tests;

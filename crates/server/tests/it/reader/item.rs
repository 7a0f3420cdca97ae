//! What a reader is told, in the same words for each transport.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One thing told.
#[derive(Debug)]
pub(crate) enum Item {
    /// The opening, with the reader's cursor.
    Open(String),
    /// A publication.
    Message(Message),
    /// A gap.
    Gap(Gap),
    /// Nothing more will come.
    Ended(Ending),
}

/// A publication as far as the transport tells of it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) offset: Option<u64>,
    pub(crate) prev: Option<u64>,
    pub(crate) cursor: Option<String>,
    pub(crate) data: Vec<u8>,
}

/// A gap; positions as `offset.epoch`.
#[derive(Debug, Deserialize)]
pub(crate) struct Gap {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) cursor: String,
}

/// How a reader's connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should at the end of all channels.
    Whole,
    /// Broken off: the last chunk is missing, or the connection is gone without a close frame.
    Cut,
    /// With a close frame.
    Closed(u16, String),
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    offset: Option<u64>,
    prev: Option<u64>,
    cursor: Option<&'a str>,
    encoding: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Reads one JSON object of NDJSON, `fanfare.v1` or a poll; none if it tells nothing.
pub(super) fn read(line: &[u8]) -> Option<Item> {
    let parsed: Line<'_> = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
    let cursor = parsed.cursor.map(str::to_owned);
    match parsed.r#type {
        "open" => Some(Item::Open(cursor.unwrap())),
        "gap" => Some(Item::Gap(serde_json::from_slice(line).unwrap())),
        "message" => {
            let data = parsed.data.unwrap().get();
            let data = match (parsed.encoding, data.starts_with('"')) {
                (Some("base64"), _) => {
                    STANDARD.decode(serde_json::from_str::<&str>(data).unwrap()).unwrap()
                }
                (_, true) => serde_json::from_str::<String>(data).unwrap().into_bytes(),
                _ => data.as_bytes().to_vec(),
            };
            let (offset, prev) = (parsed.offset, parsed.prev);
            Some(Item::Message(Message { offset, prev, cursor, data }))
        }
        _ => None,
    }
}

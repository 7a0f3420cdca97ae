//! One publication as a client receives it: the envelope of the native protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;

/// An envelope. Fields that this version does not know are left out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    /// The channel's name.
    pub(crate) channel: String,
    /// Its number in the channel; absent if it was published live only.
    pub(crate) offset: Option<u64>,
    /// The offset before it.
    pub(crate) prev: Option<u64>,
    /// The identity of the channel's history.
    pub(crate) epoch: Option<String>,
    /// Unix time in milliseconds.
    pub(crate) time: Option<u64>,
    /// The event the publisher named.
    pub(crate) event: Option<String>,
    /// The publisher's tags.
    pub(crate) tags: Option<Vec<String>>,
    /// The publisher's conflation key.
    pub(crate) conflate: Option<String>,
    /// The publisher's content type, as sent.
    pub(crate) content_type: Option<String>,
    /// The payload as it stands in the envelope.
    pub(crate) data: Box<RawValue>,
    /// `base64`, or absent.
    pub(crate) encoding: Option<String>,
    /// The reader's cursor after this message, where the transport carries one.
    pub(crate) cursor: Option<String>,
}

/// What a publisher sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Text.
    Text(String),
    /// JSON, byte by byte as published but for line breaks.
    Json(String),
    /// Anything else.
    Binary(Vec<u8>),
}

impl Message {
    /// The payload as the publisher sent it.
    ///
    /// # Errors
    ///
    /// [`Failure::Garbled`] for base64 that is none and for encodings that are not known.
    pub(crate) fn payload(&self) -> Result<Payload, Failure> {
        let raw = self.data.get();
        match self.encoding.as_deref() {
            None if self.is_json() => Ok(Payload::Json(raw.to_owned())),
            None => Ok(Payload::Text(string(raw)?)),
            Some("base64") => STANDARD
                .decode(string(raw)?)
                .map(Payload::Binary)
                .map_err(|error| Failure::Garbled(format!("data is not base64: {error}"))),
            Some(other) => Err(Failure::Garbled(format!("unknown encoding {other:?}"))),
        }
    }

    /// A JSON string may be text, or JSON that was published as a string; the content type tells.
    fn is_json(&self) -> bool {
        if !self.data.get().starts_with('"') {
            return true;
        }
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        essence.ends_with("/json") || essence.ends_with("+json")
    }
}

impl Payload {
    /// The bytes as published.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) | Self::Json(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

fn string(raw: &str) -> Result<String, Failure> {
    serde_json::from_str(raw).map_err(|error| Failure::Garbled(format!("data: {error}")))
}

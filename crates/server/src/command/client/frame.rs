//! What a server tells a reader, the same whichever transport carried it.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use super::message::Message;
use super::position::Entry;
use super::presence::News;

/// One thing a server tells a reader.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// The channels are attached from these positions.
    Open(Open),
    /// A publication.
    Message(Box<Message>),
    /// Publications that cannot be had any more.
    Gap(Gap),
    /// A channel has ended.
    End(String),
    /// A channel is read no more, because its reader may not any more.
    Lost(String, Failure),
    /// Who has come or gone.
    News(News),
    /// Everything that was read up to here is covered by this cursor.
    Cursor(String),
    /// Everything that was read of one channel is covered by this entry.
    Own(Entry),
    /// A sign of life.
    Alive,
    /// All channels have told everything up to now.
    Current,
    /// How long to wait before coming back.
    Retry(Duration),
    /// All channels have ended, or the question is answered; nothing follows.
    Finished,
}

/// A gap as told.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Gap {
    /// The channel.
    pub(crate) channel: String,
    /// `offset.epoch` where it begins, if known.
    pub(crate) from: Option<String>,
    /// `offset.epoch` of the position before the next publication, if there is one.
    pub(crate) to: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// The reader's cursor after the gap, where the transport carries it here.
    pub(crate) cursor: Option<String>,
}

/// The opening of a stream as told.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Open {
    /// Where each channel is read from.
    #[serde(default)]
    pub(crate) channels: Vec<Attached>,
    /// What happens to a reader that is too slow.
    pub(crate) policy: Option<String>,
    /// The whole cursor, where the transport carries it here.
    pub(crate) cursor: Option<String>,
}

/// One channel of an opening.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Attached {
    /// Where it is read from.
    #[serde(flatten)]
    pub(crate) entry: Entry,
    /// Its own policy, where that is not the one of the opening.
    pub(crate) policy: Option<String>,
}

impl Open {
    /// The channels of which the server gives only what is newest, as it declares.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &str> {
        let latest = |attached: &&Attached| {
            attached.policy.as_deref().or(self.policy.as_deref()) == Some("latest")
        };
        self.channels.iter().filter(latest).map(|attached| attached.entry.channel.as_str())
    }

    /// The positions alone.
    pub(crate) fn entries(self) -> Vec<Entry> {
        self.channels.into_iter().map(|attached| attached.entry).collect()
    }
}

/// The end of a channel as told.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct End {
    /// The channel.
    pub(crate) channel: String,
    /// Why it is the end for this reader alone, if so.
    pub(crate) code: Option<String>,
    /// The reader's cursor, which says that the end was seen.
    pub(crate) cursor: Option<String>,
}

/// Reads JSON that the protocol promises.
///
/// # Errors
///
/// [`Failure::Garbled`] with `what` it should have been.
pub(crate) fn read<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::Garbled(format!("{what}: {error}")))
}

/// The `type` of a line of NDJSON or a frame of `fanfare.v1`.
///
/// # Errors
///
/// [`Failure::Garbled`] if it is not a JSON object with one.
pub(crate) fn kind(json: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    Ok(read::<Typed>("a line", json)?.r#type)
}

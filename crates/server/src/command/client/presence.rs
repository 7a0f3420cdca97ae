//! Members of channels as a client is told of them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::failure::Failure;
use super::frame;

/// A member of a channel.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Member {
    /// The id that its client gave, or was given.
    pub(crate) client: String,
    /// Who is logged in there.
    pub(crate) user: Option<String>,
    /// What it says of itself; `null` for nothing.
    pub(crate) info: Option<Box<RawValue>>,
}

/// A part of the list of a channel's members.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// The members, in the order of their ids.
    pub(crate) members: Vec<Member>,
    /// All that are there.
    pub(crate) count: u64,
    /// After which the next part begins.
    pub(crate) next: Option<String>,
}

/// What is told of a channel's members.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// The channel.
    pub(crate) channel: String,
    /// What has happened.
    pub(crate) change: Change,
}

/// What has happened to a channel's members.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// One has come, or says something else of itself.
    Join(Member),
    /// One has gone.
    Leave(Member),
    /// So many are there.
    Count(u64),
}

impl News {
    /// Reads the JSON of news of this kind; none if it is no kind of news.
    ///
    /// # Errors
    ///
    /// [`Failure::Garbled`] for what is not the protocol.
    pub(crate) fn read(kind: &str, json: &str) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct Place {
            channel: String,
        }
        #[derive(Deserialize)]
        struct Number {
            count: u64,
        }
        let change = match kind {
            "join" => Change::Join(frame::read("a join", json)?),
            "leave" => Change::Leave(frame::read("a leave", json)?),
            "presence" => Change::Count(frame::read::<Number>("a number of members", json)?.count),
            _ => return Ok(None),
        };
        let Place { channel } = frame::read("news of members", json)?;
        Ok(Some(Self { channel, change }))
    }
}

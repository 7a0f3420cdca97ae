//! `POST /publish`: many items in one body.

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, Publisher, SessionId};
use fanfare_core::shard::Answer;

use crate::native::problem::Problem;
use crate::native::route::Rules;

/// Items of one batch, at most.
pub const ITEMS_MAX: usize = 1_000;

/// A request to publish a list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRequest {
    /// How the items stand in the body.
    pub form: BatchForm,
    /// The session that does not get them.
    pub exclude: Option<SessionId>,
}

/// How the items of a batch stand in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchForm {
    /// As the first byte says: `[` begins an array, anything else a line.
    #[default]
    Any,
    /// One a line (`application/x-ndjson`).
    Lines,
}

/// What one item asks for.
#[derive(Debug, Clone)]
pub enum BatchItem {
    /// It names one channel (`channel`).
    One(ChannelName, Draft),
    /// It names several (`channels`), and gets results of its own.
    Several(Vec<(ChannelName, Draft)>),
    /// It cannot be read.
    Refused(Problem),
}

/// What came of one item.
#[derive(Debug, Clone)]
pub enum ItemResult {
    /// Of one channel.
    One(ChannelName, Answer),
    /// Of several.
    Several(Vec<(ChannelName, Answer)>),
    /// It could not be read.
    Refused(Problem),
}

impl BatchRequest {
    /// The items of a body, in order, 1 to [`ITEMS_MAX`].
    ///
    /// # Errors
    /// What is wrong with the body as a whole; an item that cannot be read is an item.
    pub fn items(
        &self,
        body: &Bytes,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Vec<BatchItem>, Problem> {
        let _ = (body, publisher, rules);
        Ok(Vec::new())
    }
}

/// The body of the answer: one result for each item, in order.
#[must_use]
pub fn answer(results: &[ItemResult]) -> Vec<u8> {
    let _ = results;
    Vec::new()
}

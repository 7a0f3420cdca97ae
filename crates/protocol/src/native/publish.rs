//! Publishing over HTTP: options, bodies, answers.

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, Publisher};
use fanfare_core::shard::Answer;

use crate::native::problem::Problem;
use crate::native::route::Rules;

/// A request to publish its body.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// The channels, each once, 1 to 64.
    pub channels: Vec<ChannelName>,
}

impl Publishing {
    /// What each channel's owner is to be asked, in the order of the channels.
    ///
    /// # Errors
    /// What is wrong with the body: its content type, its encoding or its size.
    pub fn drafts(
        &self,
        body: Bytes,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Vec<(ChannelName, Draft)>, Problem> {
        let _ = (body, publisher, rules);
        Ok(Vec::new())
    }
}

/// The body of the answer to a publish or a DELETE of one channel.
///
/// # Errors
/// The problem to answer with, if the owner refused it.
pub fn answer(channel: &ChannelName, answer: &Answer) -> Result<Vec<u8>, Problem> {
    let _ = (channel, answer);
    Ok(Vec::new())
}

/// The body of the answer to a publish or a DELETE of several channels: always status 200.
#[must_use]
pub fn results(answers: &[(ChannelName, Answer)]) -> Vec<u8> {
    let _ = answers;
    Vec::new()
}

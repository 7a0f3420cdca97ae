//! `fanfare.v1`: JSON text frames over a WebSocket.
//!
//! What is appended here is a frame's payload, without the frame's header.

use fanfare_core::cursor::CursorEntry;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, Publisher};
use fanfare_core::shard::{Answer, HistoryQuery, Opened};
use fanfare_core::time::UnixMillis;

use crate::native::opening::Open;
use crate::native::problem::Problem;
use crate::native::route::Rules;
use crate::native::starts::Since;

/// A client's number for a command: a JSON integer or string, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandId(Box<str>);

/// A command of a client.
#[derive(Debug, Clone)]
pub struct Command {
    /// What the reply repeats.
    pub id: CommandId,
    /// What is asked for.
    pub ask: Ask,
}

/// What a command asks for.
#[derive(Debug, Clone)]
pub enum Ask {
    /// To read a channel too; [`super::starts::start_later`] says from where.
    Subscribe {
        /// The channel.
        channel: ChannelName,
        /// Where from, if the client said so.
        since: Option<Since>,
    },
    /// To stop reading a channel.
    Unsubscribe(ChannelName),
    /// To publish.
    Publish(ChannelName, Box<Draft>),
    /// To read a part of a channel's history once.
    History(ChannelName, Box<HistoryQuery>),
    /// Whether anybody is there.
    Ping,
}

/// A command that cannot be carried out, to be told with [`append_error`].
#[derive(Debug, Clone)]
pub struct BadCommand {
    /// The command's number, if it had a readable one.
    pub id: Option<CommandId>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Reads a text frame of a client.
///
/// # Errors
/// What is wrong with it; the connection goes on.
pub fn parse(
    text: &str,
    publisher: &Publisher,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Command, BadCommand> {
    let _ = (text, publisher, rules, now);
    Err(BadCommand { id: None, problem: Problem::of(fanfare_core::code::Code::CommandInvalid) })
}

/// Appends the reply to a `subscribe` that was carried out.
pub fn append_subscribed(out: &mut Vec<u8>, id: &CommandId, opened: &Opened) {
    let _ = (out, id, opened);
}

/// Appends the reply to an `unsubscribe` that was carried out.
pub fn append_unsubscribed(out: &mut Vec<u8>, id: &CommandId, channel: &ChannelName) {
    let _ = (out, id, channel);
}

/// Appends the reply to a `ping`.
pub fn append_ponged(out: &mut Vec<u8>, id: &CommandId) {
    let _ = (out, id);
}

/// Appends the reply to a `publish` or a `history`, an error included.
pub fn append_answer(out: &mut Vec<u8>, id: &CommandId, channel: &ChannelName, answer: &Answer) {
    let _ = (out, id, channel, answer);
}

/// Appends the reply to a command that was refused.
pub fn append_error(out: &mut Vec<u8>, id: Option<&CommandId>, problem: &Problem) {
    let _ = (out, id, problem);
}

/// Appends the first frame of a connection.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>) {
    let _ = (out, open);
}

/// Appends a gap, with the channel's own entry after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap) {
    let _ = (out, gap);
}

/// Appends the end of a channel, with its own entry.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, entry: CursorEntry) {
    let _ = (out, channel, entry);
}

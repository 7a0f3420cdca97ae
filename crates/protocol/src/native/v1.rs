//! `fanfare.v1`: JSON text frames over a WebSocket.
//!
//! What is appended here is a frame's payload, without the frame's header.

use std::fmt;
use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::cursor::CursorEntry;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::{Notices, PresenceQuery};
use fanfare_core::publication::{Draft, Publisher};
use fanfare_core::shard::{Answer, HistoryQuery, Opened};
use fanfare_core::start::Start;
use fanfare_core::time::UnixMillis;

use crate::native::history::Written;
use crate::native::item::Members;
use crate::native::opening::Open;
use crate::native::problem::Problem;
use crate::native::route::Rules;
use crate::native::starts::{Since, parse_since, start_of_since, unreadable};
use crate::native::{envelope, json, ndjson, opening, presence, publish};

/// Who says a command, and what is known of it from before.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The name under which it publishes.
    pub publisher: &'a Publisher,
    /// The channel that it published to last; hashing a name again costs more than comparing it.
    pub last: Option<&'a ChannelName>,
}

impl Default for Speaker<'_> {
    /// Somebody without a name, of whom nothing is known.
    fn default() -> Self {
        Self { publisher: &None, last: None }
    }
}

/// A client's name for a command: a JSON number or string of at most 64 bytes, as it was sent, or
/// `null` if it gave none.
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
        /// Whether its reader is told who comes and goes.
        notices: Notices,
    },
    /// To stop reading a channel.
    Unsubscribe(ChannelName),
    /// To publish.
    Publish(ChannelName, Box<Draft>),
    /// To read a part of a channel's history once.
    History(ChannelName, Box<HistoryQuery>),
    /// To list a channel's members.
    Presence(ChannelName, Box<PresenceQuery>),
    /// To stay as long as these credentials are good.
    Refresh(Token),
    /// Whether anybody is there.
    Ping,
}

/// Credentials that a command brings. They are shown nowhere.
#[derive(Clone)]
pub struct Token(Box<str>);

/// A command that cannot be carried out, to be told with [`append_error`].
#[derive(Debug, Clone)]
pub struct BadCommand {
    /// The command's number, if it had a readable one.
    pub id: Option<CommandId>,
    /// What is wrong with it.
    pub problem: Problem,
}

impl Token {
    /// The token as it was sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl CommandId {
    /// A command without an id is answered with `null`.
    fn read_or_null(json: Option<&str>) -> Option<Self> {
        json.map_or_else(|| Some(Self("null".into())), Self::read)
    }

    /// Takes a JSON number or string of at most 64 bytes.
    fn read(json: &str) -> Option<Self> {
        let scalar = json.starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'));
        let bytes = json.trim_matches('"').len();
        (scalar && bytes <= ID_BYTES_MAX).then(|| Self(json.into()))
    }
}

/// Reads a text frame of a client.
///
/// # Errors
/// What is wrong with it; the connection goes on.
pub fn parse(
    text: &str,
    speaker: Speaker<'_>,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Command, BadCommand> {
    let members = Members::parse(text).map_err(|problem| BadCommand {
        id: None,
        problem: Problem::new(
            Code::CommandInvalid,
            problem.detail().to_owned(),
            "Send JSON objects such as `{\"id\":1,\"type\":\"ping\"}`.",
        ),
    })?;
    let Some(id) = CommandId::read_or_null(members.raw("id")) else {
        return Err(BadCommand {
            id: None,
            problem: Problem::new(
                Code::CommandInvalid,
                "The command's `id` is no number and no string of at most 64 bytes.",
                "Give each command an `id` of your own; its reply repeats it.",
            ),
        });
    };
    match ask(&members, speaker, rules, now) {
        Ok(ask) => Ok(Command { id, ask }),
        Err(problem) => Err(BadCommand { id: Some(id), problem }),
    }
}

/// Appends the reply to a `subscribe` that was carried out.
pub fn append_subscribed(out: &mut Vec<u8>, id: &CommandId, opened: &Opened) {
    append_ok(out, id);
    out.push(b',');
    opening::append_added(out, opened);
}

/// Appends the reply to an `unsubscribe` that was carried out.
pub fn append_unsubscribed(out: &mut Vec<u8>, id: &CommandId, channel: &ChannelName) {
    append_ok(out, id);
    out.extend_from_slice(b",\"channel\":");
    json::append_string(out, channel.as_str());
    out.push(b'}');
}

/// Appends the reply to a `ping`.
pub fn append_ponged(out: &mut Vec<u8>, id: &CommandId) {
    append_ok(out, id);
    out.push(b'}');
}

/// Appends the reply to a `publish`, a `history` or a `presence`, an error included.
pub fn append_answer(out: &mut Vec<u8>, id: &CommandId, channel: &ChannelName, answer: &Answer) {
    if let Answer::Refused(refusal) = answer {
        return append_error(out, Some(id), &Problem::refused(channel, *refusal));
    }
    append_ok(out, id);
    out.push(b',');
    publish::append_members(out, channel, answer);
    out.push(b'}');
}

/// Appends the reply to a `refresh`: how long the new credentials are good, if not for ever.
pub fn append_refreshed(out: &mut Vec<u8>, id: &CommandId, left: Option<Duration>) {
    append_ok(out, id);
    if let Some(left) = left {
        out.push(b',');
        envelope::append_expires_in(out, left);
    }
    out.push(b'}');
}

/// Appends that the reader's credentials expire, and in how long.
pub fn append_expiring(out: &mut Vec<u8>, left: Duration) {
    ndjson::append_expiring_object(out, left);
}

/// Appends the reply to a command that was refused.
pub fn append_error(out: &mut Vec<u8>, id: Option<&CommandId>, problem: &Problem) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.map_or("null", |id| &id.0).as_bytes());
    out.extend_from_slice(b",\"type\":\"error\",\"code\":\"");
    out.extend_from_slice(problem.code().name().as_bytes());
    out.push(b'"');
    problem.append_words(out);
    out.push(b'}');
}

/// Appends the first frame of a connection.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>) {
    ndjson::append_open_object(out, open);
}

/// Appends a gap, with the channel's own entry after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap) {
    envelope::append_gap(out, gap);
    envelope::append_own_tail(out, Some(envelope::entry_after(gap)));
}

/// Appends the end of a channel, with its own entry.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, entry: CursorEntry) {
    envelope::append_end(out, channel);
    envelope::append_own_tail(out, Some(entry));
}

/// Appends that a channel is read no more because its reader may not; `problem` is about the channel.
/// It says of no publication that it was read, so it has no cursor.
pub fn append_loss(out: &mut Vec<u8>, problem: &Problem) {
    out.extend_from_slice(b"{\"type\":\"end\",\"code\":\"");
    out.extend_from_slice(problem.code().name().as_bytes());
    out.push(b'"');
    problem.append_words(out);
    out.push(b'}');
}

fn ask(
    members: &Members<'_>,
    speaker: Speaker<'_>,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Ask, Problem> {
    let kind = members.string("type")?.unwrap_or_default();
    match &*kind {
        "subscribe" => {
            let (channel, since) = (members.channel()?, since(members, now)?);
            let notices = presence::notices_of(members.raw("presence"))?;
            Ok(Ask::Subscribe { channel, since, notices })
        }
        "unsubscribe" => members.channel().map(Ask::Unsubscribe),
        "publish" => {
            let channel = members.channel_after(speaker.last)?;
            let draft = members.draft(&channel, None, speaker.publisher, rules)?;
            Ok(Ask::Publish(channel, Box::new(draft)))
        }
        "history" => history(members, now),
        "ping" => Ok(Ask::Ping),
        "refresh" => match members.string("token")?.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Ask::Refresh(Token(token.into()))),
            None => Err(Problem::new(
                Code::CommandInvalid,
                "The `refresh` brings no `token`.",
                "Send `{\"type\":\"refresh\",\"token\":\"…\"}` with the new one.",
            )),
        },
        "presence" => {
            let channel = members.channel()?;
            let (after, limit) = (members.string("after")?, members.text("limit")?);
            let query = presence::query(after.as_deref(), limit.as_deref())?;
            Ok(Ask::Presence(channel, Box::new(query)))
        }
        "" => Err(Problem::new(Code::CommandInvalid, "The command has no `type`.", KINDS)),
        other => {
            let shown: String = other.chars().take(64).collect();
            Err(Problem::new(
                Code::CommandUnknown,
                format!("`type` is `{}`, which is no command.", shown.escape_debug()),
                KINDS,
            ))
        }
    }
}

fn history(members: &Members<'_>, now: UnixMillis) -> Result<Ask, Problem> {
    let channel = members.channel()?;
    let start = since(members, now)?
        .map_or(Start::All, |since| start_of_since(&channel, &since, Start::All));
    let until = members.text("until")?;
    let limit = members.text("limit")?;
    let order = members.string("order")?;
    let written =
        Written { until: until.as_deref(), limit: limit.as_deref(), order: order.as_deref() };
    let query = written.query(&channel, start, now)?;
    Ok(Ask::History(channel, Box::new(query)))
}

fn since(members: &Members<'_>, now: UnixMillis) -> Result<Option<Since>, Problem> {
    if let Some(json) = members.raw("since")
        && json.len() > SINCE_BYTES_MAX
    {
        let why = format!("it is longer than {SINCE_BYTES_MAX} bytes");
        return Err(unreadable("", &why));
    }
    let text = members.text("since")?;
    text.map(|text| parse_since(&text, now)).transpose()
}

/// Appends the beginning of a reply.
fn append_ok(out: &mut Vec<u8>, id: &CommandId) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.0.as_bytes());
    out.extend_from_slice(b",\"type\":\"ok\"");
}

/// Bytes of a command's `since`: as many as a URL can bring, and several times what the entries of
/// one cursor need.
const SINCE_BYTES_MAX: usize = 16 * 1024;

/// What a command can be.
const KINDS: &str =
    "Use `subscribe`, `unsubscribe`, `publish`, `history`, `presence`, `refresh` or `ping`.";

/// Bytes of a command's id, without the quotes.
const ID_BYTES_MAX: usize = 64;

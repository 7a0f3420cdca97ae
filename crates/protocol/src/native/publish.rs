//! Publishing over HTTP: options, bodies, answers.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::CursorEntry;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{
    Content, Data, Draft, End, Lifetime, Published, Publisher, Repeat, SessionId, Stored,
};
use fanfare_core::shard::Answer;
use serde_json::value::RawValue;

use crate::native::channels::{Each, Named};
use crate::native::head::Head;
use crate::native::media::Kind;
use crate::native::options::{Options, invalid};
use crate::native::problem::Problem;
use crate::native::query::read_switch;
use crate::native::route::Rules;
use crate::native::session::Session;
use crate::native::{cursor, history, json, presence};

/// A request to publish its body.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// The channels, each once, 1 to 64.
    pub channels: Vec<Named>,
    options: Options,
    kind: Kind,
}

impl Publishing {
    /// Whether the channels are to be closed.
    #[must_use]
    pub fn end(&self) -> End {
        self.options.end
    }

    /// What each channel's owner is to be asked, in the order of the channels.
    ///
    /// # Errors
    /// What is wrong with the body: its encoding or its size.
    pub fn drafts(
        self,
        body: Bytes,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Vec<Each<Draft>>, Problem> {
        let closes = self.options.end == End::Close;
        let untyped = self.options.detail.content_type.is_none();
        let data = if closes && untyped && body.is_empty() {
            None
        } else {
            Some(data(body, self.kind, rules)?)
        };
        self.options.drafts(self.channels, data, publisher)
    }
}

/// Reads the options of a `POST` to channels; the query wins over the headers.
pub(crate) fn publishing(channels: Vec<Named>, head: &Head<'_>) -> Result<Publishing, Problem> {
    let mut options = Options::default();
    if let Some(event) = option(head, "event", "fanfare-event")? {
        options.set_event(&event)?;
    }
    match head.query().parameter("tags")? {
        Some(tags) => options.set_tags(tags.split(',').map(str::trim))?,
        None => options.set_tags(head.list("fanfare-tags"))?,
    }
    if let Some(ttl) = option(head, "ttl", "fanfare-ttl")? {
        options.set_ttl(&ttl)?;
    }
    if let Some(key) = option(head, "key", "idempotency-key")? {
        options.set_key(&key)?;
    }
    if let Some(conflate) = option(head, "conflate", "fanfare-conflate")? {
        options.set_conflate(&conflate)?;
    }
    if let Some(expect) = option(head, "expect", "fanfare-expect")? {
        options.set_expect(&expect)?;
    }
    if let Some(end) = option(head, "end", "fanfare-end")? {
        options.end = end_of(&end)?;
    }
    options.set_exclude(exclude(head));
    let kind = match option_header(head, "content-type")? {
        Some(content_type) => options.set_content_type(&content_type),
        None => Ok(Kind::Text),
    };
    let kind = match head.query().switch("binary")? {
        Some(true) => as_binary(head, &mut options, kind)?,
        _ => kind?,
    };
    Ok(Publishing { channels, options, kind })
}

/// The session that does not want its own publication back.
pub(crate) fn exclude(head: &Head<'_>) -> Option<SessionId> {
    Session::parse(head.text("fanfare-session")?).map(|session| session.secret)
}

/// Takes a payload as its kind says.
pub(crate) fn data(body: Bytes, kind: Kind, rules: &Rules) -> Result<Data, Problem> {
    if body.len() > rules.payload_bytes_max {
        return Err(too_large(body.len(), rules));
    }
    match kind {
        Kind::Binary => Ok(Data::Binary(body)),
        Kind::Text => match std::str::from_utf8(&body) {
            Ok(_) => Ok(Data::Text(body)),
            Err(error) => Err(Problem::new(
                Code::TextInvalid,
                format!("The body is not UTF-8 from byte {} on.", error.valid_up_to()),
                "Send text as UTF-8, or publish bytes with `?binary=1` or \
                 `Content-Type: application/octet-stream`.",
            )),
        },
        Kind::Json => match serde_json::from_slice::<&RawValue>(&body) {
            Ok(_) => Ok(Data::Json(body)),
            Err(error) => Err(Problem::new(
                Code::JsonInvalid,
                format!("The body is not JSON as its content type says: {error}."),
                "Send valid JSON, or leave out the content type to publish text.",
            )),
        },
    }
}

/// Refuses a payload for its size.
pub(crate) fn too_large(bytes: usize, rules: &Rules) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("The payload has {bytes} bytes; the limit is {}.", rules.payload_bytes_max),
        "Publish smaller payloads, or raise `limits.payload_bytes_max`.",
    )
}

/// The draft of a payload without options, as a frame of a raw WebSocket is one.
#[must_use]
pub fn plain_draft(data: Data, publisher: &Publisher) -> Draft {
    Draft {
        content: Some(Content::plain(data)),
        lifetime: Lifetime::Retained,
        key: None,
        publisher: publisher.clone(),
        expect: None,
        end: End::Open,
    }
}

/// Leaves a session out of a draft's readers (`echo=0`).
pub fn exclude_session(draft: &mut Draft, session: SessionId) {
    if let Some(content) = &mut draft.content {
        content.detail.get_or_insert_default().exclude = Some(session);
    }
}

/// The body of the answer to a publish or a DELETE of one channel.
///
/// # Errors
/// The problem to answer with, if the owner refused it.
pub fn answer(channel: &ChannelName, answer: &Answer) -> Result<Vec<u8>, Problem> {
    if let Answer::Refused(refusal) = answer {
        return Err(Problem::refused(channel, *refusal));
    }
    let mut out = Vec::with_capacity(160);
    append_answer(&mut out, channel, answer);
    Ok(out)
}

/// The body of the answer to a publish or a DELETE of several channels: always status 200.
#[must_use]
pub fn results(answers: &[Each<Answer>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 * answers.len());
    append_results(&mut out, answers);
    out
}

/// Appends `{"results":[…]}`.
pub(crate) fn append_results(out: &mut Vec<u8>, answers: &[Each<Answer>]) {
    out.extend_from_slice(b"{\"results\":[");
    for (place, answer) in answers.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match answer {
            Ok((channel, answer)) => append_answer(out, channel, answer),
            Err(problem) => append_refused(out, problem),
        }
    }
    out.extend_from_slice(b"]}");
}

/// Appends one answer; a refused one as `{"channel":…,"error":{…}}`.
pub(crate) fn append_answer(out: &mut Vec<u8>, channel: &ChannelName, answer: &Answer) {
    match answer {
        Answer::History(page) => return history::append_answer(out, page),
        Answer::Refused(refusal) => {
            return append_refused(out, &Problem::refused(channel, *refusal));
        }
        _ => {}
    }
    out.push(b'{');
    append_members(out, channel, answer);
    out.push(b'}');
}

/// Appends the members of an answer that is no refusal: `"channel":…,…`.
pub(crate) fn append_members(out: &mut Vec<u8>, channel: &ChannelName, answer: &Answer) {
    match answer {
        Answer::Published(published) => append_published(out, channel, published),
        Answer::Removed(entry) => {
            append_channel(out, channel);
            append_epoch_and_cursor(out, *entry);
        }
        Answer::Resolved(resolved) => {
            append_channel(out, channel);
            if let Some(entry) = resolved.entry {
                append_epoch_and_cursor(out, entry);
            }
        }
        Answer::History(page) => history::append_members(out, page),
        Answer::Presence(page) => presence::append_members(out, page),
        Answer::Refused(_) => append_channel(out, channel),
    }
}

/// Appends `{"channel":…,"error":{problem}}`, or without a channel where none is known.
pub(crate) fn append_refused(out: &mut Vec<u8>, problem: &Problem) {
    out.push(b'{');
    if let Some(channel) = problem.channel() {
        out.extend_from_slice(b"\"channel\":");
        json::append_string(out, channel);
        out.push(b',');
    }
    out.extend_from_slice(b"\"error\":");
    problem.append_body(out);
    out.push(b'}');
}

fn append_published(out: &mut Vec<u8>, channel: &ChannelName, published: &Published) {
    append_channel(out, channel);
    if published.stored == Stored::Yes {
        out.extend_from_slice(b",\"offset\":");
        json::append_number(out, published.entry.position.offset);
    }
    append_epoch_and_cursor(out, published.entry);
    if published.repeat == Repeat::Duplicate {
        out.extend_from_slice(b",\"duplicate\":true");
    }
}

fn append_channel(out: &mut Vec<u8>, channel: &ChannelName) {
    out.extend_from_slice(b"\"channel\":");
    json::append_string(out, channel.as_str());
}

fn append_epoch_and_cursor(out: &mut Vec<u8>, entry: CursorEntry) {
    out.extend_from_slice(b",\"epoch\":\"");
    cursor::append_epoch(out, entry.position.epoch);
    out.extend_from_slice(b"\",\"cursor\":\"");
    cursor::append_entry(out, entry);
    out.push(b'"');
}

/// An option, from the query or else from its header.
fn option<'a>(head: &Head<'a>, name: &str, header: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    match head.query().parameter(name)? {
        Some(value) => Ok(Some(value)),
        None => option_header(head, header),
    }
}

fn option_header<'a>(head: &Head<'a>, header: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(bytes) = head.bytes(header).map(<[u8]>::trim_ascii) else {
        return Ok(None);
    };
    match std::str::from_utf8(bytes) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(Cow::Borrowed(text))),
        Err(_no_utf8) => Err(invalid(
            header,
            "has a header value that is not UTF-8",
            "Send UTF-8, or put the value percent-encoded into the query.",
        )),
    }
}

pub(crate) fn end_of(text: &str) -> Result<End, Problem> {
    match read_switch(text) {
        Some(true) => Ok(End::Close),
        Some(false) => Ok(End::Open),
        None => Err(invalid("end", "is neither on nor off", "Use `end=1` or `end=0`.")),
    }
}

/// Bytes in any charset are welcome where they are kept as they are; a content type that is none
/// is still refused.
fn as_binary(
    head: &Head<'_>,
    options: &mut Options,
    kind: Result<Kind, Problem>,
) -> Result<Kind, Problem> {
    match kind {
        Err(problem) if problem.code() == Code::CharsetUnsupported => {
            options.detail.content_type = head.text("content-type").map(Box::from);
        }
        other => {
            other?;
        }
    }
    Ok(Kind::Binary)
}

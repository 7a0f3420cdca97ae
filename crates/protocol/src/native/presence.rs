//! Presence: as whom a reader comes, the list of a channel's members, and news of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::frame::{Format, Frame};
use fanfare_core::name::ChannelName;
use fanfare_core::presence::{
    Attendance, CLIENT_BYTES_MAX, Change, INFO_BYTES_MAX, Member, MemberId, News, Notices,
    PresencePage, PresenceQuery,
};
use serde_json::value::RawValue;

use crate::native::chunk::{CHUNK_END, append_chunk_head};
use crate::native::encode::{Opcode, append_websocket_header};
use crate::native::head::Head;
use crate::native::negotiate::body_wanted;
use crate::native::options::invalid;
use crate::native::problem::Problem;
use crate::native::query::{Query, read_switch};
use crate::native::reading::BodyWanted;
use crate::native::{channels, history, json};

/// A request for the members of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceRequest {
    /// The channel.
    pub channel: ChannelName,
    /// Which of them.
    pub query: PresenceQuery,
    /// Whether the answer's body is wanted.
    pub body: BodyWanted,
}

/// Reads a request for members.
pub(crate) fn request(
    channels: Vec<ChannelName>,
    head: &Head<'_>,
) -> Result<PresenceRequest, Problem> {
    let channels = channels::some(channels)?;
    let Ok([channel]) = <[ChannelName; 1]>::try_from(channels) else {
        return Err(Problem::new(
            Code::ParameterInvalid,
            "Presence takes one channel, and the URL names several.",
            "Ask for each channel's members by themselves.",
        ));
    };
    let after = head.query().parameter("after")?;
    let limit = head.query().parameter("limit")?;
    let query = query(after.as_deref(), limit.as_deref())?;
    Ok(PresenceRequest { channel, query, body: body_wanted(head) })
}

/// Reads which members are asked for.
pub(crate) fn query(after: Option<&str>, limit: Option<&str>) -> Result<PresenceQuery, Problem> {
    let after = after.map(|text| {
        parse_id(text).ok_or_else(|| {
            invalid("after", "cannot be read", "Use `next` of an earlier answer, as it stands.")
        })
    });
    let limit = limit.map_or(Ok(history::LIMIT), history::limit)?;
    Ok(PresenceQuery { after: after.transpose()?, limit, bytes: history::BYTES_MAX })
}

/// As whom a reader comes: `client=` and `info=`.
pub(crate) fn attendance(query: Query<'_>) -> Result<Attendance, Problem> {
    let info = query.parameter("info")?.map(|text| info(&text)).transpose()?;
    let Some(client) = query.parameter("client")? else {
        return Ok(Attendance::Unnamed { user: None, info });
    };
    if client.len() > CLIENT_BYTES_MAX || client.chars().any(char::is_control) {
        return Err(invalid(
            "client",
            "is no id of a client",
            "Use 1 to 255 bytes of UTF-8 without control characters, such as a random id that the \
             page keeps in `sessionStorage`.",
        ));
    }
    let id = MemberId { user: None, client: client.into() };
    Ok(Attendance::Named(Arc::new(Member { id, info })))
}

/// Whether a reader is told who comes and goes: `presence=1`.
pub(crate) fn notices(query: Query<'_>) -> Result<Notices, Problem> {
    let on = query.switch("presence")? == Some(true);
    Ok(if on { Notices::On } else { Notices::Off })
}

/// The same as a member of a command.
pub(crate) fn notices_of(json: Option<&str>) -> Result<Notices, Problem> {
    match json.map(read_switch) {
        None | Some(Some(false)) => Ok(Notices::Off),
        Some(Some(true)) => Ok(Notices::On),
        Some(None) => Err(invalid(
            "presence",
            "is neither true nor false",
            "Use `\"presence\":true` to be told who comes and goes, or leave it out.",
        )),
    }
}

/// The body of the answer.
#[must_use]
pub fn answer(page: &PresencePage) -> Vec<u8> {
    let mut out = vec![b'{'];
    append_members(&mut out, page);
    out.push(b'}');
    out
}

/// Appends the members of the answer, those of the JSON object that it is.
pub(crate) fn append_members(out: &mut Vec<u8>, page: &PresencePage) {
    out.extend_from_slice(b"\"members\":[");
    for (place, member) in page.members.iter().enumerate() {
        out.extend_from_slice(if place > 0 { b",{" } else { b"{" });
        append_member(out, member);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"count\":");
    json::append_number(out, page.count as u64);
    out.extend_from_slice(b",\"next\":");
    match &page.next {
        Some(next) => json::append_string(out, &id_text(next)),
        None => out.extend_from_slice(b"null"),
    }
}

/// Encodes news, framed as [`super::encode::encode`] does, before anything is compressed; empty
/// where the format has no words for them.
#[must_use]
pub fn encode_news(news: &News, format: Format) -> Frame {
    let kind = match &news.change {
        Change::Joined(_) => "join",
        Change::Left(_) => "leave",
        Change::Counted => "presence",
    };
    let mut body = Vec::with_capacity(256);
    match format {
        Format::Sse | Format::SseChannel | Format::SseEnvelope => {
            body.extend_from_slice(b"event: fanfare.");
            body.extend_from_slice(kind.as_bytes());
            body.extend_from_slice(b"\ndata: {");
            append_news(&mut body, news);
            body.extend_from_slice(b"}\n\n");
            chunked(&body)
        }
        Format::Ndjson => {
            append_object(&mut body, kind, news);
            body.push(b'\n');
            chunked(&body)
        }
        Format::WebSocketV1 => {
            append_object(&mut body, kind, news);
            let mut frame = Vec::with_capacity(body.len() + 10);
            append_websocket_header(&mut frame, Opcode::Text, body.len());
            frame.extend_from_slice(&body);
            Frame::whole(Bytes::from(frame))
        }
        Format::Text | Format::WebSocketRaw => Frame::default(),
        Format::Compressed(compressed) => encode_news(news, compressed.plain()),
    }
}

fn chunked(body: &[u8]) -> Frame {
    let mut bytes = Vec::with_capacity(body.len() + 20);
    append_chunk_head(&mut bytes, body.len());
    let begin = bytes.len();
    bytes.extend_from_slice(body);
    let end = bytes.len();
    bytes.extend_from_slice(CHUNK_END);
    Frame::new(Bytes::from(bytes), begin..end, end)
}

fn append_object(out: &mut Vec<u8>, kind: &str, news: &News) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",");
    append_news(out, news);
    out.push(b'}');
}

fn append_news(out: &mut Vec<u8>, news: &News) {
    out.extend_from_slice(b"\"channel\":");
    json::append_string(out, news.channel.as_str());
    out.push(b',');
    match &news.change {
        Change::Joined(member) | Change::Left(member) => append_member(out, member),
        Change::Counted => {
            out.extend_from_slice(b"\"count\":");
            json::append_number(out, news.count as u64);
        }
    }
}

fn append_member(out: &mut Vec<u8>, member: &Member) {
    out.extend_from_slice(b"\"client\":");
    json::append_string(out, &member.id.client);
    out.extend_from_slice(b",\"user\":");
    match &member.id.user {
        Some(user) => json::append_string(out, user),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"info\":");
    out.extend_from_slice(member.info.as_deref().unwrap_or("null").as_bytes());
}

/// Takes JSON with its own bytes, but on one line.
fn info(text: &str) -> Result<Arc<str>, Problem> {
    let hint = "Use a JSON text of at most 1,024 bytes, percent-encoded, as in \
                `info=%7B%22name%22%3A%22Ada%22%7D`.";
    if text.len() > INFO_BYTES_MAX {
        return Err(invalid("info", "has more than 1,024 bytes", hint));
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => Ok(raw.get().replace(['\r', '\n'], " ").into()),
        Err(error) => Err(invalid("info", &format!("is no JSON: {error}"), hint)),
    }
}

/// A member's id as `next` and `after` have it: base64url of the client's id and, behind a byte
/// that cannot stand in it, of the user.
fn id_text(id: &MemberId) -> String {
    let mut bytes = id.client.as_bytes().to_vec();
    if let Some(user) = &id.user {
        bytes.push(0);
        bytes.extend_from_slice(user.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse_id(text: &str) -> Option<MemberId> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = str::from_utf8(&bytes).ok()?;
    let (client, user) = match text.split_once('\0') {
        Some((client, user)) => (client, Some(user)),
        None => (text, None),
    };
    Some(MemberId { user: user.map(Into::into), client: client.into() })
}

#[cfg(test)]
mod tests {
    use super::{MemberId, id_text, parse_id};

    #[test]
    fn the_place_in_a_list_comes_back_as_it_went() {
        for (client, user) in [("a", None), ("ä ~", Some("alice")), ("x", Some("")), ("", None)] {
            let id = MemberId { user: user.map(Into::into), client: client.into() };
            assert_eq!(parse_id(&id_text(&id)), Some(id));
        }
        for bad in ["*", "a", "__8"] {
            assert_eq!(parse_id(bad), None, "{bad}");
        }
    }
}

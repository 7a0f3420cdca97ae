//! `/c/{channel}/history`: a part of a channel's history, once.

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{HistoryPage, HistoryQuery, Order, Until};
use fanfare_core::start::Start;
use fanfare_core::time::UnixMillis;

use crate::native::cursor::{parse_cursor, parse_position};
use crate::native::head::Head;
use crate::native::moment::{parse_age, parse_moment, parse_whole};
use crate::native::negotiate::body_wanted;
use crate::native::poll::append_gaps;
use crate::native::problem::Problem;
use crate::native::reading::BodyWanted;
use crate::native::starts::starts;
use crate::native::{channels, cursor, envelope};

/// A request for a part of a channel's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The channel.
    pub channel: ChannelName,
    /// The part.
    pub query: HistoryQuery,
    /// Whether the answer's body is wanted.
    pub body: BodyWanted,
}

/// The parts of a query as they were written, but the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written<'a> {
    /// `until=`.
    pub(crate) until: Option<&'a str>,
    /// `limit=`.
    pub(crate) limit: Option<&'a str>,
    /// `order=`.
    pub(crate) order: Option<&'a str>,
}

/// Reads a request for history.
pub(crate) fn request(
    channels: Vec<ChannelName>,
    head: &Head<'_>,
    now: UnixMillis,
) -> Result<HistoryRequest, Problem> {
    let channels = channels::some(channels)?;
    let [channel] = channels.as_slice() else {
        return Err(Problem::new(
            Code::ParameterInvalid,
            format!("History takes one channel, and the URL names {}.", channels.len()),
            "Ask for each channel's history by itself.",
        ));
    };
    let channel = channel.clone();
    let start = starts(channels, head, Start::All, now)?
        .subscriptions
        .first()
        .map_or(Start::All, |subscription| subscription.start);
    let query = head.query();
    let until = query.parameter("until")?;
    let limit = query.parameter("limit")?;
    let order = query.parameter("order")?;
    let written =
        Written { until: until.as_deref(), limit: limit.as_deref(), order: order.as_deref() };
    Ok(HistoryRequest {
        query: written.query(&channel, start, now)?,
        channel,
        body: body_wanted(head),
    })
}

impl Written<'_> {
    /// The query that was written, from this start.
    pub(crate) fn query(
        &self,
        channel: &ChannelName,
        since: Start,
        now: UnixMillis,
    ) -> Result<HistoryQuery, Problem> {
        Ok(HistoryQuery {
            since,
            until: self.until.map(|text| until(channel, text, now)).transpose()?,
            limit: self.limit.map_or(Ok(LIMIT), limit)?,
            bytes: BYTES_MAX,
            order: self.order.map_or(Ok(Order::Ascending), order)?,
        })
    }
}

/// The body of the answer.
#[must_use]
pub fn answer(page: &HistoryPage) -> Vec<u8> {
    let mut out = Vec::new();
    append_answer(&mut out, page);
    out
}

/// Appends the body of the answer.
pub fn append_answer(out: &mut Vec<u8>, page: &HistoryPage) {
    out.push(b'{');
    append_members(out, page);
    out.push(b'}');
}

/// Appends the members of the answer.
pub(crate) fn append_members(out: &mut Vec<u8>, page: &HistoryPage) {
    out.extend_from_slice(b"\"publications\":[");
    for (place, served) in page.publications.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        envelope::append_whole(out, &served.publication, served.prev);
    }
    out.extend_from_slice(b"],\"cursor\":\"");
    cursor::append_entry(out, page.cursor);
    out.extend_from_slice(b"\",\"next\":");
    match page.next {
        Some(next) => {
            out.push(b'"');
            cursor::append_position(out, next);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"gaps\":");
    append_gaps(out, &page.gap);
}

/// The cursor of the answer's header.
#[must_use]
pub fn answer_cursor(page: &HistoryPage) -> Cursor {
    let mut cursor = Cursor::new();
    cursor.set(page.cursor);
    cursor
}

fn until(channel: &ChannelName, text: &str, now: UnixMillis) -> Result<Until, Problem> {
    if let Some(position) = parse_position(text) {
        return Ok(Until::Position(position));
    }
    let entry = parse_cursor(text).ok().and_then(|cursor| {
        let hash = channel.hash48();
        cursor.entries.into_iter().find(|entry| entry.hash == hash)
    });
    if let Some(entry) = entry {
        return Ok(Until::Position(entry.position));
    }
    if let Some(age) = parse_age(text) {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        return Ok(Until::Time(now.saturating_sub(age)));
    }
    parse_moment(text).map(Until::Time).map_err(|_unreadable| {
        invalid(
            format!("`until={}` cannot be read.", text.escape_debug()),
            "Use `offset.epoch`, a cursor with an entry for the channel, an age such as `10m`, or \
             a time with a zone.",
        )
    })
}

/// Out of range is clamped.
pub(crate) fn limit(text: &str) -> Result<usize, Problem> {
    match parse_whole(text) {
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX)),
        None => Err(invalid(
            format!("`limit={}` is no whole number.", text.escape_debug()),
            "Use 1 to 1000.",
        )),
    }
}

fn order(text: &str) -> Result<Order, Problem> {
    match text {
        "asc" => Ok(Order::Ascending),
        "desc" => Ok(Order::Descending),
        other => Err(invalid(
            format!("`order={}` is no order.", other.escape_debug()),
            "Use `order=asc` or `order=desc`.",
        )),
    }
}

fn invalid(detail: String, hint: &'static str) -> Problem {
    Problem::new(Code::ParameterInvalid, detail, hint)
}

/// Publications of one answer, unless `limit=` says otherwise.
pub(crate) const LIMIT: usize = 100;

/// Publications of one answer, at most.
const LIMIT_MAX: usize = 1_000;

/// Bytes of one answer's publications, at most, but one publication always.
pub(crate) const BYTES_MAX: usize = 1 << 20;

//! Where readers start: `since=`, `Last-Event-ID`, cursors, and what each channel gets of them.

use std::borrow::Cow;

use fanfare_core::code::Code;
use fanfare_core::cursor::{CURSOR_ENTRIES_MAX, Cursor, CursorEntry};
use fanfare_core::name::{ChannelHash, ChannelName};
use fanfare_core::position::Position;
use fanfare_core::presence::Notices;
use fanfare_core::start::{Start, Subscription};
use fanfare_core::time::UnixMillis;

use crate::native::cursor::{ReadCursor, parse_cursor, parse_damaged_cursor, parse_position};
use crate::native::head::Head;
use crate::native::moment::{MomentError, parse_age, parse_moment, parse_whole};
use crate::native::problem::Problem;

/// Where to start, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// For every channel the same; never a gap.
    Start(Start),
    /// `offset.epoch`, of the one channel that is asked for.
    Position(Position),
    /// A cursor.
    Cursor(ReadCursor),
}

/// What came as `Last-Event-ID` or one of its aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastEventId {
    /// `offset.epoch`.
    Position(Position),
    /// A cursor.
    Cursor(ReadCursor),
    /// Nothing that we wrote: a gap.
    Unreadable,
}

/// Where each channel starts and what is carried through.
#[derive(Debug, Clone, Default)]
pub struct Starts {
    /// The channels, each once, in the order of the request.
    pub subscriptions: Vec<Subscription>,
    /// Entries for other channels, and the mark.
    pub carried: Cursor,
    /// `since=` as it was written, or `a cursor`.
    pub from: Cow<'static, str>,
}

impl Starts {
    /// The same, with the readers told of others or not.
    pub(crate) fn with(mut self, notices: Notices) -> Self {
        for subscription in &mut self.subscriptions {
            subscription.notices = notices;
        }
        self
    }
}

/// Reads a `since`.
///
/// # Errors
/// A problem that names the forms that can be read.
pub fn parse_since(text: &str, now: UnixMillis) -> Result<Since, Problem> {
    let start = match text {
        "now" => Start::Now,
        "all" => Start::All,
        "last" => Start::Last(1),
        _ if text.starts_with('~') => {
            return parse_cursor(text)
                .map(Since::Cursor)
                .map_err(|error| unreadable(text, &error.to_string()));
        }
        _ => match text.strip_prefix("last:") {
            Some(count) => last(count)
                .ok_or_else(|| unreadable(text, "`last:` is followed by a whole number from 1"))?,
            None => return parse_place(text, now),
        },
    };
    Ok(Since::Start(start))
}

/// Reads the `Last-Event-ID` of a request: the header, else its aliases in the query. An empty one
/// is none.
#[must_use]
pub fn last_event_id(head: &Head<'_>) -> Option<LastEventId> {
    let header = head.bytes("last-event-id").map(<[u8]>::trim_ascii);
    if let Some(bytes) = header.filter(|bytes| !bytes.is_empty()) {
        return Some(std::str::from_utf8(bytes).map_or(LastEventId::Unreadable, parse_id));
    }
    let query = head.query();
    ["lastEventId", "last_event_id"].iter().find_map(|name| match query.value(name) {
        Ok(value) => value.as_deref().map(parse_id),
        Err(_undecodable) => Some(LastEventId::Unreadable),
    })
}

/// Where the channels of a request start. `fallback` is for channels of which nothing is said.
///
/// # Errors
/// A problem with `since-invalid`.
pub fn starts(
    channels: Vec<ChannelName>,
    head: &Head<'_>,
    fallback: Start,
    now: UnixMillis,
) -> Result<Starts, Problem> {
    let id = last_event_id(head);
    let since = match query_since(head, &channels, now) {
        Ok(since) => since,
        Err(_ignored) if matches!(id, Some(LastEventId::Position(_) | LastEventId::Cursor(_))) => {
            None
        }
        Err(problem) => return Err(problem),
    };
    let from = in_words(head, since.as_ref(), id.as_ref(), fallback);
    let mut known = Known::default();
    let mut fallback = fallback;
    match since {
        Some(Since::Start(start)) => fallback = start,
        Some(Since::Position(position)) => known.add_position(&channels, position),
        Some(Since::Cursor(cursor)) => known.add(cursor),
        None => {}
    }
    match id {
        Some(LastEventId::Position(position)) if channels.len() == 1 => {
            known.add_position(&channels, position);
        }
        Some(LastEventId::Cursor(cursor)) => known.add(cursor),
        Some(LastEventId::Position(_) | LastEventId::Unreadable) => {
            return Ok(Starts { from, ..all_unreadable(channels) });
        }
        None => {}
    }
    Ok(Starts { from, ..known.starts(channels, fallback) })
}

/// Where a channel starts that is added to a connection later: from `since`, else from the entry
/// that the connection carries for it, else now.
#[must_use]
pub fn start_later(channel: &ChannelName, since: Option<&Since>, carried: &Cursor) -> Start {
    match since {
        Some(since) => start_of_since(channel, since, Start::Now),
        None => start_of(carried.entry(channel.hash48()), carried.marked(), Start::Now),
    }
}

/// Where one channel starts by a `since`; `fallback` if that is a cursor without its entry.
pub(crate) fn start_of_since(channel: &ChannelName, since: &Since, fallback: Start) -> Start {
    match since {
        Since::Start(start) => *start,
        Since::Position(position) => Start::After(*position),
        Since::Cursor(cursor) => {
            let hash = channel.hash48();
            let entry = cursor.entries.iter().find(|entry| entry.hash == hash);
            start_of(entry.copied(), cursor.marked, fallback)
        }
    }
}

fn query_since(
    head: &Head<'_>,
    channels: &[ChannelName],
    now: UnixMillis,
) -> Result<Option<Since>, Problem> {
    let text = match head.query().value("since") {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) => return Err(unreadable("", &error.to_string())),
    };
    let since = parse_since(&text, now)?;
    if matches!(since, Since::Position(_)) && channels.len() != 1 {
        return Err(Problem::new(
            Code::SinceInvalid,
            format!(
                "`since={text}` is the position of one channel, and the request names {}.",
                channels.len()
            ),
            "Give a cursor, which has an entry for each channel; `Fanfare-Cursor` of an earlier \
             answer is one.",
        ));
    }
    Ok(Some(since))
}

/// A start in its reader's words. A `since` that could be read has no control characters.
fn in_words(
    head: &Head<'_>,
    since: Option<&Since>,
    id: Option<&LastEventId>,
    fallback: Start,
) -> Cow<'static, str> {
    match (id, since) {
        (Some(_), _) | (None, Some(Since::Cursor(_) | Since::Position(_))) => "a cursor".into(),
        (None, Some(Since::Start(_))) => match head.query().value("since") {
            Ok(Some(text)) => text.into_owned().into(),
            Ok(None) | Err(_) => "now".into(),
        },
        (None, None) if fallback == Start::All => "all".into(),
        (None, None) => "now".into(),
    }
}

fn parse_id(text: &str) -> LastEventId {
    if let Some(position) = parse_position(text) {
        return LastEventId::Position(position);
    }
    parse_damaged_cursor(text).map_or(LastEventId::Unreadable, LastEventId::Cursor)
}

fn last(count: &str) -> Option<Start> {
    let count = parse_whole(count).filter(|count| *count > 0)?;
    Some(Start::Last(u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Reads a position, an age or a moment.
fn parse_place(text: &str, now: UnixMillis) -> Result<Since, Problem> {
    if let Some(position) = parse_position(text) {
        return Ok(Since::Position(position));
    }
    if let Some(age) = parse_age(text) {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        return Ok(Since::Start(Start::Since(now.saturating_sub(age))));
    }
    match parse_moment(text) {
        Ok(moment) => Ok(Since::Start(Start::Since(moment))),
        Err(MomentError::NoZone) => Err(unreadable(text, "a time needs a zone, `Z` or `+02:00`")),
        Err(MomentError::Unreadable) => Err(unreadable(text, "it has none of the known forms")),
    }
}

pub(crate) fn unreadable(text: &str, why: &str) -> Problem {
    let shown: Cow<'_, str> = match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    };
    Problem::new(
        Code::SinceInvalid,
        format!("`since={}` cannot be read: {why}.", shown.escape_debug()),
        "Use `now`, `all`, `last`, `last:20`, an age such as `30s` or `2h`, a time such as \
         `2026-01-31T12:00:00Z` or Unix seconds, a cursor, or `offset.epoch` of one channel.",
    )
}

/// What a request says of channels by their hashes.
#[derive(Debug, Default)]
struct Known {
    /// Of two entries for one channel the later one counts.
    entries: Vec<CursorEntry>,
    marked: bool,
}

impl Known {
    fn add(&mut self, cursor: ReadCursor) {
        self.marked |= cursor.marked;
        if self.entries.is_empty() {
            self.entries = cursor.entries;
            return;
        }
        let newer: std::collections::HashSet<ChannelHash> =
            cursor.entries.iter().map(|entry| entry.hash).collect();
        self.entries.retain(|entry| !newer.contains(&entry.hash));
        self.entries.extend(cursor.entries);
    }

    fn add_position(&mut self, channels: &[ChannelName], position: Position) {
        if let Some(channel) = channels.first() {
            self.add(ReadCursor {
                entries: vec![CursorEntry { hash: channel.hash48(), position, ended: false }],
                marked: false,
            });
        }
    }

    fn starts(self, channels: Vec<ChannelName>, fallback: Start) -> Starts {
        let hashes: Vec<ChannelHash> = channels.iter().map(ChannelName::hash48).collect();
        let subscriptions = channels
            .into_iter()
            .map(|channel| {
                let hash = channel.hash48();
                let entry = self.entries.iter().find(|entry| entry.hash == hash);
                let twins = hashes.iter().filter(|other| **other == hash).count();
                let start = if twins > 1 && entry.is_some() {
                    Start::Unreadable
                } else {
                    start_of(entry.copied(), self.marked, fallback)
                };
                Subscription::new(channel, start)
            })
            .collect();
        let mut carried = Cursor::new();
        if self.marked {
            carried.mark();
        }
        let others = self.entries.into_iter().filter(|entry| !hashes.contains(&entry.hash));
        let room = CURSOR_ENTRIES_MAX.saturating_sub(hashes.len());
        for (place, entry) in others.enumerate() {
            if place == room {
                carried.mark();
                break;
            }
            carried.set(entry);
        }
        Starts { subscriptions, carried, ..Starts::default() }
    }
}

fn start_of(entry: Option<CursorEntry>, marked: bool, fallback: Start) -> Start {
    match entry {
        Some(entry) => Start::of_entry(entry),
        None if marked => Start::Unreadable,
        None => fallback,
    }
}

/// Every channel is told a gap. Nothing is marked: the text was none of ours, so no entry for
/// another channel was lost with it.
fn all_unreadable(channels: Vec<ChannelName>) -> Starts {
    Starts {
        subscriptions: channels
            .into_iter()
            .map(|channel| Subscription::new(channel, Start::Unreadable))
            .collect(),
        ..Starts::default()
    }
}

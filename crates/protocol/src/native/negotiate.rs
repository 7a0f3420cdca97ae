//! Which transport a reader gets, and the settings of its stream.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::frame::{Coding, Format};
use fanfare_core::name::ChannelName;
use fanfare_core::rate::Rate;
use fanfare_core::shard::Echo;
use fanfare_core::start::{Start, Subscription};
use fanfare_core::time::UnixMillis;

use crate::native::channels;
use crate::native::head::Head;
use crate::native::moment::parse_seconds;
use crate::native::packing::{self, ContentCoding};
use crate::native::presence;
use crate::native::problem::Problem;
use crate::native::query::Query;
use crate::native::reading::{
    BodyWanted, Heartbeat, HeartbeatForm, OpeningEvent, Pong, Reading, Socket, Transport,
};
use crate::native::route::{Route, Rules};
use crate::native::starts::{Starts, starts};
use crate::native::upgrade;
use crate::websocket::Subprotocol;

/// Reads a `GET` or `HEAD` of channels.
pub(crate) fn read(
    channels: Vec<ChannelName>,
    head: &Head<'_>,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Route, Problem> {
    let query = head.query();
    // `HEAD` gives headers and never a stream, so that it cannot become a WebSocket.
    if head.method != "HEAD"
        && let Some(socket) = upgrade::socket(head, rules)?
    {
        return read_socket(channels, head, socket, rules, now);
    }
    let channels = channels::some(channels)?;
    let wanted = match asked(query)? {
        Some(wanted) => wanted,
        None => match accepted(head) {
            Wanted::Page => return Ok(Route::ChannelPage(channels)),
            wanted => wanted,
        },
    };
    let (transport, format) = match wanted {
        Wanted::Sse => (Transport::Sse, sse_format(query, &channels)?),
        Wanted::Envelope => (Transport::Sse, envelope_format(query)?),
        Wanted::Ndjson => (Transport::Ndjson, Format::Ndjson),
        Wanted::Text => (Transport::Text, Format::Text),
        Wanted::Poll(wait) => (Transport::Poll { wait }, Format::Ndjson),
        Wanted::Page => return Ok(Route::ChannelPage(channels)),
    };
    let coding = content_coding(head, rules, &transport);
    let format = match coding {
        ContentCoding::Chosen(Some(coding)) => format.compressed(coding),
        ContentCoding::Chosen(None) | ContentCoding::Fixed => format,
    };
    let polls = query.switch("poll")? == Some(true);
    let fallback = if polls { Start::All } else { Start::Now };
    let notices = presence::notices(query)?;
    let starts = starts(channels, head, fallback, now)?.with(notices);
    reading(head, rules, transport, format)
        .map(|reading| Route::Read(Box::new(with_starts(Reading { coding, ..reading }, starts))))
}

/// How the body of a stream is to be coded. Answers that stand are left as they are.
fn content_coding(head: &Head<'_>, rules: &Rules, transport: &Transport) -> ContentCoding {
    match transport {
        Transport::Sse | Transport::Ndjson | Transport::Text if rules.compression.streams => {
            ContentCoding::Chosen(packing::accepted(head))
        }
        _ => ContentCoding::Fixed,
    }
}

fn read_socket(
    channels: Vec<ChannelName>,
    head: &Head<'_>,
    mut socket: Socket,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Route, Problem> {
    let format = match socket.language {
        Subprotocol::Raw => Format::WebSocketRaw,
        Subprotocol::V1 => Format::WebSocketV1,
    };
    let format = match socket.deflate {
        Some(_) => format.compressed(Coding::Deflate),
        None => format,
    };
    let channels = match socket.language {
        Subprotocol::Raw => channels::some(channels)?,
        Subprotocol::V1 => channels,
    };
    socket.pong = pong(head.query())?;
    let notices = presence::notices(head.query())?;
    let reading = reading(head, rules, Transport::WebSocket(socket), format)?;
    // Browsers hide HTTP refusals of a handshake, so that this one is told behind it.
    let reading = match starts(channels.clone(), head, Start::Now, now) {
        Ok(starts) => with_starts(reading, starts.with(notices)),
        Err(refusal) => {
            Reading { subscriptions: from_now(channels), refusal: Some(refusal), ..reading }
        }
    };
    Ok(Route::Read(Box::new(reading)))
}

fn with_starts(reading: Reading, starts: Starts) -> Reading {
    Reading {
        subscriptions: starts.subscriptions,
        carried: starts.carried,
        from: starts.from,
        ..reading
    }
}

fn from_now(channels: Vec<ChannelName>) -> Vec<Subscription> {
    let now = |channel| Subscription::new(channel, Start::Now);
    channels.into_iter().map(now).collect()
}

/// Everything of a reading but where it starts.
fn reading(
    head: &Head<'_>,
    rules: &Rules,
    transport: Transport,
    format: Format,
) -> Result<Reading, Problem> {
    let query = head.query();
    let off = |name| query.switch(name).map(|switch| switch == Some(false));
    let max_rate = max_rate(query)?;
    if max_rate.is_some() && matches!(transport, Transport::Poll { .. }) {
        return Err(conflict(
            "`max_rate=` sets the pace of a stream, and a poll is one answer.".to_owned(),
            "Leave out `max_rate=`, and ask as often as you like; or read a stream.",
        ));
    }
    Ok(Reading {
        transport,
        format,
        subscriptions: Vec::new(),
        carried: fanfare_core::cursor::Cursor::new(),
        from: "now".into(),
        coding: ContentCoding::Fixed,
        echo: if off("echo")? { Echo::Off } else { Echo::On },
        attendance: presence::attendance(query)?,
        max_rate,
        heartbeat: heartbeat(query, rules)?,
        opening: if off("open")? { OpeningEvent::Silent } else { OpeningEvent::Told },
        body: body_wanted(head),
        version: head.version,
        refusal: None,
    })
}

/// Whether the request's method wants a body.
pub(crate) fn body_wanted(head: &Head<'_>) -> BodyWanted {
    if head.method == "HEAD" { BodyWanted::No } else { BodyWanted::Yes }
}

/// What a reader wants, before its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Sse,
    Envelope,
    Ndjson,
    Text,
    Poll(Duration),
    Page,
}

/// What the query asks for by `as=`, `wait=` and `poll=`.
fn asked(query: Query<'_>) -> Result<Option<Wanted>, Problem> {
    let wait = query.parameter("wait")?.map(|text| wait(&text)).transpose()?;
    let polls = query.switch("poll")? == Some(true);
    let wanted = match query.parameter("as")?.as_deref() {
        None if wait.is_none() && !polls => return Ok(None),
        None | Some("json") => return Ok(Some(Wanted::Poll(wait.unwrap_or_default()))),
        Some("sse") => Wanted::Sse,
        Some("envelope") => Wanted::Envelope,
        Some("ndjson") => Wanted::Ndjson,
        Some("raw") => Wanted::Text,
        Some(other) => {
            return Err(invalid(
                format!("`as={}` is none of the forms.", other.escape_debug()),
                "Use `as=sse`, `as=envelope`, `as=ndjson`, `as=json` or `as=raw`.",
            ));
        }
    };
    if wait.is_some() || polls {
        return Err(conflict(
            "`wait=` and `poll=` ask for one answer, `as=` for a stream.".to_owned(),
            "Leave out `as=`, or use `as=json`.",
        ));
    }
    Ok(Some(wanted))
}

/// What the headers ask for; never a refusal.
fn accepted(head: &Head<'_>) -> Wanted {
    if accepts(head, "text/event-stream") {
        Wanted::Sse
    } else if accepts(head, "application/x-ndjson") {
        Wanted::Ndjson
    } else if accepts(head, "application/json") {
        Wanted::Poll(Duration::ZERO)
    } else if head.method == "GET" && head.text("sec-fetch-mode") == Some("navigate") {
        Wanted::Page
    } else {
        Wanted::Sse
    }
}

/// Whether `Accept` names a type, unless with a weight of zero.
fn accepts(head: &Head<'_>, media: &str) -> bool {
    head.list("accept").any(|element| {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        let refused = parameters.split(';').any(|parameter| {
            let weight = parameter.trim().strip_prefix("q=");
            weight.is_some_and(|weight| weight.parse() == Ok(0.0_f32))
        });
        name.trim().eq_ignore_ascii_case(media) && !refused
    })
}

fn wait(text: &str) -> Result<Duration, Problem> {
    let negative = text.strip_prefix('-').and_then(parse_seconds).is_some();
    let wait = if negative { Some(Duration::ZERO) } else { parse_seconds(text) };
    wait.map(|wait| wait.min(WAIT_MAX)).ok_or_else(|| {
        invalid(
            format!("`wait={}` is no number of seconds.", text.escape_debug()),
            "Use whole seconds from 0 to 60, as in `wait=30`.",
        )
    })
}

fn sse_format(query: Query<'_>, channels: &[ChannelName]) -> Result<Format, Problem> {
    if !event_is_channel(query)? {
        return Ok(Format::Sse);
    }
    let reserved = channels.iter().find(|channel| matches!(channel.as_str(), "open" | "error"));
    match reserved {
        Some(channel) => Err(conflict(
            format!(
                "`event=channel` would name events `{channel}`, which an EventSource fires itself."
            ),
            "Use `as=envelope`, or another name for the channel.",
        )),
        None => Ok(Format::SseChannel),
    }
}

fn envelope_format(query: Query<'_>) -> Result<Format, Problem> {
    if event_is_channel(query)? {
        return Err(conflict(
            "`as=envelope` has no event names, and `event=channel` asks for some.".to_owned(),
            "Leave out one of the two; the envelope names its channel.",
        ));
    }
    Ok(Format::SseEnvelope)
}

fn event_is_channel(query: Query<'_>) -> Result<bool, Problem> {
    match query.parameter("event")?.as_deref() {
        None => Ok(false),
        Some("channel") => Ok(true),
        Some(other) => Err(invalid(
            format!("`event={}` is no way to name events.", other.escape_debug()),
            "Use `event=channel`, or leave it out; a publisher names its event when it posts.",
        )),
    }
}

/// `30s`, `event` or `event:10s`, clamped to what keeps connections alive.
fn heartbeat(query: Query<'_>, rules: &Rules) -> Result<Heartbeat, Problem> {
    let text = query.parameter("heartbeat")?;
    let (form, every) = match text.as_deref() {
        None => (HeartbeatForm::Comment, Some(rules.heartbeat)),
        Some("event") => (HeartbeatForm::Event, Some(rules.heartbeat)),
        Some(text) => match text.strip_prefix("event:") {
            Some(every) => (HeartbeatForm::Event, parse_seconds(every)),
            None => (HeartbeatForm::Comment, parse_seconds(text)),
        },
    };
    let every = every.ok_or_else(|| {
        invalid(
            format!(
                "`heartbeat={}` cannot be read.",
                text.as_deref().unwrap_or_default().escape_debug()
            ),
            "Use 5s to 60s, as in `heartbeat=10s`, or `heartbeat=event:10s` for an event.",
        )
    })?;
    Ok(Heartbeat { every: every.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX), form })
}

/// A number of one or more, rounded down to a rate that there is; only what stands before its point
/// matters for that.
fn max_rate(query: Query<'_>) -> Result<Option<Rate>, Problem> {
    let Some(text) = query.parameter("max_rate")? else { return Ok(None) };
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Digits that are too many for a number are more than the highest rate.
    let per_second = (digits(whole) && digits(part)).then(|| whole.parse().unwrap_or(u64::MAX));
    let rate = per_second.and_then(Rate::at_most);
    rate.map(Some).ok_or_else(|| {
        invalid(
            format!("`max_rate={}` is no rate of at least one a second.", text.escape_debug()),
            "Use a number from 1, as in `max_rate=5`; it is rounded down to 1, 2, 5, 10, 20 or 50 a \
             second.",
        )
    })
}

fn pong(query: Query<'_>) -> Result<Pong, Problem> {
    if query.switch("ping")? == Some(false) {
        return Ok(Pong::Off);
    }
    let Some(text) = query.parameter("pong")? else {
        return Ok(Pong::Usual);
    };
    if text.len() > PONG_BYTES_MAX {
        return Err(invalid(
            format!("`pong=` has {} bytes.", text.len()),
            "Use at most 255 bytes.",
        ));
    }
    Ok(Pong::Text(text.as_ref().into()))
}

fn conflict(detail: String, hint: &'static str) -> Problem {
    Problem::new(Code::ParameterConflict, detail, hint)
}

fn invalid(detail: String, hint: &'static str) -> Problem {
    Problem::new(Code::ParameterInvalid, detail, hint)
}

/// The longest a poll waits.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The shortest time between heartbeats.
const HEARTBEAT_MIN: Duration = Duration::from_secs(5);

/// The longest time between heartbeats, below what proxies and load balancers wait.
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);

/// Bytes of `pong=`.
const PONG_BYTES_MAX: usize = 255;

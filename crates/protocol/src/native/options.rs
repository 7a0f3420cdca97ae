//! The options of a publish and their bounds, wherever they were written.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::position::Position;
use fanfare_core::publication::{
    Content, Data, Detail, Draft, End, Expect, Lifetime, Publisher, SessionId,
};

use crate::native::channels::{Each, Named};
use crate::native::cursor::{ReadCursor, parse_cursor, parse_position};
use crate::native::media::{self, Kind, MediaError};
use crate::native::moment::parse_seconds;
use crate::native::problem::Problem;

/// What a publisher said beside the payload, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// The rarer parts of the publication, the content type among them.
    pub detail: Detail,
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// The idempotency key.
    pub key: Option<Box<str>>,
    /// What the head must be.
    pub expect: Option<Expected>,
    /// Whether the channel is closed after it.
    pub end: End,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            detail: Detail::default(),
            lifetime: Lifetime::Retained,
            key: None,
            expect: None,
            end: End::Open,
        }
    }
}

/// What the heads of the channels of a request must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing was published in this epoch.
    Nothing,
    /// This position, of the one channel.
    Position(Position),
    /// The entries of a cursor.
    Cursor(ReadCursor),
}

impl Options {
    /// What each channel's owner is to be asked.
    pub(crate) fn drafts(
        self,
        channels: Vec<Named>,
        data: Option<Data>,
        publisher: &Publisher,
    ) -> Result<Vec<Each<Draft>>, Problem> {
        if channels.len() > 1 && matches!(self.expect, Some(Expected::Position(_))) {
            return Err(invalid(
                "expect",
                "is the position of one channel, and there are several",
                "Give a cursor, which has an entry for each channel.",
            ));
        }
        let detail = (self.detail != Detail::default()).then(|| Box::new(self.detail));
        let mut content = data.map(|data| Content { data, detail });
        let mut left = channels.iter().filter(|channel| channel.is_ok()).count();
        let mut draft = |channel: ChannelName| {
            left -= 1;
            let draft = Draft {
                // Mostly there is one channel, for which nothing needs to be copied.
                content: if left == 0 { content.take() } else { content.clone() },
                lifetime: self.lifetime,
                key: self.key.clone(),
                publisher: publisher.clone(),
                expect: self.expect.as_ref().map(|expected| expected.of(&channel)),
                end: self.end,
            };
            (channel, draft)
        };
        Ok(channels.into_iter().map(|channel| channel.map(&mut draft)).collect())
    }

    /// What the owner of the one channel is to be asked.
    pub(crate) fn draft(
        self,
        channel: &ChannelName,
        data: Option<Data>,
        publisher: &Publisher,
    ) -> Draft {
        let detail = (self.detail != Detail::default()).then(|| Box::new(self.detail));
        Draft {
            content: data.map(|data| Content { data, detail }),
            lifetime: self.lifetime,
            key: self.key,
            publisher: publisher.clone(),
            expect: self.expect.as_ref().map(|expected| expected.of(channel)),
            end: self.end,
        }
    }

    /// Sets the session that does not get the publication. A text that is none of ours is a
    /// session that nobody has.
    pub(crate) fn set_exclude(&mut self, exclude: Option<SessionId>) {
        self.detail.exclude = exclude;
    }

    pub(crate) fn set_event(&mut self, event: &str) -> Result<(), Problem> {
        bounded("event", event, 255)?;
        if event.chars().any(char::is_control) {
            return Err(invalid("event", "has control characters", "Leave them out."));
        }
        if event.starts_with("fanfare.") || matches!(event, "open" | "error") {
            return Err(invalid(
                "event",
                "is a name that the protocol or an EventSource uses itself",
                "Use another name than `open`, `error` and those starting with `fanfare.`.",
            ));
        }
        self.detail.event = Some(event.into());
        Ok(())
    }

    pub(crate) fn set_tags<'a>(
        &mut self,
        tags: impl Iterator<Item = &'a str>,
    ) -> Result<(), Problem> {
        for tag in tags {
            bounded("tags", tag, 64)?;
            if tag.contains(',') {
                return Err(invalid("tags", "has a tag with a comma", "Leave out the comma."));
            }
            if self.detail.tags.len() == TAGS_MAX {
                return Err(invalid("tags", "has more than 16 tags", "Give at most 16."));
            }
            self.detail.tags.push(tag.into());
        }
        Ok(())
    }

    pub(crate) fn set_ttl(&mut self, ttl: &str) -> Result<(), Problem> {
        let hint = "Use seconds or an age up to a year, as in `ttl=30`, `ttl=12h` or `ttl=0` for \
                    who listens now.";
        let Some(ttl) = parse_seconds(ttl) else {
            return Err(invalid("ttl", "cannot be read", hint));
        };
        if ttl > TTL_MAX {
            return Err(invalid("ttl", "is longer than a year", hint));
        }
        self.lifetime = if ttl.is_zero() { Lifetime::Live } else { Lifetime::Expiring(ttl) };
        Ok(())
    }

    pub(crate) fn set_key(&mut self, key: &str) -> Result<(), Problem> {
        bounded("key", key, 255)?;
        self.key = Some(key.into());
        Ok(())
    }

    pub(crate) fn set_conflate(&mut self, conflate: &str) -> Result<(), Problem> {
        bounded("conflate", conflate, 255)?;
        self.detail.conflate = Some(conflate.into());
        Ok(())
    }

    pub(crate) fn set_expect(&mut self, expect: &str) -> Result<(), Problem> {
        let position = || parse_position(expect).map(Expected::Position);
        let cursor = || parse_cursor(expect).ok().map(Expected::Cursor);
        let expected = match expect {
            "none" => Some(Expected::Nothing),
            _ => position().or_else(cursor),
        };
        if expected.is_none() {
            return Err(invalid(
                "expect",
                "cannot be read",
                "Use `none`, a cursor, or `offset.epoch` as an earlier answer gave it.",
            ));
        }
        self.expect = expected;
        Ok(())
    }

    /// Takes the publisher's content type and says what it makes of the payload.
    pub(crate) fn set_content_type(&mut self, content_type: &str) -> Result<Kind, Problem> {
        if content_type.len() > CONTENT_TYPE_BYTES_MAX {
            return Err(Problem::new(
                Code::ContentTypeInvalid,
                "The content type has more than 255 bytes.",
                "Use a shorter one.",
            ));
        }
        let kind = media::kind(content_type).map_err(|error| media_problem(content_type, error))?;
        self.detail.content_type = Some(content_type.into());
        Ok(kind)
    }
}

impl Expected {
    fn of(&self, channel: &ChannelName) -> Expect {
        match self {
            Self::Nothing => Expect::Nothing,
            Self::Position(position) => Expect::Head(*position),
            Self::Cursor(cursor) => cursor
                .entries
                .iter()
                .find(|entry| entry.hash == channel.hash48())
                .map_or(Expect::Elsewhere, |entry| Expect::Head(entry.position)),
        }
    }
}

/// Refuses an option. `why` continues a sentence that starts with its name.
pub(crate) fn invalid(name: &str, why: &str, hint: &'static str) -> Problem {
    Problem::new(Code::ParameterInvalid, format!("`{name}` {why}."), hint)
}

fn bounded(name: &str, value: &str, bytes_max: usize) -> Result<(), Problem> {
    if (1..=bytes_max).contains(&value.len()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::ParameterInvalid,
        format!("`{name}` has a value of {} bytes.", value.len()),
        format!("Use 1 to {bytes_max} bytes of UTF-8."),
    ))
}

fn media_problem(content_type: &str, error: MediaError) -> Problem {
    let content_type = content_type.escape_debug();
    match error {
        MediaError::Malformed => Problem::new(
            Code::ContentTypeInvalid,
            format!("The content type `{content_type}` is not `type/subtype` with parameters."),
            "Use one such as `application/json` or `text/plain; charset=utf-8`, or none for text.",
        ),
        MediaError::Charset(charset) => Problem::new(
            Code::CharsetUnsupported,
            format!("The charset `{}` is not UTF-8.", charset.escape_debug()),
            "Send the text as UTF-8, or `?binary=1` to keep its bytes as they are.",
        ),
    }
}

/// Tags of one publication.
const TAGS_MAX: usize = 16;

/// A year.
const TTL_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Bytes of a content type, which every envelope repeats.
const CONTENT_TYPE_BYTES_MAX: usize = 255;

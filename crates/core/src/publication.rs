//! Publications: one immutable message, and the draft of it that a publisher sends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cursor::CursorEntry;
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::time::UnixMillis;

/// What a publication carries; told apart by the content type at publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Valid UTF-8.
    Text(Bytes),
    /// Valid JSON in UTF-8, the publisher's own bytes.
    Json(Bytes),
    /// Any bytes.
    Binary(Bytes),
}

/// The identity of one stream or connection, at least 128 bits, never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub u128);

/// One message of a channel. Immutable once an offset is assigned.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The channel that it was published to.
    pub channel: ChannelName,
    /// Its place in the channel; none for a live-only publication (`ttl=0`).
    pub position: Option<Position>,
    /// The offset before it when it was stored; the mark (0 if none) for a channel's first.
    pub prev: Offset,
    /// When it was published.
    pub time: UnixMillis,
    /// When it expires, if its publisher said so.
    pub expires_at: Option<UnixMillis>,
    /// What the publisher said of it.
    pub content: Content,
}

/// What the publisher said: everything of a publication but its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The payload.
    pub data: Data,
    /// The rarer parts; none for a plain payload.
    pub detail: Option<Box<Detail>>,
}

/// The rarer parts of a publication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// The name of the event, 1 to 255 bytes without controls.
    pub event: Option<Box<str>>,
    /// At most 16 tags of 1 to 64 bytes.
    pub tags: Vec<Box<str>>,
    /// The publisher's content type, as sent.
    pub content_type: Option<Box<str>>,
    /// Of one value only the newest matters to a conflating reader; 1 to 255 bytes.
    pub conflate: Option<Box<str>>,
    /// The session that does not want its own publication back.
    pub exclude: Option<SessionId>,
}

/// How long a publication is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the channel's retention says.
    #[default]
    Retained,
    /// At most this long; never zero.
    Expiring(Duration),
    /// Never stored: only who listens now gets it (`ttl=0`).
    Live,
}

/// What a publisher asks for.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What is to be published; none closes the channel without a last publication.
    pub content: Option<Content>,
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// The idempotency key, 1 to 255 bytes.
    pub key: Option<Box<str>>,
    /// Who publishes, which is the scope of the key; anonymous publishers share one.
    pub publisher: Publisher,
    /// What the head must be.
    pub expect: Option<Expect>,
    /// Whether the channel is closed after this.
    pub end: End,
}

/// The name under which a publisher authenticated; none for anonymous ones.
pub type Publisher = Option<Arc<str>>;

/// Whether a publication is its channel's last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The channel goes on.
    Open,
    /// The channel is closed after it.
    Close,
}

/// The condition under which a publication is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing was published in this epoch.
    Nothing,
    /// The head is this position.
    Head(Position),
    /// A cursor without an entry for the channel, which no head can equal.
    Elsewhere,
}

/// What a publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The publication's place, or the head where nothing was stored.
    pub entry: CursorEntry,
    /// Whether `entry` is the place of this publication.
    pub stored: Stored,
    /// Whether the key had been seen before.
    pub repeat: Repeat,
}

/// Whether a publication has an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It has one.
    Yes,
    /// It was live only, or an end without a last publication.
    No,
}

/// Whether an answer is the first one to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The publication was made by this request.
    First,
    /// It had been made by an earlier request with the same key.
    Duplicate,
}

impl Data {
    /// The bytes as published.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Json(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

impl Content {
    /// A plain payload.
    #[must_use]
    pub fn plain(data: Data) -> Self {
        Self { data, detail: None }
    }

    /// The event's name, if the publisher gave one.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.detail.as_ref()?.event.as_deref()
    }

    /// The key of which only the newest publication matters to a conflating reader.
    #[must_use]
    pub fn conflate(&self) -> Option<&str> {
        self.detail.as_ref()?.conflate.as_deref()
    }

    /// The session that does not want it back.
    #[must_use]
    pub fn exclude(&self) -> Option<SessionId> {
        self.detail.as_ref()?.exclude
    }

    /// The bytes it costs to keep, as retention counts them.
    #[must_use]
    pub fn weight(&self) -> usize {
        let detail = self.detail.as_ref().map_or(0, |detail| {
            let tags: usize = detail.tags.iter().map(|tag| tag.len()).sum();
            let texts = [&detail.event, &detail.content_type, &detail.conflate];
            tags + texts
                .iter()
                .map(|text| text.as_ref().map_or(0, |text| text.len()))
                .sum::<usize>()
        });
        self.data.bytes().len() + detail
    }
}

impl Publication {
    /// The bytes it costs to keep, as retention counts them: payload, texts and a fixed overhead.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.content.weight() + PUBLICATION_OVERHEAD
    }

    /// Whether it has expired by `now`.
    #[must_use]
    pub fn expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Its offset, 0 where it was not stored.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.position.map_or(0, |position| position.offset)
    }
}

impl SessionId {
    /// Whether both are the same, in a time that says nothing of where they differ.
    #[must_use]
    pub fn matches(self, other: Self) -> bool {
        std::hint::black_box(self.0 ^ other.0) == 0
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// What a kept publication costs beside its bytes, so that a flood of empty ones is bounded too.
pub const PUBLICATION_OVERHEAD: usize = 128;

//! A publication as it stands in a record.

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, OFFSET_END, Offset, Position};
use fanfare_core::publication::{
    Content, Data, Detail, PUBLICATION_OVERHEAD, Publication, SessionId,
};
use fanfare_core::shard::Append;
use fanfare_core::time::UnixMillis;

use super::body::{KEYED, KeyFields, epoch};
use super::{Fields, put_long_text, put_short_text};

/// Flag: it has an event's name.
const EVENT: u8 = 0x01;
/// Flag: it has tags.
const TAGS: u8 = 0x02;
/// Flag: its publisher named a content type.
const CONTENT_TYPE: u8 = 0x04;
/// Flag: it has a conflation key.
const CONFLATE: u8 = 0x08;
/// Flag: a session does not get it.
const EXCLUDE: u8 = 0x10;
/// Flag: the channel ends with it.
pub(in super::super) const ENDS: u8 = 0x40;
/// Flag: it was copied from an older segment, and is not where it belongs in order.
pub(in super::super) const COPIED: u8 = 0x80;

/// A publication as it stands there.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct PublicationBody<'a> {
    pub epoch: Epoch,
    pub offset: Offset,
    pub prev: Offset,
    pub time: UnixMillis,
    pub expires_at: Option<UnixMillis>,
    kind: u8,
    event: Option<&'a str>,
    tags: Option<Tags<'a>>,
    content_type: Option<&'a str>,
    conflate: Option<&'a str>,
    exclude: Option<u128>,
    pub key: Option<KeyFields<'a>>,
    /// What stands before the key.
    front: &'a [u8],
    payload: &'a [u8],
}

/// Tags as they stand there, each behind its length.
#[derive(Debug, Clone, Copy)]
struct Tags<'a> {
    count: u8,
    texts: Fields<'a>,
}

impl<'a> PublicationBody<'a> {
    pub(in super::super) fn of(body: &'a [u8], flags: u8) -> Option<Self> {
        let mut fields = Fields(body);
        let epoch = epoch(&mut fields)?;
        let offset = fields.u64()?;
        let prev = fields.u64()?;
        let time = fields.u64()?;
        let expires_at = Some(fields.u64()?).filter(|at| *at != 0);
        let kind = fields.u8()?;
        let flag = |flag| flags & flag != 0;
        let event = if flag(EVENT) { Some(fields.long_text()?) } else { None };
        let tags = if flag(TAGS) { Some(Tags::take(&mut fields)?) } else { None };
        let content_type = if flag(CONTENT_TYPE) { Some(fields.long_text()?) } else { None };
        let conflate = if flag(CONFLATE) { Some(fields.long_text()?) } else { None };
        let exclude = if flag(EXCLUDE) { Some(fields.u128()?) } else { None };
        let front = body.get(..body.len().saturating_sub(fields.0.len()))?;
        let key = if flag(KEYED) { Some(KeyFields::take(&mut fields)?) } else { None };
        let ordered = prev < offset && offset < OFFSET_END && (1..=3).contains(&kind);
        let payload = fields.0;
        ordered.then_some(Self {
            epoch,
            offset,
            prev,
            time,
            expires_at,
            kind,
            event,
            tags,
            content_type,
            conflate,
            exclude,
            key,
            front,
            payload,
        })
    }

    /// The body and the flags that it has in a newer segment: without the key, if that is over.
    pub(in super::super) fn copied(&self, flags: u8, now: UnixMillis) -> (u8, Vec<u8>) {
        let mut body = self.front.to_vec();
        let key = self.key.filter(|key| key.expires_at > now);
        if let Some(key) = &key {
            key.put(&mut body);
        }
        body.extend_from_slice(self.payload);
        let flags = if key.is_some() { flags } else { flags & !KEYED };
        (flags | COPIED, body)
    }

    /// Where it stands in its channel.
    pub(in super::super) fn position(&self) -> Position {
        Position::new(self.offset, self.epoch)
    }

    /// What was published.
    pub(in super::super) fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// What it costs, as [`Publication::weight`] counts it.
    pub(in super::super) fn weight(&self) -> usize {
        let texts = [self.event, self.content_type, self.conflate];
        let texts = texts.into_iter().flatten().map(str::len);
        let tags = self.tags.into_iter().flat_map(Tags::texts).map(str::len);
        let sum = texts.chain(tags).fold(self.payload.len(), usize::saturating_add);
        sum.saturating_add(PUBLICATION_OVERHEAD)
    }

    /// The publication itself.
    pub(in super::super) fn publication(&self, channel: ChannelName) -> Publication {
        let bytes = Bytes::copy_from_slice(self.payload);
        let data = match self.kind {
            1 => Data::Text(bytes),
            2 => Data::Json(bytes),
            _ => Data::Binary(bytes),
        };
        let text = |text: Option<&str>| text.map(Box::from);
        let detail = Detail {
            event: text(self.event),
            tags: self.tags.into_iter().flat_map(Tags::texts).map(Box::from).collect(),
            content_type: text(self.content_type),
            conflate: text(self.conflate),
            exclude: self.exclude.map(SessionId),
        };
        let detail = (detail != Detail::default()).then(|| Box::new(detail));
        Publication {
            channel,
            position: Some(self.position()),
            prev: self.prev,
            time: self.time,
            expires_at: self.expires_at,
            content: Content { data, detail },
        }
    }
}

impl<'a> Tags<'a> {
    fn take(fields: &mut Fields<'a>) -> Option<Self> {
        let count = fields.u8()?;
        let tags = Self { count, texts: *fields };
        for _ in 0..count {
            fields.short_text()?;
        }
        Some(tags)
    }

    fn texts(self) -> impl Iterator<Item = &'a str> {
        let mut texts = self.texts;
        (0..self.count).map_while(move |_| texts.short_text())
    }
}

/// The flags and the length of a publication's body; none if a part of it is too long to be stored.
pub(in super::super) fn measure(publication: &Publication, append: &Append) -> Option<(u8, usize)> {
    let mut flags = 0;
    let mut length = publication.content.data.bytes().len().saturating_add(FIXED);
    let mut add = |flag, more: usize| {
        flags |= flag;
        length = length.saturating_add(more);
    };
    if let Some(detail) = publication.content.detail.as_deref() {
        let texts = [
            (EVENT, &detail.event),
            (CONTENT_TYPE, &detail.content_type),
            (CONFLATE, &detail.conflate),
        ];
        for (flag, text) in texts {
            let Some(text) = text else { continue };
            add(flag, usize::from(u16::try_from(text.len()).ok()?).saturating_add(2));
        }
        if !detail.tags.is_empty() {
            u8::try_from(detail.tags.len()).ok()?;
            add(TAGS, 1);
            for tag in &detail.tags {
                add(TAGS, usize::from(u8::try_from(tag.len()).ok()?).saturating_add(1));
            }
        }
        if detail.exclude.is_some() {
            add(EXCLUDE, 16);
        }
    }
    if let Some(key) = &append.key {
        add(KEYED, KeyFields::of(key)?.length());
    }
    if append.end == fanfare_core::publication::End::Close {
        add(ENDS, 0);
    }
    Some((flags, length))
}

/// Appends a publication's body.
pub(in super::super) fn put(out: &mut Vec<u8>, publication: &Publication, append: &Append) {
    let epoch = publication.position.map_or(0, |position| position.epoch.bits());
    let expires = publication.expires_at.unwrap_or(0);
    let times = [publication.time, expires];
    for number in [epoch, publication.offset(), publication.prev].into_iter().chain(times) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.push(match publication.content.data {
        Data::Text(_) => 1,
        Data::Json(_) => 2,
        Data::Binary(_) => 3,
    });
    let none = Detail::default();
    let detail = publication.content.detail.as_deref().unwrap_or(&none);
    if let Some(event) = &detail.event {
        put_long_text(out, event);
    }
    if !detail.tags.is_empty() {
        out.push(u8::try_from(detail.tags.len()).unwrap_or(u8::MAX));
        detail.tags.iter().for_each(|tag| put_short_text(out, tag));
    }
    for text in [&detail.content_type, &detail.conflate].into_iter().flatten() {
        put_long_text(out, text);
    }
    if let Some(SessionId(session)) = detail.exclude {
        out.extend_from_slice(&session.to_le_bytes());
    }
    if let Some(key) = append.key.as_deref().and_then(KeyFields::of) {
        key.put(out);
    }
    out.extend_from_slice(publication.content.data.bytes());
}

/// Bytes before the parts that not every publication has.
const FIXED: usize = 41;

//! What records say, but for publications and commits.

use std::sync::Arc;

use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::shard::AppendKey;
use fanfare_core::time::UnixMillis;

use super::{Fields, put_long_text, put_short_text};

/// Flag of a publication or an end: it was made under an idempotency key.
pub(in super::super) const KEYED: u8 = 0x20;

/// An end without a last publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct EndBody<'a> {
    pub head: Position,
    pub time: UnixMillis,
    pub key: Option<KeyFields<'a>>,
}

/// A channel begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct RemovalBody {
    pub epoch: Epoch,
    pub mark: Offset,
}

/// Every channel goes on far above its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct JumpBody {
    pub time: UnixMillis,
    /// How many times as far as after a crash.
    pub jumps: u32,
}

/// Where a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct HeadBody {
    pub epoch: Epoch,
    pub start: Offset,
    pub floor: Offset,
    pub head: Offset,
    /// When the newest of what is stored was published, or the channel ended.
    pub newest: UnixMillis,
    /// How many jumps lie between the head and what may come next.
    pub jumps: u32,
    pub ended: bool,
}

/// An idempotency key by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct KeyBody<'a> {
    pub position: Position,
    pub stored: bool,
    pub key: KeyFields<'a>,
}

/// An idempotency key within another record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct KeyFields<'a> {
    pub publisher: Option<&'a str>,
    pub key: &'a str,
    pub digest: [u8; 16],
    pub expires_at: UnixMillis,
}

impl<'a> KeyFields<'a> {
    /// The fields of a key; none if one of them is too long to be stored.
    pub(in super::super) fn of(key: &'a AppendKey) -> Option<Self> {
        let publisher = key.publisher.as_deref();
        let fits = publisher.is_none_or(|name| name.len() < usize::from(ANONYMOUS))
            && u8::try_from(key.key.len()).is_ok();
        let (text, digest, expires_at) = (&*key.key, key.digest, key.expires_at);
        fits.then_some(Self { publisher, key: text, digest, expires_at })
    }

    /// The key by itself.
    pub(in super::super) fn to_key(self) -> AppendKey {
        AppendKey {
            publisher: self.publisher.map(Arc::from),
            key: self.key.into(),
            digest: self.digest,
            expires_at: self.expires_at,
        }
    }

    pub(in super::super) fn put(&self, out: &mut Vec<u8>) {
        match self.publisher {
            None => out.extend_from_slice(&ANONYMOUS.to_le_bytes()),
            Some(name) => put_long_text(out, name),
        }
        put_short_text(out, self.key);
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&self.expires_at.to_le_bytes());
    }

    pub(in super::super) fn take(fields: &mut Fields<'a>) -> Option<Self> {
        let publisher = match fields.u16()? {
            ANONYMOUS => None,
            length => Some(fields.text(length.into())?),
        };
        let key = fields.short_text()?;
        let digest = fields.sixteen()?;
        let expires_at = fields.u64()?;
        Some(Self { publisher, key, digest, expires_at })
    }

    /// Bytes of it.
    pub(in super::super) fn length(&self) -> usize {
        let texts = self.publisher.map_or(0, str::len).saturating_add(self.key.len());
        texts.saturating_add(2 + 1 + 16 + 8)
    }
}

impl<'a> EndBody<'a> {
    pub(in super::super) fn put(&self, out: &mut Vec<u8>) {
        put_position(out, self.head);
        out.extend_from_slice(&self.time.to_le_bytes());
        if let Some(key) = &self.key {
            key.put(out);
        }
    }

    pub(in super::super) fn of(body: &'a [u8], flags: u8) -> Option<Self> {
        let mut fields = Fields(body);
        let head = position(&mut fields)?;
        let time = fields.u64()?;
        let keyed = flags & KEYED != 0;
        let key = if keyed { Some(KeyFields::take(&mut fields)?) } else { None };
        fields.is_empty().then_some(Self { head, time, key })
    }

    /// Bytes of it.
    pub(in super::super) fn length(&self) -> usize {
        self.key.map_or(0, |key| key.length()).saturating_add(24)
    }
}

impl JumpBody {
    pub(in super::super) const LENGTH: usize = 12;

    pub(in super::super) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.to_le_bytes());
        out.extend_from_slice(&self.jumps.to_le_bytes());
    }

    pub(in super::super) fn of(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let (time, jumps) = (fields.u64()?, fields.u32()?);
        fields.is_empty().then_some(Self { time, jumps })
    }
}

impl RemovalBody {
    pub(in super::super) const LENGTH: usize = 16;

    pub(in super::super) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.bits().to_le_bytes());
        out.extend_from_slice(&self.mark.to_le_bytes());
    }

    pub(in super::super) fn of(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let epoch = epoch(&mut fields)?;
        let mark = fields.u64()?;
        fields.is_empty().then_some(Self { epoch, mark })
    }
}

impl HeadBody {
    pub(in super::super) const LENGTH: usize = 45;

    pub(in super::super) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.bits().to_le_bytes());
        for number in [self.start, self.floor, self.head, self.newest] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.jumps.to_le_bytes());
        out.push(self.ended.into());
    }

    pub(in super::super) fn of(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let epoch = epoch(&mut fields)?;
        let start = fields.u64()?;
        let floor = fields.u64()?;
        let (head, newest) = (fields.u64()?, fields.u64()?);
        let jumps = fields.u32()?;
        let ended = fields.u8()? != 0;
        fields.is_empty().then_some(Self { epoch, start, floor, head, newest, jumps, ended })
    }
}

impl<'a> KeyBody<'a> {
    pub(in super::super) fn put(&self, out: &mut Vec<u8>) {
        put_position(out, self.position);
        out.push(self.stored.into());
        self.key.put(out);
    }

    pub(in super::super) fn of(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let position = position(&mut fields)?;
        let stored = fields.u8()? != 0;
        let key = KeyFields::take(&mut fields)?;
        fields.is_empty().then_some(Self { position, stored, key })
    }

    /// Bytes of it.
    pub(in super::super) fn length(&self) -> usize {
        self.key.length().saturating_add(17)
    }
}

/// An epoch; zero is none.
pub(super) fn epoch(fields: &mut Fields<'_>) -> Option<Epoch> {
    let bits = fields.u64()?;
    (bits != 0).then(|| Epoch::from_bits(bits))
}

fn position(fields: &mut Fields<'_>) -> Option<Position> {
    let epoch = epoch(fields)?;
    Some(Position::new(fields.u64()?, epoch))
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    out.extend_from_slice(&position.epoch.bits().to_le_bytes());
    out.extend_from_slice(&position.offset.to_le_bytes());
}

/// Stands in the place of the length of an anonymous publisher's name.
const ANONYMOUS: u16 = u16::MAX;

//! What a batch is made of, and how it becomes bytes.

use std::sync::Arc;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::publication::Publication;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{Append, Completion};
use fanfare_core::time::UnixMillis;

use crate::engine::log::format::body::{
    EndBody, HeadBody, JumpBody, KEYED, KeyFields, RemovalBody,
};
use crate::engine::log::format::publication;
use crate::engine::log::format::record::{self, HEADER, Heading, Kind, NO_CHANNEL, Seal};
use crate::engine::log::index::{ChannelId, Slot};
use crate::engine::log::options::Durability;

/// One thing that a batch stores, or that waits for the batch.
#[derive(Debug)]
pub(super) enum Item {
    /// Names a channel of the segment.
    Name { id: ChannelId, local: u32, name: ChannelName },
    /// A publication or an end.
    Append(Box<AppendItem>),
    /// A channel begins anew, because somebody wants it or because what it was is damaged.
    Removal { id: ChannelId, local: u32, shard: Option<ShardId>, begin: Position },
    /// The mark rises; its commit says so.
    Mark { shard: ShardId, channel: ChannelName, mark: Offset },
    /// A channel goes; it has a record if anything of it was ever written.
    Forgotten { id: ChannelId, local: Option<u32> },
    /// Where a channel stands.
    Head { id: ChannelId, local: u32, body: HeadBody },
    /// A key that is still remembered when its segment goes.
    Key { local: u32, channel: ChannelName, body: Vec<u8>, until: UnixMillis },
    /// A publication that lives in a segment that goes.
    Copy(Box<CopyItem>),
    /// Every channel goes on far above its head.
    Jump(JumpBody),
    /// The owner wants to know what is stored behind this.
    Resync { shard: ShardId, completion: Box<Completion> },
}

/// An append in a batch.
#[derive(Debug)]
pub(super) struct AppendItem {
    pub id: ChannelId,
    pub local: u32,
    pub shard: ShardId,
    pub append: Append,
    pub flags: u8,
    pub time: UnixMillis,
    pub durability: Durability,
}

/// A copy in a batch.
#[derive(Debug)]
pub(super) struct CopyItem {
    pub id: ChannelId,
    pub local: u32,
    pub flags: u8,
    pub body: Vec<u8>,
    pub position: Position,
    pub from: Slot,
    pub keys_until: UnixMillis,
}

impl AppendItem {
    /// The position of the channel's head behind it.
    pub(super) fn head(&self) -> Position {
        let publication = self.append.publication.as_ref();
        publication.and_then(|publication| publication.position).unwrap_or(self.append.after)
    }

    /// The publication, if it has one.
    pub(super) fn publication(&self) -> Option<&Arc<Publication>> {
        self.append.publication.as_ref()
    }

    fn key(&self) -> Option<KeyFields<'_>> {
        self.append.key.as_deref().and_then(KeyFields::of)
    }
}

/// The flags and bytes that an append's record takes; none if a part of it is too long.
pub(super) fn measure(append: &Append) -> Option<(u8, usize)> {
    let (flags, body) = match &append.publication {
        Some(publication) => publication::measure(publication, append)?,
        None => {
            let key = match append.key.as_deref() {
                Some(key) => Some(KeyFields::of(key)?),
                None => None,
            };
            let end = EndBody { head: append.after, time: 0, key };
            (if key.is_some() { KEYED } else { 0 }, end.length())
        }
    };
    Some((flags, body.saturating_add(HEADER)))
}

impl Item {
    /// Whether it becomes a record.
    pub(super) fn is_record(&self) -> bool {
        !matches!(
            self,
            Self::Mark { .. } | Self::Resync { .. } | Self::Forgotten { local: None, .. }
        )
    }

    /// Appends its record.
    pub(super) fn put(&self, out: &mut Vec<u8>, seal: Seal, sequence: u64) {
        let mut record = |kind, flags, channel, body: &dyn Fn(&mut Vec<u8>)| {
            record::append(out, seal, Heading { sequence, kind, flags, channel }, body);
        };
        match self {
            Self::Name { local, name, .. } => {
                let name = name.as_str().as_bytes();
                record(Kind::Channel, 0, *local, &|out| out.extend_from_slice(name));
            }
            Self::Append(item) => match item.publication() {
                Some(publication) => {
                    record(Kind::Publication, item.flags, item.local, &|out| {
                        publication::put(out, publication, &item.append);
                    });
                }
                None => {
                    let end = EndBody { head: item.append.after, time: item.time, key: item.key() };
                    record(Kind::End, item.flags, item.local, &|out| end.put(out));
                }
            },
            Self::Removal { local, begin, .. } => {
                let Position { epoch, offset: mark } = *begin;
                let body = RemovalBody { epoch, mark };
                record(Kind::Removal, 0, *local, &|out| body.put(out));
            }
            Self::Forgotten { local: Some(local), .. } => {
                record(Kind::Forgotten, 0, *local, &|_| {});
            }
            Self::Head { local, body, .. } => {
                record(Kind::Head, 0, *local, &|out| body.put(out));
            }
            Self::Key { local, body, .. } => {
                record(Kind::Key, 0, *local, &|out| out.extend_from_slice(body));
            }
            Self::Copy(copy) => {
                record(Kind::Publication, copy.flags, copy.local, &|out| {
                    out.extend_from_slice(&copy.body);
                });
            }
            Self::Jump(jump) => {
                record(Kind::Jump, 0, NO_CHANNEL, &|out| jump.put(out));
            }
            Self::Mark { .. } | Self::Resync { .. } | Self::Forgotten { local: None, .. } => {}
        }
    }

    /// What the footer has to say because of it: the channel's number, epoch and offset.
    pub(super) fn noted(&self) -> Option<(u32, Epoch, Offset)> {
        Some(match self {
            Self::Append(item) => (item.local, item.head().epoch, item.head().offset),
            Self::Removal { local, begin, .. } => (*local, begin.epoch, begin.offset),
            Self::Head { local, body, .. } => (*local, body.epoch, body.head),
            Self::Copy(copy) => (copy.local, copy.position.epoch, copy.position.offset),
            _ => return None,
        })
    }
}

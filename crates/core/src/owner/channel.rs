//! One channel as its owner knows it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cursor::CursorEntry;
use crate::frame::Format;
use crate::history::{Extent, Located};
use crate::idempotency::{KeyId, KeyTable};
use crate::name::ChannelName;
use crate::namespace::NamespaceRules;
use crate::owner::publish::millis;
use crate::permit::Permit;
use crate::position::{Epoch, Offset, Position};
use crate::publication::{Draft, End, Publication};
use crate::rate::Wanted;
use crate::ring::Ring;
use crate::settings::{Depth, ShardId};
use crate::shard::Origin;
use crate::start::Start;
use crate::time::{Millis, UnixMillis};

/// A channel with state: it has readers, publications, keys or something on its way.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    pub(crate) rules: Arc<NamespaceRules>,
    pub(crate) epoch: Epoch,
    /// Where the offsets of this epoch begin: nothing was published while the head is here.
    pub(crate) start: Offset,
    /// The committed head: all that readers may know of.
    pub(crate) head: Offset,
    /// The head once everything that is pending is committed.
    pub(crate) assigned: Offset,
    /// Offsets up to here may have been given out before a crash that lost what they stood for.
    pub(crate) skipped: Offset,
    /// When the newest of what is stored was published, or the channel ended.
    pub(crate) newest: UnixMillis,
    pub(crate) ended: bool,
    pub(crate) ring: Ring,
    pub(crate) keys: KeyTable,
    /// When the last of its entries in the owner's order of keys is due.
    pub(crate) keys_until: Millis,
    pub(crate) interested: Vec<Interested>,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) barrier: Barrier,
    pub(crate) touched: Millis,
    /// Its one valid entry in the owner's order of sweeping.
    pub(crate) sweep_at: Millis,
    /// Whether it stands among the owner's deadlines.
    pub(crate) watched: bool,
    /// Where it stands in the owner's order of idleness.
    pub(crate) idle_at: Millis,
    /// When it was last touched before the owner began to forget it.
    pub(crate) leaving: Option<Millis>,
    /// Whether anything was ever published to it or removed from it.
    pub(crate) written: bool,
    /// Where it stands in the owner's order of rings, if it does.
    pub(crate) ring_stamp: Option<Millis>,
}

/// A shard with readers of the channel, and what the frames of those look like that get all.
#[derive(Debug)]
pub(crate) struct Interested {
    pub(crate) shard: ShardId,
    /// A bit for each, by [`Format::index`].
    formats: u32,
}

/// An append that the engine has not answered.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) append: u64,
    /// A live-only publication that goes out with the end that it was sent with.
    pub(crate) live: Option<Arc<Publication>>,
    pub(crate) publication: Option<Arc<Publication>>,
    pub(crate) end: End,
    pub(crate) key: Option<KeyId>,
    /// Who waits; none once it was told that nobody knows.
    pub(crate) origin: Option<Origin>,
    pub(crate) permit: Permit,
    pub(crate) deadline: Millis,
}

/// A request that has to wait until what is on its way is settled.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) origin: Origin,
    pub(crate) change: Change,
    pub(crate) permit: Permit,
    /// When it is refused if it has not had its turn.
    pub(crate) deadline: Millis,
}

/// What changes a channel.
#[derive(Debug)]
pub(crate) enum Change {
    Publish(Box<Draft>),
    Remove,
}

/// Why nothing may be assigned at the moment.
#[derive(Debug)]
pub(crate) enum Barrier {
    /// Nothing in the way.
    None,
    /// An end is pending: whether later publishes are refused depends on it.
    End,
    /// The engine is asked what it holds.
    Resync { resync: u64, deadline: Millis },
    /// A new history is about to begin.
    Removal(Removal),
}

/// A removal that the engine has not answered.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) origin: Option<Origin>,
    pub(crate) epoch: Epoch,
    pub(crate) mark: Offset,
    pub(crate) deadline: Millis,
    /// Held until it is settled.
    pub(crate) _permit: Permit,
}

impl Channel {
    /// A channel whose history begins after `begin`.
    pub(crate) fn new(
        name: ChannelName,
        rules: &Arc<NamespaceRules>,
        begin: Position,
        now: Millis,
    ) -> Self {
        let Position { epoch, offset: mark } = begin;
        Self {
            name,
            rules: Arc::clone(rules),
            epoch,
            start: mark,
            head: mark,
            assigned: mark,
            skipped: mark,
            newest: 0,
            ended: false,
            ring: Ring::new(mark),
            keys: KeyTable::default(),
            keys_until: 0,
            interested: Vec::new(),
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            barrier: Barrier::None,
            touched: now,
            sweep_at: now,
            watched: false,
            idle_at: now,
            leaving: None,
            written: false,
            ring_stamp: None,
        }
    }

    /// The committed head.
    pub(crate) fn position(&self) -> Position {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::CommittedHead) {
            return Position::new(self.assigned, self.epoch);
        }
        Position::new(self.head, self.epoch)
    }

    /// The committed head as a cursor's entry.
    pub(crate) fn entry(&self) -> CursorEntry {
        self.entry_at(self.position())
    }

    /// A position as a cursor's entry.
    pub(crate) fn entry_at(&self, position: Position) -> CursorEntry {
        CursorEntry { hash: self.name.hash48(), position, ended: false }
    }

    /// Whether a change has to wait for what is on its way.
    pub(crate) fn blocked(&self) -> bool {
        !matches!(self.barrier, Barrier::None) || !self.waiting.is_empty()
    }

    /// The offset of the next publication.
    pub(crate) fn next_offset(&self) -> Offset {
        self.assigned.max(self.skipped) + 1
    }

    /// The highest offset that was ever given out.
    pub(crate) fn highest(&self) -> Offset {
        self.head.max(self.skipped)
    }

    /// Whether the channel can be forgotten without anyone missing it. What the ring does not hold
    /// the engine may, as long as it is not too old.
    pub(crate) fn expendable(&self, depth: Depth, now: UnixMillis) -> bool {
        let kept = match depth {
            Depth::Ring => false,
            Depth::Engine => now < self.newest.saturating_add(millis(self.rules.history.age)),
        };
        !kept && self.idle() && self.ring.is_empty() && self.keys.len() == 0
    }

    /// Whether nobody reads it and nothing is on its way.
    pub(crate) fn idle(&self) -> bool {
        self.interested.is_empty() && self.pending.is_empty() && !self.blocked()
    }

    /// Notes that a shard reads the channel, and in which format it wants every publication.
    pub(crate) fn interest(&mut self, shard: ShardId, format: Format, wanted: Wanted) {
        let bit = match wanted {
            Wanted::Every => 1_u32 << format.index(),
            Wanted::Newest(_) => 0,
        };
        match self.interested.iter_mut().find(|interested| interested.shard == shard) {
            Some(interested) => interested.formats |= bit,
            None => self.interested.push(Interested { shard, formats: bit }),
        }
    }

    /// Notes that a shard no longer reads the channel.
    pub(crate) fn disinterest(&mut self, shard: ShardId) {
        self.interested.retain(|interested| interested.shard != shard);
    }

    /// The formats in which someone reads every publication.
    pub(crate) fn formats(&self) -> impl Iterator<Item = Format> + use<> {
        let mut wanted = self.interested.iter().fold(0, |all, interested| all | interested.formats);
        std::iter::from_fn(move || {
            let index = (wanted != 0).then(|| wanted.trailing_zeros())?;
            wanted &= wanted - 1;
            Format::at(usize::try_from(index).ok()?)
        })
    }

    /// What readers may know of the channel.
    pub(crate) fn extent(&self) -> Extent<'_, Ring> {
        let (channel, head, ended) = (&self.name, self.position(), self.ended);
        Extent { channel, head, ended, kept: &self.ring }
    }

    /// Finds where a start lies, and whether a gap comes before it.
    pub(crate) fn locate(&self, start: Start) -> Located {
        self.extent().locate(start)
    }
}

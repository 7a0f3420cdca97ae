//! What a shard knows of one connection that reads.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::feed::{Entry, Eyes, FeedId};
use crate::frame::Format;
use crate::gap::Gap;
use crate::name::ChannelName;
use crate::position::Position;
use crate::presence::{Attendance, Member, MemberId, Notices};
use crate::publication::SessionId;
use crate::rate::Pace;
use crate::shard::{ConnectionId, Opened, Opening};
use crate::time::Millis;

/// One reading connection. Idle, it is this and its places in feeds.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) generation: u32,
    pub(crate) format: Format,
    pub(crate) session: SessionId,
    pub(crate) pace: Pace,
    pub(crate) flow: Flow,
    /// Whether it stands in the list of readers to visit.
    pub(crate) queued: bool,
    /// Whether it is a member of the channels that it reads, where they have members.
    attends: bool,
    pub(crate) slots: Slots,
    pub(crate) extra: Option<Box<Extra>>,
}

/// Whether frames may go to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Its channels have not all answered: nothing goes before its opening.
    Opening,
    /// It takes frames.
    Open,
    /// Its sink is full until it says otherwise.
    Full,
    /// It has to be told something before the next frame; taken up again with the next flush.
    Held,
    /// Full and held.
    FullHeld,
    /// It is about to be disconnected.
    Gone,
}

/// A reader's channels; most have one.
#[derive(Debug)]
pub(crate) enum Slots {
    /// At most one channel.
    One(Slot),
    /// Any number; a slot keeps its number while it is used.
    Many(Vec<Slot>),
}

/// One channel of a reader.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Nothing.
    Free,
    /// In a feed, at a place among its readers.
    Live { feed: FeedId, place: u32 },
    /// Not in a feed at the moment.
    Away(Box<Away>),
}

/// A channel that a reader is not following live.
#[derive(Debug)]
pub(crate) struct Away {
    pub(crate) channel: ChannelName,
    pub(crate) state: AwayState,
    /// Whether the reader is told who comes and goes in the channel.
    pub(crate) notices: Notices,
}

/// Why a reader is not in a feed.
#[derive(Debug)]
pub(crate) enum AwayState {
    /// The owner is asked.
    Attaching { ticket: u64 },
    /// The feed has passed it; it attaches again from here when it has drained.
    Lagging(Position),
    /// It waits for room in the budget of pages.
    AwaitingPage(Position),
    /// It reads a page of its own.
    Page(Page),
}

/// One page of history on its way to one reader.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: VecDeque<Entry>,
    /// Bytes charged to the budget of pages.
    pub(crate) charged: usize,
    /// Bytes that the page behind it will probably take: none if this one is the last.
    pub(crate) behind: usize,
    /// What the reader has taken so far.
    pub(crate) seen: Position,
    /// Where the reader attaches again.
    pub(crate) to: Position,
    /// When it last took something.
    pub(crate) moved: Millis,
    /// The page's number on its shard.
    pub(crate) number: u64,
}

/// The rarer parts of a reader.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Its cursor, if its frames need tails of their own.
    pub(crate) cursor: Option<Cursor>,
    /// What its opening waits for.
    pub(crate) opening: Option<Box<OpeningState>>,
    /// Who it is to other members, if it gave an id or is told of them.
    member: Option<Arc<Member>>,
}

impl Extra {
    /// The id of the member that the reader is, if that is kept.
    pub(crate) fn member(&self) -> Option<&MemberId> {
        self.member.as_ref().map(|member| &member.id)
    }
}

/// A reader whose channels have not all answered.
#[derive(Debug)]
pub(crate) struct OpeningState {
    pub(crate) left: usize,
    pub(crate) channels: Vec<Option<Opened>>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) carried: Cursor,
}

impl Reader {
    pub(crate) fn new(connection: ConnectionId, opening: &mut Opening) -> Self {
        let count = opening.subscriptions.len();
        let carried = std::mem::take(&mut opening.carried);
        let channels = (0..count).map(|_| None).collect();
        let state = OpeningState { left: count, channels, gaps: Vec::new(), carried };
        let (attends, member) = match std::mem::take(&mut opening.attendance) {
            Attendance::Absent => (false, None),
            Attendance::Unnamed { user: None, info: None } => (true, None),
            Attendance::Unnamed { user, info } => {
                let mut member = Member::unnamed(opening.session, info);
                member.id.user = user;
                (true, Some(Arc::new(member)))
            }
            Attendance::Named(member) => (true, Some(member)),
        };
        let extra = Extra { cursor: None, opening: Some(Box::new(state)), member };
        let mut reader = Self {
            generation: connection.generation,
            format: opening.format,
            session: opening.session,
            pace: opening.pace,
            flow: Flow::Opening,
            queued: false,
            attends,
            slots: Slots::One(Slot::Free),
            extra: Some(Box::new(extra)),
        };
        if opening.subscriptions.iter().any(|asked| asked.notices == Notices::On) {
            reader.know_itself();
        }
        reader
    }

    /// Keeps the member that it is, so that it is not told of itself.
    pub(crate) fn know_itself(&mut self) {
        let member = self.member();
        if let Some(member) = member {
            self.extra.get_or_insert_default().member = Some(member);
        }
    }

    /// The reader's own cursor, if it needs one.
    pub(crate) fn cursor_mut(&mut self) -> Option<&mut Cursor> {
        self.extra.as_mut()?.cursor.as_mut()
    }

    /// As whom it reads.
    pub(crate) fn eyes(&self) -> Eyes<'_> {
        Eyes { session: self.session, extra: self.extra.as_deref() }
    }

    /// The member that it is where it is one. Who gave no id is not kept as a member.
    pub(crate) fn member(&self) -> Option<Arc<Member>> {
        let named = self.extra.as_ref().and_then(|extra| extra.member.clone());
        let unnamed = || Arc::new(Member::unnamed(self.session, None));
        self.attends.then(|| named.unwrap_or_else(unnamed))
    }

    /// Drops the rarer parts when nothing is in them.
    pub(crate) fn shed(&mut self) {
        let empty = |extra: &Extra| {
            extra.cursor.is_none() && extra.opening.is_none() && extra.member.is_none()
        };
        if self.extra.as_deref().is_some_and(empty) {
            self.extra = None;
        }
    }
}

impl Flow {
    /// The flow once the sink has room.
    pub(crate) fn drained(self) -> Self {
        match self {
            Self::Full => Self::Open,
            Self::FullHeld => Self::Held,
            other => other,
        }
    }

    /// The flow while something has to be told first.
    pub(crate) fn held(self) -> Self {
        match self {
            Self::Open => Self::Held,
            Self::Full => Self::FullHeld,
            other => other,
        }
    }

    /// The flow once it was told.
    pub(crate) fn released(self) -> Self {
        match self {
            Self::Held => Self::Open,
            Self::FullHeld => Self::Full,
            other => other,
        }
    }
}

impl Slots {
    /// The slots in use and free, by number.
    pub(crate) fn as_slice(&self) -> &[Slot] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Many(slots) => slots,
        }
    }

    /// The slot with this number.
    pub(crate) fn get_mut(&mut self, number: u16) -> Option<&mut Slot> {
        match self {
            Self::One(slot) => (number == 0).then_some(slot),
            Self::Many(slots) => slots.get_mut(usize::from(number)),
        }
    }

    /// Puts a channel into a free slot; gives back its number.
    pub(crate) fn insert(&mut self, away: Away) -> u16 {
        let free = self.as_slice().iter().position(|slot| matches!(slot, Slot::Free));
        let number = free.unwrap_or(self.as_slice().len());
        let slot = Slot::Away(Box::new(away));
        match self {
            Self::One(only) if number == 0 => *only = slot,
            Self::One(only) => {
                let first = std::mem::replace(only, Slot::Free);
                *self = Self::Many(vec![first, slot]);
            }
            Self::Many(slots) if number < slots.len() => slots[number] = slot,
            Self::Many(slots) => slots.push(slot),
        }
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    /// The number of channels.
    pub(crate) fn used(&self) -> usize {
        self.as_slice().iter().filter(|slot| !matches!(slot, Slot::Free)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Extra, Reader};
    use crate::feed::FeedReader;

    #[test]
    fn an_idle_reader_stays_small() {
        // One that gives no id and is told of nobody has no more than the first two.
        assert!(size_of::<Reader>() <= 64, "{}", size_of::<Reader>());
        assert!(size_of::<FeedReader>() <= 24, "{}", size_of::<FeedReader>());
        assert!(size_of::<Extra>() <= 48, "{}", size_of::<Extra>());
    }
}

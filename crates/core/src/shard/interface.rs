//! What goes into a shard and what comes out of it.
//!
//! [`Input`] is everything that can happen to a shard; [`Effect`] everything it wants done. Between
//! shards travels a [`Message`], in order for each pair of shards: that order is what makes
//! recovery exact. Engines take an [`EngineCommand`] and answer, sooner or later or never, with a
//! [`Completion`].

use std::sync::Arc;

use crate::code::Code;
use crate::cursor::{Cursor, CursorEntry};
use crate::frame::{Format, Frame};
use crate::gap::Gap;
use crate::happening::Happening;
use crate::name::ChannelName;
use crate::permit::Permit;
use crate::position::{Offset, Position};
use crate::presence::{Attendance, Linger, Member, News, PresencePage, PresenceQuery};
use crate::publication::{Draft, Publication, Published, SessionId};
use crate::rate::{Pace, Rate, Wanted};
use crate::settings::{ShardId, SlowReader};
use crate::shard::storage::{Completion, EngineCommand};
use crate::start::{Later, Start, Subscription};

/// One reader's connection on one shard: its place in the slab and how often the place was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// The place in the slab.
    pub index: u32,
    /// Told apart from earlier users of the same place.
    pub generation: u32,
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A connection of a shard; `request` is the connection's own number for it.
    Connection {
        /// The shard that the connection lives on.
        shard: ShardId,
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: u64,
    },
    /// The edge, by its own number.
    Edge(u64),
    /// One of several publishes that came to their owner together.
    Batch {
        /// The owner's shard's number for them.
        batch: u64,
        /// Which of them it is.
        place: u32,
    },
}

/// What a client, through its connection or the edge, can ask of a channel's owner.
#[derive(Debug)]
pub enum Request {
    /// Publish, or close the channel.
    Publish(Box<Draft>),
    /// Start a new history.
    Remove,
    /// Read a part of the history once.
    History(HistoryQuery),
    /// Say where a reader with this start would start, without attaching it.
    Resolve(Start),
    /// List the channel's members.
    Presence(PresenceQuery),
}

/// A part of a channel's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Exclusive lower end.
    pub since: Start,
    /// Inclusive upper end; none for the head.
    pub until: Option<Until>,
    /// Publications at most, 1 to 1,000.
    pub limit: usize,
    /// Bytes at most; one publication is always given.
    pub bytes: usize,
    /// Oldest or newest first.
    pub order: Order,
}

/// The upper end of a [`HistoryQuery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Up to and including this position; one that is not of this history ends nothing.
    Position(Position),
    /// Up to and including this moment, in Unix milliseconds.
    Time(u64),
}

/// Which end of the history comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// A publication on its way to readers, with the offset before it as it is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// The publication.
    pub publication: Arc<Publication>,
    /// The offset before it as this reader is served.
    pub prev: Offset,
}

/// What came of a [`Request`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// The publish was made.
    Published(Published),
    /// The channel has a new history, whose start this is.
    Removed(CursorEntry),
    /// The part of the history that was asked for.
    History(Box<HistoryPage>),
    /// Where a reader would start.
    Resolved(Resolved),
    /// The members that were asked for.
    Presence(Box<PresencePage>),
    /// It was refused, failed, or nobody knows.
    Refused(Refusal),
}

/// Where a reader would start.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The position that it would be read from; the one that was claimed if a gap comes first,
    /// and none if that could not be read.
    pub entry: Option<CursorEntry>,
    /// The gap that it would be told first.
    pub gap: Option<Gap>,
    /// Whether the channel has ended and the reader has seen that.
    pub over: bool,
}

/// A refusal: the code that tells the client why, and the head where the code is about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// The channel's head, for refusals that are about it.
    pub head: Option<CursorEntry>,
}

/// A part of a channel's history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// In the order that was asked for.
    pub publications: Vec<Served>,
    /// The position up to which a reader of this page has seen everything.
    pub cursor: CursorEntry,
    /// Where the next page starts: `since` ascending, `until` descending; none at the end.
    pub next: Option<Position>,
    /// The gap before the page, if `since` was a position that could not be caught up with.
    pub gap: Option<Gap>,
    /// Whether the channel has ended at the end of this page.
    pub ended: bool,
}

/// What can happen to a shard.
#[derive(Debug)]
pub enum Input {
    /// A reader attaches to channels. Answered by [`Effect::Opened`] once all of them have
    /// answered; nothing of any channel is delivered before.
    Open {
        /// The connection, of which this is the first input.
        connection: ConnectionId,
        /// Everything else, boxed because it is dropped once the reader is attached.
        opening: Box<Opening>,
    },
    /// A reader adds a channel. Answered by [`Effect::Subscribed`] or [`Effect::Refused`].
    Subscribe {
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: u64,
        /// The channel and where to start.
        subscription: Subscription,
        /// Whether the reader's own cursor knows better where.
        later: Later,
    },
    /// A reader drops a channel. Answered by [`Effect::Unsubscribed`] or [`Effect::Refused`].
    Unsubscribe {
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: u64,
        /// The channel.
        channel: ChannelName,
    },
    /// The connection is gone; its readers are forgotten.
    Close(ConnectionId),
    /// A connection that was full can take more.
    Writable(ConnectionId),
    /// A client asks something of a channel's owner. Answered by [`Effect::Answer`].
    Ask {
        /// Who waits.
        origin: Origin,
        /// The channel.
        channel: ChannelName,
        /// The question.
        request: Request,
        /// What it takes to be on its way.
        permit: Permit,
    },
    /// A message of another shard, or of this one.
    Message(Message),
    /// An engine's answer.
    Completion(Completion),
    /// Time passes: deadlines, expiry, forgetting.
    Tick,
}

/// How a reader attaches.
#[derive(Debug)]
pub struct Opening {
    /// How its frames are encoded.
    pub format: Format,
    /// The channels, each once, at most 64; may be empty for `fanfare.v1`.
    pub subscriptions: Vec<Subscription>,
    /// Entries of channels that were not asked for, and the mark; carried through.
    pub carried: Cursor,
    /// The identity of the stream.
    pub session: SessionId,
    /// Whether the reader gets its own publications back.
    pub echo: Echo,
    /// As what it takes part in presence, where there is any.
    pub attendance: Attendance,
    /// Whether the reader gets everything or only what is newest, and how often.
    pub pace: Pace,
}

/// Whether a reader gets its own publications back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// It does.
    #[default]
    On,
    /// It does not (`echo=0`): its publications name its session as the one to leave out.
    Off,
}

/// What travels between shards.
#[derive(Debug)]
pub enum Message {
    /// To the owner: a question.
    Ask {
        /// Who waits.
        origin: Origin,
        /// The channel.
        channel: ChannelName,
        /// The question.
        request: Request,
        /// What it takes to be on its way.
        permit: Permit,
    },
    /// From the owner: the answer.
    Answer {
        /// Who waits.
        origin: Origin,
        /// The channel.
        channel: ChannelName,
        /// The answer.
        answer: Answer,
    },
    /// To the owner: a reader of this shard attaches; from here on the shard is interested.
    Attach {
        /// The shard of the reader.
        shard: ShardId,
        /// The shard's number for it.
        ticket: u64,
        /// The channel.
        channel: ChannelName,
        /// Where to start.
        start: Start,
        /// What the reader's frames look like, so that the owner can encode for it.
        format: Format,
        /// What the reader gets; for one that wants only what is newest nothing is encoded here,
        /// because most of it nobody would see.
        wanted: Wanted,
    },
    /// From the owner: the reader is attached, has to be given a page first, or is refused.
    Attached {
        /// The shard's number for it.
        ticket: u64,
        /// What came of it.
        outcome: Result<Box<Attachment>, Code>,
    },
    /// To the owner: a connection has begun to read the channel. Comes before the reader's `Attach`,
    /// and for each of them there is one `Leave` behind it.
    Join {
        /// The channel.
        channel: ChannelName,
        /// As whom.
        member: Arc<Member>,
    },
    /// To the owner: a connection has stopped reading the channel.
    Leave {
        /// The channel.
        channel: ChannelName,
        /// As whom it read.
        member: Arc<Member>,
        /// How long it may take to come back unnoticed.
        linger: Linger,
    },
    /// To the owner: the shard has its first reader of a channel whose occupancy is told. Comes
    /// before the reader's `Join` and `Attach`.
    Occupied(ChannelName),
    /// To the owner: the shard has lost its last reader of such a channel. Comes behind the reader's
    /// `Leave`.
    Vacated(ChannelName),
    /// To the owner: the shard has no reader of the channel any more.
    Detach {
        /// The shard.
        shard: ShardId,
        /// The channel.
        channel: ChannelName,
    },
    /// From the owner: one publication for all readers of a shard.
    Live {
        /// The publication, encoded for the formats that the owner knew of.
        item: Arc<Item>,
        /// Given back when the last interested shard has it.
        permit: Permit,
    },
    /// From the owner: who has come or gone, or how many there are.
    Presence(Arc<News>),
    /// From the owner: the channel was removed under its readers.
    Removed(Gap),
    /// From the owner: the channel ended at this position.
    Ended(ChannelName, Position),
}

/// A publication encoded for the formats that someone wants.
#[derive(Debug)]
pub struct Item {
    /// The publication and the offset before it as live readers are served.
    pub served: Served,
    /// A frame for each format that was wanted.
    pub frames: Vec<(Format, Frame)>,
}

/// What the owner says to a reader that attaches.
#[derive(Debug)]
pub struct Attachment {
    /// The channel.
    pub channel: ChannelName,
    /// The position that it is read from: after the gap if there is one.
    pub from: Position,
    /// What the reader has to be told first.
    pub gap: Option<Gap>,
    /// What was published after `from`, in order.
    pub history: Vec<Served>,
    /// Up to where `history` goes.
    pub to: Position,
    /// Whether the channel has ended at `to`.
    pub ended: bool,
    /// Whether the reader is attached at `to`, or has to attach again from there.
    pub coverage: Coverage,
    /// Members that the channel has; known where the reader is attached.
    pub members: usize,
}

/// How far an [`Attachment`] brings its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Up to the head: live publications follow it on the same way.
    Live,
    /// One page: the reader attaches again from its end when it has drained, unless the channel
    /// has ended there.
    Page,
    /// The channel has ended and the reader has seen that.
    Over,
}

/// What a shard wants done. Effects are carried out in order.
#[derive(Debug)]
pub enum Effect {
    /// Put a message into a shard's mailbox; never back into this shard's own.
    Forward {
        /// The shard.
        to: ShardId,
        /// The message.
        message: Message,
    },
    /// Give a command to the engine.
    Engine(EngineCommand),
    /// Tell who waits. If the origin is a connection it is one of this shard.
    Answer {
        /// Who waits.
        origin: Origin,
        /// The channel.
        channel: ChannelName,
        /// The answer.
        answer: Answer,
    },
    /// The reader of [`Input::Open`] stands: its stream begins with this.
    Opened {
        /// The connection.
        connection: ConnectionId,
        /// Where each channel of the request stands, in the order of the request.
        channels: Vec<Opened>,
        /// The cursor of the opening event: positions read from, claimed ones before a gap.
        cursor: Cursor,
        /// How often the reader is given what is newest, if it asked for that.
        max_rate: Option<Rate>,
    },
    /// The channel of [`Input::Subscribe`] was added.
    Subscribed {
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: u64,
        /// Where it stands.
        opened: Opened,
    },
    /// The channel of [`Input::Unsubscribe`] was dropped.
    Unsubscribed {
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: u64,
        /// The channel.
        channel: ChannelName,
    },
    /// The request was refused; without a number it was the opening itself.
    Refused {
        /// The connection.
        connection: ConnectionId,
        /// The connection's number for the request.
        request: Option<u64>,
        /// Why.
        code: Code,
    },
    /// The reader has to be told a gap, here in its stream.
    Gap {
        /// The connection.
        connection: ConnectionId,
        /// The gap.
        gap: Gap,
        /// The reader's cursor after it.
        cursor: Cursor,
    },
    /// The reader has to be told how many members a channel has, here in its stream: it has missed
    /// who came and went.
    Presence {
        /// The connection.
        connection: ConnectionId,
        /// The number.
        news: News,
    },
    /// The reader has to be told that a channel has ended, here in its stream.
    End {
        /// The connection.
        connection: ConnectionId,
        /// The channel.
        channel: ChannelName,
        /// Its entry, which says so.
        entry: CursorEntry,
        /// The reader's cursor after it.
        cursor: Cursor,
    },
    /// Tell the application; only of channels whose namespace wants it.
    Happened(Happening),
    /// The last channel of a reader has ended and it was told; not for `fanfare.v1`.
    Finished(ConnectionId),
    /// The connection has to go.
    Disconnect {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        why: Disconnect,
    },
}

/// One channel of an opening.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The channel.
    pub channel: ChannelName,
    /// The position that it is read from; the claimed one if a gap follows, none if that could
    /// not be read.
    pub entry: Option<CursorEntry>,
    /// The head when it was attached, so that a poll knows when it has everything.
    pub head: Position,
    /// Whether a gap follows at once.
    pub gap_follows: bool,
    /// Whether the channel has ended and the reader's cursor says that it knows.
    pub over: bool,
    /// What happens to the reader if it is too slow; always [`SlowReader::Latest`] for one that
    /// asked for a rate.
    pub policy: SlowReader,
}

/// Why a shard ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnect {
    /// The ring passed it and the policy is [`crate::settings::SlowReader::Disconnect`].
    Slow,
    /// A gap that its format has no words for; it can come back from `gap.to`.
    Gap(Gap),
}

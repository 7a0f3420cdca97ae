//! The bounded pipe between a shard and a reader on the edge.
//!
//! An edge subscriber is the same subscriber as a socket: a connection of a shard with cursors into
//! feeds. Only its sink differs: frames go into this pipe until it holds [`PIPE_BYTES`], and when
//! the edge has taken them the shard is told that there is room again. What the edge took last still
//! counts, because whoever takes it comes back only when it has passed that on: a reader who has
//! stopped reading holds one pipe's worth, not two.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{ConnectionId, Disconnect, Opened};
use fanfare_protocol::native::packing::GzipSum;
use tokio::sync::Notify;

use crate::node::{Letter, Mailbox};

mod common;
#[cfg(test)]
mod tests;
mod tunnel;
#[cfg(test)]
mod tunnel_tests;

pub(crate) use common::Common;
pub(crate) use tunnel::{Outward, Tunnel, TunnelEnd, tunnel};

/// Bytes of frames, with their places in the pipe, that it holds before it is full; one frame always
/// fits into an empty pipe.
pub(crate) const PIPE_BYTES: usize = 32 * 1024;

/// Bytes that an item takes beside its frame: of small frames, most of it.
const ITEM_BYTES: usize = size_of::<PipeItem>();

/// Items that a pipe has room for while it is empty, however many it once held.
const ITEMS_KEPT: usize = 16;

/// What a reader on the edge gets, in the order of its stream.
#[derive(Debug)]
pub(crate) enum PipeItem {
    /// The stream begins.
    Opened {
        /// Where each channel stands.
        channels: Vec<Opened>,
        /// The cursor of the opening event.
        cursor: Cursor,
    },
    /// The reader could not be attached.
    Refused(Code),
    /// One frame's body, with the reader's own tail, and the channel's entry after it.
    Frame {
        /// The body.
        body: Bytes,
        /// What a gzipped body's end has to know of it.
        sum: GzipSum,
        /// The entry after it; none for a live-only publication.
        after: Option<CursorEntry>,
    },
    /// A gap.
    Gap {
        /// The gap.
        gap: Gap,
        /// The reader's cursor after it.
        cursor: Cursor,
    },
    /// Something else of the channels, in the words of the reader's format.
    Notice(Bytes),
    /// A channel has ended.
    End {
        /// The channel.
        channel: ChannelName,
        /// Its entry, which says so.
        entry: CursorEntry,
        /// The reader's cursor after it.
        cursor: Cursor,
    },
    /// All channels have ended.
    Finished,
    /// The reader has to go.
    Disconnect(Disconnect),
    /// The server drains.
    Drain,
}

/// The shard's end.
#[derive(Debug)]
pub(crate) struct PipeWriter {
    shared: Arc<Shared>,
}

/// The edge's end. Dropping it closes the subscriber.
#[derive(Debug)]
pub(crate) struct PipeReader {
    shared: Arc<Shared>,
    shard: Mailbox,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    filled: Notify,
    /// The room that it has together with other pipes, and whom its shard is told by.
    common: Option<(Arc<Common>, Mailbox)>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<PipeItem>,
    /// Items that are no frames.
    words: usize,
    bytes: usize,
    /// Of these, what the edge has taken and may not have passed on.
    taken: usize,
    wants_room: bool,
    connection: Option<ConnectionId>,
    writer_gone: bool,
    reader_gone: bool,
}

/// A pipe whose reader tells `shard` about room and about its end.
pub(crate) fn pipe(shard: Mailbox, common: Option<Arc<Common>>) -> (PipeWriter, PipeReader) {
    let common = common.map(|common| (common, shard.clone()));
    let shared = Arc::new(Shared { state: Mutex::default(), filled: Notify::new(), common });
    (PipeWriter { shared: Arc::clone(&shared) }, PipeReader { shared, shard })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, bytes: usize) {
        if let Some((common, _)) = &self.common {
            common.give_back(bytes);
        }
    }
}

impl PipeWriter {
    /// Tells the reader which connection it is, so that its letters find it. Says whether the
    /// reader is still there.
    #[must_use]
    pub(crate) fn bind(&self, connection: ConnectionId) -> bool {
        let mut state = self.shared.lock();
        state.connection = Some(connection);
        !state.reader_gone
    }

    /// Puts a frame in; hands it back when the pipe is full.
    pub(crate) fn push_frame(
        &self,
        body: Bytes,
        sum: GzipSum,
        after: Option<CursorEntry>,
    ) -> Result<(), Bytes> {
        let mut state = self.shared.lock();
        if state.reader_gone {
            // Nobody would ever make room for what comes after it.
            return Ok(());
        }
        let bytes = ITEM_BYTES + body.len();
        if state.bytes > 0 && state.bytes + bytes > PIPE_BYTES {
            state.wants_room = true;
            return Err(body);
        }
        if let Some((common, mailbox)) = &self.shared.common
            && !common.take(bytes, (mailbox, state.connection))
        {
            return Err(body);
        }
        state.bytes += bytes;
        state.items.push_back(PipeItem::Frame { body, sum, after });
        drop(state);
        self.shared.filled.notify_one();
        Ok(())
    }

    /// Puts in what is no frame. There is room for it always: a stream has few of these, and each
    /// is told once.
    pub(crate) fn push(&self, item: PipeItem) {
        let mut state = self.shared.lock();
        state.words += 1;
        state.items.push_back(item);
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Whether something that is no frame has not been taken yet.
    pub(crate) fn holds_words(&self) -> bool {
        self.shared.lock().words > 0
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.shared.lock().writer_gone = true;
        self.shared.filled.notify_one();
    }
}

impl PipeReader {
    /// Which connection of its shard this is, once the shard has bound it.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        self.shared.lock().connection
    }

    /// The next item; none when the shard has dropped the subscriber.
    pub(crate) async fn next(&self) -> Option<PipeItem> {
        self.pass_on();
        loop {
            let filled = self.shared.filled.notified();
            match self.try_next() {
                Some(item) => return item,
                None => filled.await,
            }
        }
    }

    /// The next item if there is one now; the inner none when the shard has dropped the subscriber.
    #[expect(clippy::option_option, reason = "nothing now and nothing ever again are two answers")]
    pub(crate) fn try_next(&self) -> Option<Option<PipeItem>> {
        self.take().ok()
    }

    fn take(&self) -> Result<Option<PipeItem>, Empty> {
        let mut state = self.shared.lock();
        let Some(item) = state.items.pop_front() else {
            return if state.writer_gone { Ok(None) } else { Err(Empty) };
        };
        match &item {
            PipeItem::Frame { body, .. } => state.taken += ITEM_BYTES + body.len(),
            _ => state.words -= 1,
        }
        if state.items.is_empty() {
            state.items.shrink_to(ITEMS_KEPT);
        }
        Ok(Some(item))
    }

    /// Makes room for as much as was taken, and tells the shard if it waits for that.
    fn pass_on(&self) {
        let mut state = self.shared.lock();
        let passed = std::mem::take(&mut state.taken);
        state.bytes -= passed;
        let ready = state.wants_room && state.bytes <= PIPE_BYTES / 2;
        let told = ready.then(|| {
            state.wants_room = false;
            state.connection
        });
        drop(state);
        self.shared.give_back(passed);
        if let Some(connection) = told.flatten() {
            self.shard.put(Letter::PipeReady(connection));
        }
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let (connection, held) = {
            let mut state = self.shared.lock();
            state.reader_gone = true;
            state.items.clear();
            state.words = 0;
            (state.connection, std::mem::take(&mut state.bytes))
        };
        self.shared.give_back(held);
        if let Some(connection) = connection {
            self.shard.put(Letter::PipeClosed(connection));
        }
    }
}

/// Nothing is in the pipe now.
struct Empty;

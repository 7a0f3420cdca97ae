//! What the pipes of one connection hold together: HTTP/2 has many on one, whose single client takes
//! what is in them or does not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_core::shard::ConnectionId;

use super::PIPE_BYTES;
use crate::node::{Letter, Mailbox};

/// Bytes that the pipes of one connection hold together: as many as 128 full ones, so that a stream
/// which is not read holds up no other while frames are of a usual size. Larger ones wait.
pub(crate) const COMMON_BYTES: usize = 128 * PIPE_BYTES;

/// The room that pipes have in common.
#[derive(Debug, Default)]
pub(crate) struct Common(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    /// Whose frames found no room, each once.
    waiting: Vec<(Mailbox, ConnectionId)>,
}

impl Common {
    /// Takes room for so many bytes. If there is none, `waits` is told when there is; one frame has
    /// room always.
    pub(super) fn take(&self, bytes: usize, waits: (&Mailbox, Option<ConnectionId>)) -> bool {
        let mut state = self.lock();
        if state.bytes > 0 && state.bytes + bytes > COMMON_BYTES {
            if let (mailbox, Some(connection)) = waits {
                state.waiting.push((mailbox.clone(), connection));
            }
            return false;
        }
        state.bytes += bytes;
        true
    }

    /// Gives room back. Whoever waits is told as soon as half of it is free, so that it is not told
    /// over and over.
    pub(super) fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let told = {
            let mut state = self.lock();
            state.bytes = state.bytes.saturating_sub(bytes);
            if state.bytes > COMMON_BYTES / 2 {
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        for (mailbox, connection) in told {
            mailbox.put(Letter::PipeReady(connection));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The identities of new streams.

use fanfare_core::publication::SessionId;

/// Draws identities: random, because whoever knows one may change the stream. The system is asked
/// for many at once.
#[derive(Debug)]
pub(super) struct Sessions {
    bytes: Vec<u8>,
    /// What the next reader will be known by.
    next: Option<SessionId>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), next: None }
    }

    /// The identity of the next reader, the same until it is spent: most requests make none.
    pub(super) fn next(&mut self) -> SessionId {
        let next = self.next.take().unwrap_or_else(|| SessionId(u128::from_ne_bytes(self.take())));
        *self.next.insert(next)
    }

    /// A reader has taken the next identity.
    pub(super) fn spend(&mut self) {
        self.next = None;
    }

    /// Random bits.
    pub(super) fn draw_bits(&mut self) -> u64 {
        u64::from_ne_bytes(self.take())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.bytes.len() < N {
            self.bytes.resize(REFILL_BYTES, 0);
            if let Err(error) = getrandom::fill(&mut self.bytes) {
                // Guessable identities would let strangers change streams.
                tracing::error!(%error, "the system has no randomness: the process ends");
                super::end_process();
            }
        }
        let rest = self.bytes.len() - N;
        let mut taken = [0; N];
        for (to, from) in taken.iter_mut().zip(self.bytes.drain(rest..)) {
            *to = from;
        }
        taken
    }
}

const REFILL_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Sessions;

    #[test]
    fn no_identity_is_given_to_two_readers() {
        let mut sessions = Sessions::new();
        let mut drawn = HashSet::new();
        for _ in 0..2_000 {
            let session = sessions.next();
            assert_eq!(sessions.next(), session, "kept for the one who will be a reader");
            sessions.spend();
            assert!(drawn.insert(session.0));
        }
    }
}

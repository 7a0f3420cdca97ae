//! The identities of new streams.

use fanfare_core::publication::SessionId;

/// Draws identities: random, because whoever knows one may change the stream. The system is asked
/// for many at once.
#[derive(Debug)]
pub(super) struct Sessions {
    bytes: Vec<u8>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// A new identity.
    pub(super) fn draw(&mut self) -> SessionId {
        SessionId(u128::from_ne_bytes(self.take()))
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
    fn no_identity_comes_twice() {
        let mut sessions = Sessions::new();
        let drawn: HashSet<u128> = (0..2_000).map(|_| sessions.draw().0).collect();
        assert_eq!(drawn.len(), 2_000);
    }
}

//! What is counted of tokens.

use std::sync::atomic::{AtomicU64, Ordering};

use super::failure::Failure;

/// What is counted of tokens.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    verified: AtomicU64,
    remembered: AtomicU64,
    refused: [AtomicU64; Failure::REASONS.len()],
}

impl Figures {
    pub(super) fn verified(&self) {
        self.verified.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remembered(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, failure: &Failure) {
        if let Some(count) = self.refused.get(failure.reason()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tokens whose signatures were checked and right.
    pub(crate) fn verified_count(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// Times that a token was known already.
    pub(crate) fn remembered_count(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }

    /// Refused tokens, by reason.
    pub(crate) fn refused_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        Failure::REASONS.into_iter().zip(counts)
    }
}

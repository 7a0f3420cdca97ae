//! What the edge draws at random: sessions and jitter.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::publication::SessionId;
use fanfare_protocol::native::problem::Problem;

/// A range that a duration is drawn from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jitter {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

/// The identity of a new stream.
///
/// # Errors
/// When the system has no randomness to give: an identity that can be guessed is worse than none.
pub(super) fn session() -> Result<SessionId, Problem> {
    bits().map(SessionId)
}

/// Bits that nobody can guess.
///
/// # Errors
/// When the system has no randomness to give.
pub(super) fn bits() -> Result<u128, Problem> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        Problem::of(Code::Internal)
    })?;
    Ok(u128::from_be_bytes(bits))
}

/// A duration of the range; the longest when there is no randomness.
pub(super) fn within(jitter: Jitter) -> Duration {
    let spread = jitter.max.saturating_sub(jitter.min);
    match getrandom::u32() {
        Ok(bits) => jitter.min + spread.mul_f64(f64::from(bits) / f64::from(u32::MAX)),
        Err(_none) => jitter.max,
    }
}

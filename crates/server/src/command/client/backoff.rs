//! How long to wait before coming back.

use std::time::Duration;

/// The first wait is at most this.
const FIRST: Duration = Duration::from_millis(250);
/// No wait is longer.
const LAST: Duration = Duration::from_secs(10);

/// Doubles the wait with every attempt and jitters it, so that readers do not come back together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    attempts: u32,
    told: Option<Duration>,
}

impl Backoff {
    /// The stream opened: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The server said how long to wait; that holds for the first attempt after a break.
    pub(crate) fn told(&mut self, wait: Duration) {
        self.told = Some(wait.min(LAST));
    }

    /// The next wait; `chance` is a random number from 0 to 1.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        if let Some(wait) = self.told.take().filter(|_| self.attempts == 0) {
            self.attempts = 1;
            return wait;
        }
        let doubled = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LAST);
        self.attempts = self.attempts.saturating_add(1);
        doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_a_bound_and_what_the_server_says_comes_first() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(backoff.next(0.0), Duration::from_secs(5));
        backoff.reset();
        backoff.told(Duration::from_millis(2_731));
        assert_eq!(backoff.next(0.3), Duration::from_millis(2_731));
        assert_eq!(backoff.next(1.0), Duration::from_millis(500));
    }
}

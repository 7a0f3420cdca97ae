//! Token buckets in bounded memory.
//!
//! A bucket is one number, the moment at which it will be full again: "virtual scheduling" of the
//! generic cell rate algorithm (ITU-T I.371). One that is full is as good as forgotten. So there is a
//! fixed number of places, eight of which any key may have; when they are taken, the bucket that
//! will be full first goes, which forgives the least.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tally::Key;
use super::terms::Rate;

/// Buckets of many keys.
#[derive(Debug)]
pub(super) struct Buckets {
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
    forgotten: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    key: u64,
    /// Nanoseconds from the beginning; 0 for a place that nobody has had.
    full_at: u64,
}

impl Buckets {
    /// Room for so many, rounded up to eight.
    pub(super) fn new(tracked_max: usize) -> Self {
        let empty = || Mutex::new([Bucket { key: 0, full_at: 0 }; WAYS]);
        let sets = tracked_max.div_ceil(WAYS).max(1);
        Self {
            sets: std::iter::repeat_with(empty).take(sets).collect(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Takes so many tokens out of the bucket of `key`, which holds as many as `rate` allows in
    /// `burst`, at least one; whoever wants more than it can ever hold is taken to want all of it.
    ///
    /// # Errors
    /// There are not so many. Says how long it takes until there are; none was taken.
    pub(super) fn take(
        &self,
        key: Key,
        (rate, burst): (Rate, Duration),
        tokens: usize,
        now: Duration,
    ) -> Result<(), Duration> {
        let (cost, depth) = cost(rate, burst, tokens);
        let now = nanos(now).max(1);
        let Some(mut set) = self.set(key) else { return Ok(()) };
        let Some(bucket) = self.find(&mut set, key.bits(), now) else {
            return Ok(());
        };
        let full_at = bucket.full_at.max(now).saturating_add(cost);
        let late = full_at.saturating_sub(now.saturating_add(depth));
        if late > 0 {
            return Err(Duration::from_nanos(late));
        }
        bucket.full_at = full_at;
        Ok(())
    }

    /// Gives back what was taken at this rate, unless the bucket has been forgotten since.
    pub(super) fn give_back(&self, key: Key, (rate, burst): (Rate, Duration), tokens: usize) {
        let (cost, _) = cost(rate, burst, tokens);
        let Some(mut set) = self.set(key) else { return };
        let known = set.iter_mut().find(|bucket| bucket.key == key.bits() && bucket.full_at > 0);
        if let Some(bucket) = known {
            bucket.full_at = bucket.full_at.saturating_sub(cost).max(1);
        }
    }

    /// The places that a key may have.
    fn set(&self, key: Key) -> Option<MutexGuard<'_, [Bucket; WAYS]>> {
        let place = usize::try_from(key.bits() % self.sets.len() as u64).unwrap_or(0);
        Some(self.sets.get(place)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Buckets that were not full when another took their place.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    fn find<'a>(&self, set: &'a mut [Bucket; WAYS], key: u64, now: u64) -> Option<&'a mut Bucket> {
        let place = set.iter().position(|bucket| bucket.key == key && bucket.full_at > 0);
        if let Some(place) = place {
            return set.get_mut(place);
        }
        let fullest = set.iter_mut().min_by_key(|bucket| bucket.full_at)?;
        if fullest.full_at > now {
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        *fullest = Bucket { key, full_at: now };
        Some(fullest)
    }
}

/// How much later so many tokens make a bucket full, and how much later it can be full at most, in
/// nanoseconds.
fn cost(rate: Rate, burst: Duration, tokens: usize) -> (u64, u64) {
    let per_token = nanos(rate.per) / u64::from(rate.count.max(1));
    let depth = nanos(burst).max(per_token);
    (per_token.saturating_mul(tokens as u64).min(depth), depth)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Places that a key may have.
const WAYS: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tally::Key;
    use super::{Buckets, Rate};

    const BURST: Duration = Duration::from_secs(2);
    const FIVE: Rate = Rate { count: 5, per: Duration::from_secs(1) };

    fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000 + millis)
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let buckets = Buckets::new(64);
        let key = Key::of_test(1);
        for _ in 0..10 {
            assert_eq!(buckets.take(key, (FIVE, BURST), 1, at(0)), Ok(()));
        }
        let wait = Duration::from_millis(200);
        assert_eq!(buckets.take(key, (FIVE, BURST), 1, at(0)), Err(wait));
        assert_eq!(buckets.take(key, (FIVE, BURST), 1, at(199)), Err(Duration::from_millis(1)));
        assert_eq!(buckets.take(key, (FIVE, BURST), 1, at(200)), Ok(()));
        assert_eq!(buckets.take(key, (FIVE, BURST), 2, at(400)), Err(wait));
        assert_eq!(buckets.take(Key::of_test(2), (FIVE, BURST), 10, at(0)), Ok(()));
    }

    /// Against a bucket that counts tokens, over a long run of random takes.
    #[test]
    fn it_is_as_a_naive_bucket() {
        let mut random = fastrand::Rng::with_seed(7);
        for rate in
            [FIVE, Rate { count: 1, per: Duration::from_secs(7) }, Rate { count: 1000, ..FIVE }]
        {
            let buckets = Buckets::new(8);
            let per_token = rate.per.as_secs_f64() / f64::from(rate.count);
            let spread = u64::try_from(rate.per.as_micros()).unwrap() * 2 / u64::from(rate.count);
            let depth = (BURST.as_secs_f64() / per_token).max(1.0);
            let (mut tokens, mut before, mut now) = (depth, at(0), at(0));
            let mut refused = 0;
            for _ in 0..5_000 {
                now += Duration::from_micros(random.u64(0..=spread));
                tokens = (tokens + (now - before).as_secs_f64() / per_token).min(depth);
                before = now;
                let wanted = random.usize(1..4);
                let cost = (wanted as f64).min(depth);
                let taken = buckets.take(Key::of_test(9), (rate, BURST), wanted, now).is_ok();
                // Rounding may decide where the two are a hair apart.
                if (tokens - cost).abs() > 1e-6 {
                    assert_eq!(taken, tokens >= cost, "{tokens} of {depth}, {wanted} wanted");
                }
                if taken {
                    tokens -= cost;
                } else {
                    refused += 1;
                }
            }
            assert!((100..4_900).contains(&refused), "{refused}");
        }
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let buckets = Buckets::new(64);
        let key = Key::of_test(1);
        buckets.take(key, (FIVE, BURST), 9, at(0)).unwrap();
        for _ in 0..100 {
            buckets.take(key, (FIVE, BURST), 1, at(0)).unwrap();
            buckets.give_back(key, (FIVE, BURST), 1);
        }
        assert_eq!(buckets.take(key, (FIVE, BURST), 1, at(0)), Ok(()));
        assert!(buckets.take(key, (FIVE, BURST), 1, at(0)).is_err());
        buckets.give_back(Key::of_test(2), (FIVE, BURST), 5);
        assert_eq!(buckets.take(Key::of_test(2), (FIVE, BURST), 10, at(0)), Ok(()), "no more");
        assert!(buckets.take(Key::of_test(2), (FIVE, BURST), 1, at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_are_remembered() {
        let buckets = Buckets::new(8);
        let busy = Key::of_test(1);
        for _ in 0..10 {
            buckets.take(busy, (FIVE, BURST), 1, at(0)).unwrap();
        }
        for other in 2..1_000 {
            buckets.take(Key::of_test(other), (FIVE, BURST), 1, at(0)).unwrap();
        }
        assert!(buckets.take(busy, (FIVE, BURST), 1, at(0)).is_err(), "it is known still");
        assert!(buckets.forgotten() > 900);
        // What is full is forgotten without harm.
        let before = buckets.forgotten();
        buckets.take(Key::of_test(1_001), (FIVE, BURST), 1, at(60_000)).unwrap();
        assert_eq!(buckets.forgotten(), before);
    }
}

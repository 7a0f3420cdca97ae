//! What is counted of questions, and told in the log once in a while.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::settings::OnFailure;
use crate::hooks::Failure;
use crate::metrics::Delays;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Who somebody is.
    Connect,
    /// Whether they may read a channel.
    Subscribe,
    /// What becomes of a publication.
    Publish,
    /// Whether they may stay.
    Refresh,
}

impl Hook {
    /// Every hook, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] =
        [Self::Connect, Self::Subscribe, Self::Publish, Self::Refresh];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Refresh => "refresh",
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on, changed or not.
    Allowed,
    /// The backend refused.
    Refused,
    /// There was no answer that is one.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Allowed, Self::Refused, Self::Failed];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is counted; it outlives a configuration.
#[derive(Debug)]
pub(crate) struct Figures {
    hooks: [PerHook; Hook::ALL.len()],
    failures: [AtomicU64; Failure::NAMES.len()],
}

#[derive(Debug, Default)]
struct PerHook {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    delays: Mutex<Delays>,
    told: Mutex<Told>,
}

/// What was last told in the log.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    /// Failures since then.
    silent: u64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            hooks: std::array::from_fn(|_| PerHook::default()),
            failures: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Figures {
    /// Counts what came of a question, and how long it took.
    pub(super) fn count(&self, hook: Hook, outcome: Outcome, took: Duration) {
        let Some(of) = self.hooks.get(hook as usize) else { return };
        if let Some(count) = of.outcomes.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        of.delays.lock().unwrap_or_else(PoisonError::into_inner).observe(millis);
    }

    /// Counts why there was no answer, and says so in the log now and then.
    pub(super) fn tell(&self, hook: Hook, why: &Failure, on_failure: OnFailure) {
        let place = Failure::NAMES.iter().position(|name| *name == why.name());
        if let Some(count) = place.and_then(|place| self.failures.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let Some(of) = self.hooks.get(hook as usize) else { return };
        let mut told = of.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.at.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            told.silent += 1;
            return;
        }
        let silent = std::mem::take(&mut told.silent);
        told.at = Some(Instant::now());
        drop(told);
        let decision = match on_failure {
            OnFailure::Refuse => "refused",
            OnFailure::Allow => "allowed",
        };
        let hook = hook.name();
        tracing::warn!(hook, %why, silent, decision, "the backend has not answered a question");
    }

    /// How many questions of a hook had this outcome.
    pub(crate) fn outcomes(&self, hook: Hook, outcome: Outcome) -> u64 {
        let of = self.hooks.get(hook as usize);
        let count = of.and_then(|of| of.outcomes.get(outcome as usize));
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How long questions of a hook took.
    pub(crate) fn delays(&self, hook: Hook) -> Delays {
        let of = self.hooks.get(hook as usize);
        of.map(|of| of.delays.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// Why there was no answer, and how often.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.failures.iter().map(|count| count.load(Ordering::Relaxed));
        Failure::NAMES.into_iter().zip(counts)
    }
}

/// How often failures of one hook are told in the log at most.
const TELL_EVERY: Duration = Duration::from_secs(10);

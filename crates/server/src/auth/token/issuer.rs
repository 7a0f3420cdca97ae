//! An issuer of tokens: what its tokens have to say, and its keys, which are exchanged in one step
//! when they have been fetched anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use fanfare_core::time::UnixMillis;
use tokio::sync::Notify;

use super::algorithm::Algorithms;
use super::keys::KeySet;
use super::signed::{Mark, mark};

/// After keys were fetched because a token named an unknown one, how long until the next such token
/// has them fetched again.
const ASKED_AGAIN_AFTER_MILLIS: u64 = 30_000;

/// An issuer of tokens.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// What the configuration calls it.
    pub(super) name: Box<str>,
    /// What its tokens say in `iss`.
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Box<[String]>,
    pub(super) algorithms: Algorithms,
    /// In seconds.
    pub(super) leeway: u64,
    pub(super) require_expiry: bool,
    /// What tells it, and what its tokens have to say, from others.
    pub(super) mark: Mark,
    /// Those of the configuration, which stay.
    fixed: KeySet,
    /// Those that were fetched last.
    fetched: ArcSwapOption<KeySet>,
    /// All there are.
    keys: ArcSwap<KeySet>,
    /// Where others are fetched from.
    pub(super) remote: Option<Remote>,
}

/// Keys that are fetched, and how that goes.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(super) url: Box<str>,
    /// A token has named a key that is not there.
    pub(super) wanted: Notify,
    is_fetching: AtomicBool,
    /// Before this time, in Unix milliseconds, no token has them fetched.
    asked_from: AtomicU64,
    /// When they were last had, in Unix milliseconds; 0: never.
    had: AtomicU64,
    fetches: AtomicU64,
    failures: AtomicU64,
}

/// What an issuer is made of.
#[derive(Debug)]
pub(crate) struct IssuerParts {
    pub(crate) name: String,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Algorithms,
    /// In seconds.
    pub(crate) leeway: u64,
    pub(crate) require_expiry: bool,
    pub(crate) keys: KeySet,
    /// Where other keys are fetched from.
    pub(crate) url: Option<String>,
}

impl IssuerParts {
    /// The mark of everything but the keys.
    fn mark(&self) -> Mark {
        let named = if self.issuer.is_some() { &b"named"[..] } else { b"nameless" };
        let issuer = self.issuer.as_deref().unwrap_or_default().as_bytes();
        let (leeway, expiry) = (self.leeway.to_le_bytes(), [u8::from(self.require_expiry)]);
        let algorithms = self.algorithms.iter().map(|algorithm| algorithm.name().as_bytes());
        let audience = self.audience.iter().map(String::as_bytes);
        let first = [self.name.as_bytes(), named, issuer, &leeway, &expiry];
        mark(first.into_iter().chain(algorithms).chain([&b"for"[..]]).chain(audience))
    }
}

impl Issuer {
    pub(super) fn new(parts: IssuerParts) -> Self {
        Self {
            mark: parts.mark(),
            name: parts.name.into(),
            issuer: parts.issuer.map(Into::into),
            audience: parts.audience.into(),
            algorithms: parts.algorithms,
            leeway: parts.leeway,
            require_expiry: parts.require_expiry,
            fetched: ArcSwapOption::empty(),
            keys: ArcSwap::from_pointee(parts.keys.clone()),
            fixed: parts.keys,
            remote: parts.url.map(|url| Remote {
                url: url.into(),
                wanted: Notify::new(),
                // As soon as the server has started.
                is_fetching: AtomicBool::new(true),
                asked_from: AtomicU64::new(0),
                had: AtomicU64::new(0),
                fetches: AtomicU64::new(0),
                failures: AtomicU64::new(0),
            }),
        }
    }

    /// The keys, as they are now.
    pub(super) fn keys(&self) -> arc_swap::Guard<Arc<KeySet>> {
        self.keys.load()
    }

    /// Takes the keys that were fetched in place of those fetched before.
    pub(super) fn exchange(&self, fetched: KeySet) {
        let version = self.keys.load().version + 1;
        let mut keys = self.fixed.clone().with(fetched.clone());
        self.fetched.store(Some(Arc::new(fetched)));
        keys.version = version;
        self.keys.store(Arc::new(keys));
    }

    /// Begins with the keys that were fetched before the configuration was read again, if they are
    /// from the same place.
    pub(super) fn take_over(&self, before: &Self) {
        let (Some(remote), Some(known)) = (&self.remote, &before.remote) else { return };
        if remote.url != known.url {
            return;
        }
        if let (Some(fetched), Some(had)) = (before.fetched.load_full(), known.had()) {
            self.exchange(KeySet::clone(&fetched));
            remote.had.store(had, Ordering::Relaxed);
        }
        for (count, known) in
            [(&remote.fetches, &known.fetches), (&remote.failures, &known.failures)]
        {
            count.store(known.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Whether its keys are fetched, and have not been had yet.
    pub(super) fn waits_for_keys(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.had().is_none())
    }

    /// Has the keys fetched again, if that is not too soon, because a token named an unknown one.
    /// Says whether they are being looked for.
    pub(super) fn look_for_keys(&self, now: UnixMillis) -> bool {
        let Some(remote) = &self.remote else { return false };
        if remote.is_fetching.load(Ordering::Relaxed) {
            return true;
        }
        let from = remote.asked_from.load(Ordering::Relaxed);
        let next = now.saturating_add(ASKED_AGAIN_AFTER_MILLIS);
        let order = Ordering::Relaxed;
        let is_first =
            now >= from && remote.asked_from.compare_exchange(from, next, order, order).is_ok();
        if is_first {
            remote.is_fetching.store(true, Ordering::Relaxed);
            remote.wanted.notify_one();
        }
        is_first
    }
}

impl Remote {
    /// Begins to fetch.
    pub(super) fn begin(&self) {
        self.is_fetching.store(true, Ordering::Relaxed);
    }

    /// Has fetched, or failed to, at this time.
    pub(super) fn end(&self, outcome: Result<UnixMillis, ()>) {
        match outcome {
            Ok(now) => {
                self.had.store(now, Ordering::Relaxed);
                self.fetches.fetch_add(1, Ordering::Relaxed);
            }
            Err(()) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.is_fetching.store(false, Ordering::Relaxed);
    }

    /// When the keys were last had.
    pub(super) fn had(&self) -> Option<UnixMillis> {
        Some(self.had.load(Ordering::Relaxed)).filter(|had| *had > 0)
    }

    /// How often they were had, and how often not.
    pub(super) fn outcomes(&self) -> [u64; 2] {
        [self.fetches.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed)]
    }
}

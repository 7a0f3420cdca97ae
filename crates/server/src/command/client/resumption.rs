//! Decides when a reader that came back may say that it missed nothing.
//!
//! A gap is the first thing a channel tells after it has been attached. So a channel is proven by
//! its first publication that follows what was seen; an answered poll proves all of them; and so
//! does a sign of life some time after the opening, when whatever there was to tell has been told.

use std::time::{Duration, Instant};

/// How long after the opening a sign of life proves that there is nothing to tell. Attaching takes
/// milliseconds, heartbeats come every ten seconds.
const QUIET: Duration = Duration::from_secs(2);

/// Whether it is proven now that nothing was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It has just been proven for all channels; told once for each cut.
    Complete,
    /// It has not, or there is nothing to prove.
    Open,
}

/// What is known of the last cut.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    unproven: Vec<String>,
    opened: Option<Instant>,
}

impl Resumption {
    /// The stream of these channels was cut.
    pub(crate) fn cut(&mut self, channels: &[String]) {
        self.pending = Some(Pending { unproven: channels.to_vec(), opened: None });
    }

    /// The new stream has opened.
    pub(crate) fn opened(&mut self, now: Instant) {
        if let Some(pending) = &mut self.pending {
            pending.opened = Some(now);
        }
    }

    /// Something was missed or skipped, and that was said; "0 missed" will not be.
    pub(crate) fn missed(&mut self) {
        self.pending = None;
    }

    /// A publication followed what was seen of its channel, or the channel's end was told.
    pub(crate) fn proven(&mut self, channel: &str) -> Proof {
        let Some(pending) = &mut self.pending else {
            return Proof::Open;
        };
        pending.unproven.retain(|unproven| unproven != channel);
        if pending.unproven.is_empty() { self.current() } else { Proof::Open }
    }

    /// All channels have told everything up to now.
    pub(crate) fn current(&mut self) -> Proof {
        if self.pending.take().is_some() { Proof::Complete } else { Proof::Open }
    }

    /// A sign of life that belongs to no channel.
    pub(crate) fn alive(&mut self, now: Instant) -> Proof {
        let opened = self.pending.as_ref().and_then(|pending| pending.opened);
        let quiet = opened.is_some_and(|opened| now.duration_since(opened) >= QUIET);
        if quiet { self.current() } else { Proof::Open }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Proof, Resumption};

    fn cut() -> Resumption {
        let mut resumption = Resumption::default();
        resumption.cut(&["a".to_owned(), "b".to_owned()]);
        resumption
    }

    #[test]
    fn nothing_is_said_before_a_cut_and_only_once_after() {
        let mut resumption = Resumption::default();
        assert_eq!(resumption.proven("a"), Proof::Open);
        assert_eq!(resumption.current(), Proof::Open);
        let mut resumption = cut();
        assert_eq!(resumption.current(), Proof::Complete);
        assert_eq!(resumption.current(), Proof::Open);
        assert_eq!(resumption.proven("a"), Proof::Open);
    }

    #[test]
    fn every_channel_must_be_proven() {
        let mut resumption = cut();
        assert_eq!(resumption.proven("a"), Proof::Open);
        assert_eq!(resumption.proven("a"), Proof::Open);
        assert_eq!(resumption.proven("b"), Proof::Complete);
    }

    #[test]
    fn after_a_gap_on_one_channel_another_proves_nothing() {
        let mut resumption = cut();
        assert_eq!(resumption.proven("a"), Proof::Open);
        resumption.missed();
        assert_eq!(resumption.proven("b"), Proof::Open);
        assert_eq!(resumption.current(), Proof::Open);
    }

    #[test]
    fn a_sign_of_life_counts_only_some_time_after_the_opening() {
        let start = Instant::now();
        let mut resumption = cut();
        assert_eq!(resumption.alive(start + Duration::from_secs(60)), Proof::Open);
        resumption.opened(start);
        assert_eq!(resumption.alive(start + Duration::from_millis(1_999)), Proof::Open);
        assert_eq!(resumption.alive(start + Duration::from_secs(2)), Proof::Complete);
    }
}

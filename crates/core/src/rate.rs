//! What a reader gets of a channel: every publication, or only what is newest, and how often.

use crate::time::Millis;

/// How often a reader is given what is newest, at most. A few steps only, because readers of one
/// step share a feed and a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// Once a second.
    One,
    /// Twice a second.
    Two,
    /// 5 times a second.
    Five,
    /// 10 times a second.
    Ten,
    /// 20 times a second.
    Twenty,
    /// 50 times a second.
    Fifty,
}

/// What a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Of each channel what its namespace says.
    #[default]
    Usual,
    /// Every publication, whatever the namespace says: a poll, which has no words for what it skips.
    Every,
    /// What is newest, at most so often.
    AtMost(Rate),
}

/// What a reader gets of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Every publication.
    Every,
    /// Of each conflation key the newest, at most so often; without a rate as soon as it comes.
    Newest(Option<Rate>),
}

impl Rate {
    /// Every rate, slowest first.
    pub const ALL: [Self; 6] =
        [Self::One, Self::Two, Self::Five, Self::Ten, Self::Twenty, Self::Fifty];

    /// The highest rate that is not above so many a second; none below one.
    #[must_use]
    pub fn at_most(per_second: u64) -> Option<Self> {
        Self::ALL.into_iter().rfind(|rate| u64::from(rate.per_second()) <= per_second)
    }

    /// Moments a second, at most.
    #[must_use]
    pub fn per_second(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Five => 5,
            Self::Ten => 10,
            Self::Twenty => 20,
            Self::Fifty => 50,
        }
    }

    /// The time between two moments, at least.
    #[must_use]
    pub fn interval(self) -> Millis {
        1000 / Millis::from(self.per_second())
    }
}

impl Pace {
    /// How often the reader asks to be given what is newest, if it does.
    #[must_use]
    pub fn max_rate(self) -> Option<Rate> {
        match self {
            Self::AtMost(rate) => Some(rate),
            Self::Usual | Self::Every => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn a_rate_is_rounded_down_to_its_step() {
        for (asked, given) in [
            (0, None),
            (1, Some(1)),
            (2, Some(2)),
            (4, Some(2)),
            (5, Some(5)),
            (9, Some(5)),
            (19, Some(10)),
            (49, Some(20)),
            (50, Some(50)),
            (u64::MAX, Some(50)),
        ] {
            assert_eq!(Rate::at_most(asked).map(Rate::per_second), given, "{asked}");
        }
    }

    #[test]
    fn so_many_intervals_make_a_second() {
        for rate in Rate::ALL {
            assert_eq!(rate.interval() * u64::from(rate.per_second()), 1000);
        }
    }
}

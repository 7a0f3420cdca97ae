//! What the log is told once, when it is opened.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::name::ChannelName;
use fanfare_core::settings::Retention;
use fanfare_core::time::UnixMillis;

/// The bounds and rules of a log.
#[derive(Clone)]
pub(crate) struct LogOptions {
    /// Bytes of one segment, allocated when it is begun; [`SEGMENT_BYTES_MIN`] to
    /// [`SEGMENT_BYTES_MAX`], and large enough for the largest publication.
    pub segment_bytes: u64,
    /// Bytes of the whole directory, at least eight segments. At the bound the oldest segment goes,
    /// whatever lives in it.
    pub bytes_max: u64,
    /// How fast what lives in old segments is copied forward.
    pub copy_bytes_per_second: u64,
    /// What happens at the start when a part of the log is damaged.
    pub on_corruption: OnCorruption,
    /// Threads that read pages.
    pub readers: usize,
    /// What holds for a channel; asked once when the log first hears of it.
    pub rules: RulesOf,
    /// The wall's clock: what is too old is measured with it.
    pub clock: Clock,
    /// Where random bits come from, for epochs and salts.
    pub random: fn() -> u64,
}

/// Says what holds for a channel.
pub(crate) type RulesOf = Arc<dyn Fn(&ChannelName) -> Arc<ChannelRules> + Send + Sync>;

/// What the log has to know of a channel's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelRules {
    /// When an append is answered.
    pub durability: Durability,
    /// What is kept.
    pub retention: Retention,
}

/// When an append is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When the disk has it: it survives a power cut.
    #[default]
    Sync,
    /// When the operating system has it: it survives the end of the process.
    Os,
    /// At once.
    None,
}

/// What happens at the start when a part of the log is damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OnCorruption {
    /// The segment is set aside, and what it held is told as a gap.
    #[default]
    Quarantine,
    /// The log is not opened.
    Refuse,
}

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    /// The system.
    #[default]
    System,
    /// A test, which moves it.
    #[cfg(test)]
    Set(Arc<std::sync::atomic::AtomicU64>),
}

impl Clock {
    /// The wall's time.
    pub(crate) fn unix(&self) -> UnixMillis {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                u64::try_from(since.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
            }
            #[cfg(test)]
            Self::Set(millis) => millis.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("bytes_max", &self.bytes_max)
            .field("copy_bytes_per_second", &self.copy_bytes_per_second)
            .field("on_corruption", &self.on_corruption)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

/// The smallest segment.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 16 << 10;

/// The largest segment: one is read into memory as a whole when the log is opened.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 256 << 20;

/// Segments that the directory has room for at least.
pub(crate) const SEGMENTS_MIN: u64 = 8;

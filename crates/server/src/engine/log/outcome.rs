//! What the log says: what was found when it was opened, and what happens to it later.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset};
use fanfare_core::settings::ShardId;
use fanfare_core::shard::Completion;
use thiserror::Error;

/// What was found when the log was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// The epoch of every channel that was never removed.
    pub generation: Epoch,
    /// The highest offset that was ever forgotten: where channels without state begin.
    pub mark: Offset,
    /// How the log was left.
    pub left: Left,
    /// Bytes behind the last whole batch that were cut off: what was being written at the end.
    pub cut: u64,
    /// Segments that were set aside because they are damaged.
    pub set_aside: Vec<SetAside>,
    /// Whether every channel begins anew, because it cannot be known which ones were damaged.
    pub begins_anew: bool,
    /// Channels that begin anew because a segment that held them was set aside.
    pub channels_anew: usize,
    /// Channels with a state.
    pub channels: usize,
    /// Publications that are kept.
    pub publications: u64,
}

/// How the log was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// There was none.
    New,
    /// By a stop; offsets go on where they were.
    Clean,
    /// By a crash; offsets go on far above where they were.
    Unclean,
    /// By whoever copied it; offsets go on so far above that the log which it is a copy of never came
    /// there.
    Copied,
}

/// A damaged segment.
#[derive(Debug, Clone)]
pub(crate) struct SetAside {
    /// Where it is now; none if it was missing.
    pub file: Option<PathBuf>,
    /// What is wrong with it.
    pub damage: Damage,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub position: u64,
    /// What is wrong.
    pub what: Wrong,
}

/// What can be wrong with a file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Wrong {
    /// There is no such file.
    #[error("the file is missing")]
    Missing,
    /// Its beginning cannot be read.
    #[error("the header is not intact")]
    Header,
    /// The file belongs to another store, or to another place of this one.
    #[error("the file does not belong here")]
    Foreign,
    /// A record's checksum or form is wrong.
    #[error("a record is not intact")]
    Record,
    /// A batch does not end as it should.
    #[error("a batch is not whole")]
    Batch,
    /// The end of a sealed segment is wrong.
    #[error("the footer is not intact")]
    Footer,
    /// The file's own checksum is wrong.
    #[error("the checksum of the file is wrong")]
    Checksum,
}

/// Where the log's answers and news go. Both are called from threads of the log's own, and must not
/// wait for anything.
pub(crate) struct Outlets {
    /// Takes what one batch, or one read, completes for one shard, in order.
    pub deliver: Box<dyn Fn(ShardId, Vec<Completion>) + Send + Sync>,
    /// Takes what an operator should know.
    pub report: Box<dyn Fn(Report) + Send + Sync>,
}

/// What an operator should know.
#[derive(Debug)]
pub(crate) enum Report {
    /// Appends are refused from now on, because the disk, or the bound, leaves no room.
    Full(io::Error),
    /// Appends are taken again.
    Healed,
    /// A read met something damaged. It was not served: the channel's floor rose above it.
    Damaged {
        /// What is damaged.
        damage: Damage,
        /// The channel that was read.
        channel: ChannelName,
        /// The offset that was lost.
        offset: Offset,
    },
    /// A segment that was to be removed turned out to be damaged; it was set aside.
    SetAside(SetAside),
    /// The bound was reached: the oldest segment went, although so many publications lived in it.
    Forced {
        /// The segment's number.
        segment: u64,
        /// Publications that were lost to readers.
        publications: u64,
    },
    /// A segment could not be removed; it is tried again at the next start.
    Unremoved {
        /// Its file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Writing or syncing has failed: what the disk holds is not known any more. The process has to
    /// end, with exit code 74; nothing is answered after this.
    Fatal(io::Error),
}

/// Why a log is not opened.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    /// Another process has it.
    #[error("{} is in use by process {holder}", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process, as far as it said.
        holder: String,
    },
    /// A newer version made it.
    #[error(
        "{} was made by a newer Fanfare (format {version}); this one knows format 1",
        file.display()
    )]
    Newer {
        /// The file that says so.
        file: PathBuf,
        /// The version.
        version: u32,
    },
    /// It is damaged, and [`super::OnCorruption::Refuse`] holds.
    #[error("{0}")]
    Damaged(Damage),
    /// The bounds cannot be kept.
    #[error("{0}")]
    Options(&'static str),
    /// The disk said no.
    #[error("{}: {error}", file.display())]
    Io {
        /// What was read or written.
        file: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.file.display(), self.position, self.what)
    }
}

impl fmt::Debug for Outlets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlets")
    }
}

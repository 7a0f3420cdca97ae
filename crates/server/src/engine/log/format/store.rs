//! The file that says what the directory is.

use fanfare_core::position::{Epoch, Offset};
use fanfare_core::time::UnixMillis;

use super::{Fields, VERSION, body};

/// What stands in `STORE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Store {
    /// The epoch of every channel that was never removed.
    pub generation: Epoch,
    /// The mark when the file was written.
    pub mark: Offset,
    /// When the store was made.
    pub time: UnixMillis,
    /// Whether it is a copy that nobody has opened yet.
    pub copied: bool,
}

/// What can be read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Identity {
    /// All of it.
    Intact(Store),
    /// It was made by this newer version.
    Newer(u32),
    /// It is not as it was written.
    Broken,
}

impl Store {
    pub(in super::super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for number in [self.generation.bits(), self.mark, self.time] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.push(self.copied.into());
        bytes.resize(LENGTH - 4, 0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the file. Every version has its checksum in the same place.
    pub(in super::super) fn of(bytes: &[u8]) -> Identity {
        let read = || {
            let (checked, checksum) = bytes.get(..LENGTH)?.split_last_chunk::<4>()?;
            let mut fields = Fields(checked);
            let magic = fields.bytes(8)? == MAGIC;
            if !magic || crc32c::crc32c(checked) != u32::from_le_bytes(*checksum) {
                return None;
            }
            let version = fields.u32()?;
            if version != VERSION {
                return Some(Identity::Newer(version));
            }
            fields.bytes(4)?;
            let generation = body::epoch(&mut fields)?;
            let (mark, time) = (fields.u64()?, fields.u64()?);
            let copied = fields.u8()? != 0;
            Some(Identity::Intact(Self { generation, mark, time, copied }))
        };
        read().unwrap_or(Identity::Broken)
    }
}

const MAGIC: &[u8; 8] = b"FANFLOG\n";

/// Bytes of the file.
const LENGTH: usize = 64;

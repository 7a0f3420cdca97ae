//! Channel names: what a channel may be called, and the hash that cursors and owners use.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Longest channel name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;

/// A valid channel name with its hash.
///
/// 1 to 255 bytes of UTF-8 without controls (C0, C1) or Unicode white space; not `.` or `..`; not
/// starting with `$` or `fanfare.`, which are reserved. Cloning it shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelName {
    text: Arc<str>,
    hash: ChannelHash,
}

/// The first 48 bits of the SHA-256 of a channel's name: what a cursor knows it by, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelHash(u64);

/// Why a text is no channel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// The name has no bytes at all.
    #[error("a channel name has at least one byte")]
    Empty,
    /// The name is longer than [`NAME_BYTES_MAX`].
    #[error("a channel name has at most 255 bytes, this one has {0}")]
    TooLong(usize),
    /// A control character or white space.
    #[error("a channel name has no control characters and no white space; byte {0} starts one")]
    Forbidden(usize),
    /// `.` or `..`, which paths would swallow.
    #[error("`.` and `..` are no channel names")]
    Dots,
    /// Starts with `$` or `fanfare.`.
    #[error("channel names starting with `$` or `fanfare.` are reserved")]
    Reserved,
    /// Not UTF-8.
    #[error("a channel name is UTF-8")]
    NotUtf8,
}

impl ChannelName {
    /// Checks `text` and takes it as a channel name.
    ///
    /// # Errors
    /// [`NameError`] names the first rule that the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        if let Some((at, _)) =
            text.char_indices().find(|(_, c)| c.is_control() || c.is_whitespace())
        {
            return Err(NameError::Forbidden(at));
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots);
        }
        if text.starts_with('$') || text.starts_with("fanfare.") {
            return Err(NameError::Reserved);
        }
        Ok(Self { text: text.into(), hash: ChannelHash::of(text) })
    }

    /// The name as it was given, percent-decoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The hash that stands for the name in cursors.
    #[must_use]
    pub fn hash48(&self) -> ChannelHash {
        self.hash
    }
}

impl ChannelHash {
    /// Hashes the decoded name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let mut value = 0_u64;
        for byte in digest.iter().take(6) {
            value = value << 8 | u64::from(*byte);
        }
        Self(value)
    }

    /// The hash read back from the six bytes of a cursor entry.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = bytes;
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The six bytes, most significant first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The 48 bits as a number, from which the owner is chosen.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Hash for ChannelName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal names have equal hashes, and 48 bits of SHA-256 spread better than the text would.
        state.write_u64(self.hash.0);
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ChannelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ChannelHash, ChannelName, NameError};

    #[test]
    fn the_rules_of_names_hold() {
        for good in ["news", "a/b", "chat:1", "日本", "a,b", "x.y", "...", "a$", &"n".repeat(255)]
        {
            assert_eq!(ChannelName::new(good).unwrap().as_str(), good);
        }
        let long = "n".repeat(256);
        for (bad, why) in [
            ("", NameError::Empty),
            (long.as_str(), NameError::TooLong(256)),
            ("a b", NameError::Forbidden(1)),
            ("a\u{0}", NameError::Forbidden(1)),
            ("é\u{85}", NameError::Forbidden(2)),
            ("\u{3000}", NameError::Forbidden(0)),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("$sys", NameError::Reserved),
            ("fanfare.open", NameError::Reserved),
        ] {
            assert_eq!(ChannelName::new(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn the_hash_is_the_head_of_sha256_for_ever() {
        // printf news | sha256sum
        let hash = ChannelHash::of("news");
        assert_eq!(ChannelHash::from_bytes(hash.to_bytes()), hash);
        assert_eq!(format!("{hash:?}").len(), 12);
        assert_eq!(format!("{:?}", ChannelHash::of("abc")), "ba7816bf8f01");
    }
}

//! The name of a stream in text: 35 characters of base64url.
//!
//! The first 16 bytes are the stream's secret; whoever knows it may change the stream. Behind it
//! stands where the stream lives (the shard in two bytes, its place there and how often that was
//! used in four each, most significant first), so that nobody has to keep a table of streams. The
//! place is a hint: it is worth nothing without the secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_core::publication::SessionId;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::ConnectionId;

/// A stream: its secret, and where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// What only its reader knows.
    pub secret: SessionId,
    /// The shard that it lives on.
    pub shard: ShardId,
    /// Which of the shard's connections it is.
    pub connection: ConnectionId,
}

/// Bytes of a session.
const SESSION_BYTES: usize = 26;

/// Characters of a session's text.
pub const SESSION_TEXT: usize = 35;

impl Session {
    /// Appends the text.
    pub fn append(self, out: &mut Vec<u8>) {
        let ConnectionId { index, generation } = self.connection;
        let secret = self.secret.0.to_be_bytes().into_iter();
        let place = self.shard.to_be_bytes().into_iter().chain(index.to_be_bytes());
        let parts = secret.chain(place).chain(generation.to_be_bytes());
        let mut bytes = [0; SESSION_BYTES];
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        let mut text = [0; SESSION_TEXT];
        // 26 bytes always make 35 characters, so the slice always has room.
        let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or(0);
        out.extend_from_slice(text.get(..length).unwrap_or_default());
    }

    /// Reads the text; none if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; SESSION_BYTES + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (secret, place) = bytes.get(..length)?.split_first_chunk()?;
        let (shard, place) = place.split_first_chunk()?;
        let (index, place) = place.split_first_chunk()?;
        let generation = place.try_into().ok()?;
        Some(Self {
            secret: SessionId(u128::from_be_bytes(*secret)),
            shard: ShardId::from_be_bytes(*shard),
            connection: ConnectionId {
                index: u32::from_be_bytes(*index),
                generation: u32::from_be_bytes(generation),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionId, SESSION_TEXT, Session, SessionId};

    #[test]
    fn a_session_comes_back_as_it_went() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            for (shard, index, generation) in [(0, 0, 0), (1, 2, 3), (u16::MAX, u32::MAX, u32::MAX)]
            {
                let connection = ConnectionId { index, generation };
                let session = Session { secret: SessionId(bits), shard, connection };
                let mut text = Vec::new();
                session.append(&mut text);
                assert_eq!(text.len(), SESSION_TEXT);
                let text = String::from_utf8(text).unwrap();
                assert_eq!(Session::parse(&text), Some(session));
            }
        }
    }

    #[test]
    fn what_is_no_session_is_none() {
        let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(Session::parse(good).is_some());
        for bad in ["", "abc", "*", "AAAAAAAAAAAAAAAAAAAAAA", "~", "ä", &good.replace('A', "é")] {
            assert!(Session::parse(bad).is_none(), "{bad}");
        }
        for length in (0..200).filter(|length| *length != SESSION_TEXT) {
            assert!(Session::parse(&"A".repeat(length)).is_none(), "{length}");
        }
        // Bits that the encoder leaves at zero, so that one stream has one text.
        assert!(Session::parse(&good.replacen("AA", "BB", 17)).is_some());
        assert!(Session::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB").is_none());
    }
}

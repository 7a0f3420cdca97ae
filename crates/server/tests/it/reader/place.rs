//! Positions and cursors as the protocol writes them, byte by byte and without the server's code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One channel's position, with what its cursor needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first 48 bits of the hash of the channel's name.
    hash: [u8; 6],
    pub(crate) epoch: u64,
    pub(crate) offset: u64,
}

impl Place {
    /// Takes apart a cursor of one channel.
    pub(crate) fn of_cursor(cursor: &str) -> Self {
        let bytes = URL_SAFE_NO_PAD.decode(cursor.strip_prefix("~a").unwrap()).unwrap();
        let (hash, rest) = bytes.split_at(6);
        let (epoch, offset) = rest.split_at(8);
        Self {
            hash: hash.try_into().unwrap(),
            epoch: u64::from_be_bytes(epoch.try_into().unwrap()),
            offset: offset.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        }
    }

    /// The same channel and epoch at another offset.
    pub(crate) fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// The same offset in an epoch that never was.
    pub(crate) fn in_foreign_epoch(self) -> Self {
        Self { epoch: self.epoch ^ 0x0100, ..self }
    }

    /// As a cursor.
    pub(crate) fn cursor(self) -> String {
        let offset = self.offset.to_be_bytes();
        let zeros = offset.iter().take(7).take_while(|byte| **byte == 0).count();
        let bytes = [&self.hash[..], &self.epoch.to_be_bytes(), &offset[zeros..]].concat();
        format!("~a{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// As `offset.epoch`.
    pub(crate) fn position(self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let sextet = |place: u32| usize::try_from(self.epoch >> (6 * place) & 63).unwrap();
        let letter = b'a' + u8::try_from(self.epoch >> 60).unwrap();
        let rest = (0..10).rev().map(|place| char::from(DIGITS[sextet(place)]));
        let epoch: String = std::iter::once(char::from(letter)).chain(rest).collect();
        format!("{}.{epoch}", self.offset)
    }
}

#[test]
fn places_are_written_as_the_vectors_of_the_protocol_are() {
    let place = Place::of_cursor("~aGfug6ZW5agnmZ_O8yQgBAA");
    assert_eq!(place.offset, 256);
    assert_eq!(place.cursor(), "~aGfug6ZW5agnmZ_O8yQgBAA");
    assert_eq!(place.at(0).cursor(), "~aGfug6ZW5agnmZ_O8yQgA");
    assert_eq!(place.at(41).position(), "41.goJ5mfzvMkI");
}

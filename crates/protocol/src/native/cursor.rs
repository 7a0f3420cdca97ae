//! Cursors, positions and epochs in text.
//!
//! An entry is `~`, a character for its version (`a`, or `b` if the end has been seen), then in
//! base64url without padding: six bytes of the channel's hash, eight bytes of the epoch and the
//! offset in the fewest bytes, one to seven, all of them most significant first. So an entry has
//! at most 30 bytes. `~!` is the mark. A position is `offset.epoch`; an epoch one letter `a` to
//! `p` for its top four bits and ten base64url characters for the other sixty, most significant
//! first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::name::ChannelHash;
use fanfare_core::position::{Epoch, OFFSET_END, Offset, Position};

use crate::native::json::append_number;

/// The mark: something of this cursor is missing, for ever.
pub const MARK: &[u8] = b"~!";

/// Bytes of the longest entry.
pub const ENTRY_BYTES_MAX: usize = 30;

/// Why a text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It does not start with `~`.
    #[error("a cursor starts with `~`")]
    NoTilde,
    /// An entry that cannot be read.
    #[error("the cursor entry at byte {0} cannot be read")]
    Entry(usize),
}

/// A cursor as it was read, with more entries than a [`Cursor`] may keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadCursor {
    /// The entries, one for each channel; of two for one channel the last one counts.
    pub entries: Vec<CursorEntry>,
    /// Whether the mark, or an entry of a version that is not known, stands in it.
    pub marked: bool,
}

/// Appends the text of an entry.
pub fn append_entry(out: &mut Vec<u8>, entry: CursorEntry) {
    let version = if entry.ended { VERSION_ENDED } else { VERSION };
    out.extend_from_slice(&[b'~', version]);
    let [h0, h1, h2, h3, h4, h5] = entry.hash.to_bytes();
    let [e0, e1, e2, e3, e4, e5, e6, e7] = entry.position.epoch.bits().to_be_bytes();
    let offset = entry.position.offset;
    let offset_bytes = offset_bytes(offset);
    // The offset without its leading zeros, at the front of its eight bytes.
    let shift = u64::BITS - 8 * u32::try_from(offset_bytes).unwrap_or(8);
    let [o0, o1, o2, o3, o4, o5, o6, o7] = (offset << shift).to_be_bytes();
    let packed =
        [h0, h1, h2, h3, h4, h5, e0, e1, e2, e3, e4, e5, e6, e7, o0, o1, o2, o3, o4, o5, o6, o7];
    let packed = packed.get(..HASH_AND_EPOCH_BYTES + offset_bytes).unwrap_or(&packed);
    let mut text = [0; ENTRY_BYTES_MAX];
    // 22 bytes make 30 characters at most, so the slice always has room.
    let length = URL_SAFE_NO_PAD.encode_slice(packed, &mut text).unwrap_or(0);
    out.extend_from_slice(text.get(..length).unwrap_or_default());
}

/// Appends the text of a cursor: its entries, then the mark if it has it. Nothing for an empty one.
pub fn append_cursor(out: &mut Vec<u8>, cursor: &Cursor) {
    for entry in cursor.entries() {
        append_entry(out, *entry);
    }
    if cursor.marked() {
        out.extend_from_slice(MARK);
    }
}

/// The bytes that [`append_cursor`] appends.
#[must_use]
pub fn cursor_bytes(cursor: &Cursor) -> usize {
    let entries: usize = cursor
        .entries()
        .iter()
        .map(|entry| {
            let packed = HASH_AND_EPOCH_BYTES + offset_bytes(entry.position.offset);
            2 + (packed * 8).div_ceil(6)
        })
        .sum();
    entries + if cursor.marked() { MARK.len() } else { 0 }
}

/// The text of a cursor.
#[must_use]
pub fn cursor_text(cursor: &Cursor) -> String {
    let mut out = Vec::with_capacity(cursor.entries().len() * ENTRY_BYTES_MAX);
    append_cursor(&mut out, cursor);
    String::from_utf8(out).unwrap_or_default()
}

/// The text of one entry.
#[must_use]
pub fn entry_text(entry: CursorEntry) -> String {
    let mut out = Vec::with_capacity(ENTRY_BYTES_MAX);
    append_entry(&mut out, entry);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends the text of an epoch: eleven bytes.
pub fn append_epoch(out: &mut Vec<u8>, epoch: Epoch) {
    let bits = epoch.bits();
    let mut text = [b'a' + u8::try_from(bits >> 60).unwrap_or_default(); EPOCH_TEXT_BYTES];
    for (place, letter) in text.iter_mut().skip(1).rev().enumerate() {
        let six = (bits >> (place * 6)) & 0x3f;
        let found = usize::try_from(six).ok().and_then(|six| ALPHABET.get(six));
        *letter = *found.unwrap_or(&b'A');
    }
    out.extend_from_slice(&text);
}

/// Appends `offset.epoch`.
pub fn append_position(out: &mut Vec<u8>, position: Position) {
    append_number(out, position.offset);
    out.push(b'.');
    append_epoch(out, position.epoch);
}

/// The text of a position.
#[must_use]
pub fn position_text(position: Position) -> String {
    let mut out = Vec::with_capacity(28);
    append_position(&mut out, position);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads the text of an epoch.
#[must_use]
pub fn parse_epoch(text: &str) -> Option<Epoch> {
    let (first, rest) = text.as_bytes().split_first()?;
    if rest.len() != 10 || !(b'a'..=b'p').contains(first) {
        return None;
    }
    let mut bits = u64::from(first - b'a');
    for letter in rest {
        bits = bits << 6 | u64::from(six_bits(*letter)?);
    }
    // No epoch is zero, so the text of zero stands for none.
    (bits != 0).then(|| Epoch::from_bits(bits))
}

/// Reads `offset.epoch`; none if it is not one or the offset is 2^53 or more.
#[must_use]
pub fn parse_position(text: &str) -> Option<Position> {
    let (offset, epoch) = text.split_once('.')?;
    Some(Position::new(parse_offset(offset)?, parse_epoch(epoch)?))
}

/// Reads a cursor with any number of entries.
///
/// # Errors
/// [`CursorError`] for what is no cursor. An entry of a version that is not known is no error: it
/// counts as the mark does.
pub fn parse_cursor(text: &str) -> Result<ReadCursor, CursorError> {
    let (read, damaged) = read_parts(text).ok_or(CursorError::NoTilde)?;
    match damaged {
        None => Ok(read),
        Some(at) => Err(CursorError::Entry(at)),
    }
}

/// Reads what can be read of a cursor. An entry that cannot counts as the mark does, because
/// nobody knows whose it was.
///
/// # Errors
/// [`CursorError::NoTilde`] for what is no cursor at all.
pub fn parse_damaged_cursor(text: &str) -> Result<ReadCursor, CursorError> {
    let (mut read, damaged) = read_parts(text).ok_or(CursorError::NoTilde)?;
    read.marked |= damaged.is_some();
    Ok(read)
}

/// The readable entries of a cursor, and where the first unreadable one stands; none if the text
/// is no cursor at all.
fn read_parts(text: &str) -> Option<(ReadCursor, Option<usize>)> {
    let body = text.strip_prefix('~')?;
    let mut read = ReadCursor::default();
    let mut damaged = None;
    let mut places = std::collections::HashMap::new();
    let mut at = 0;
    for part in body.split('~') {
        match parse_entry(part) {
            Ok(Part::Entry(entry)) => match places.get(&entry.hash) {
                Some(place) => {
                    if let Some(known) = read.entries.get_mut(*place) {
                        *known = entry;
                    }
                }
                None => {
                    places.insert(entry.hash, read.entries.len());
                    read.entries.push(entry);
                }
            },
            Ok(Part::Mark) => read.marked = true,
            Err(Unreadable) => damaged = damaged.or(Some(at)),
        }
        at += part.len() + 1;
    }
    Some((read, damaged))
}

enum Part {
    Entry(CursorEntry),
    Mark,
}

struct Unreadable;

/// Reads what stands behind a `~`.
fn parse_entry(part: &str) -> Result<Part, Unreadable> {
    let (version, rest) = part.as_bytes().split_first().ok_or(Unreadable)?;
    let ended = match *version {
        VERSION => false,
        VERSION_ENDED => true,
        b'!' if rest.is_empty() => return Ok(Part::Mark),
        unknown
            if unknown.is_ascii_alphanumeric() && rest.iter().all(|b| six_bits(*b).is_some()) =>
        {
            return Ok(Part::Mark);
        }
        _ => return Err(Unreadable),
    };
    let mut bytes = [0; 24];
    let length = decode_base64(rest, &mut bytes).ok_or(Unreadable)?;
    if !(15..=21).contains(&length) {
        return Err(Unreadable);
    }
    let [h0, h1, h2, h3, h4, h5, e0, e1, e2, e3, e4, e5, e6, e7, offset @ ..] = bytes;
    let digits = offset.get(..length - 14).ok_or(Unreadable)?;
    // Only the shortest form is read, so that one place has one text.
    if digits.len() > 1 && digits.first() == Some(&0) {
        return Err(Unreadable);
    }
    let offset = digits.iter().fold(0_u64, |offset, digit| offset << 8 | u64::from(*digit));
    let bits = u64::from_be_bytes([e0, e1, e2, e3, e4, e5, e6, e7]);
    if offset >= OFFSET_END || bits == 0 {
        return Err(Unreadable);
    }
    Ok(Part::Entry(CursorEntry {
        hash: ChannelHash::from_bytes([h0, h1, h2, h3, h4, h5]),
        position: Position::new(offset, Epoch::from_bits(bits)),
        ended,
    }))
}

fn parse_offset(text: &str) -> Option<Offset> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let offset: Offset = digits_only.then(|| text.parse().ok()).flatten()?;
    (offset < OFFSET_END).then_some(offset)
}

/// The fewest bytes that hold an offset, at least one.
fn offset_bytes(offset: Offset) -> usize {
    usize::try_from((u64::BITS - offset.leading_zeros()).div_ceil(8)).unwrap_or(8).max(1)
}

/// Decodes base64url without padding; none unless every bit is used as the encoder would.
fn decode_base64(text: &[u8], out: &mut [u8; 24]) -> Option<usize> {
    use base64::Engine as _;
    URL_SAFE_NO_PAD.decode_slice(text, out).ok()
}

fn six_bits(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// The version of an entry.
const VERSION: u8 = b'a';

/// The version of an entry that has seen its channel's end.
const VERSION_ENDED: u8 = b'b';

/// Bytes of an entry before its offset.
const HASH_AND_EPOCH_BYTES: usize = 14;

/// Bytes of the text of an epoch.
const EPOCH_TEXT_BYTES: usize = 11;

/// RFC 4648 §5.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

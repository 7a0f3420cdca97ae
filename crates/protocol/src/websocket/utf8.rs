//! UTF-8 validation of text that arrives in pieces (RFC 6455 section 8.1).

use super::violation::Violation;

/// How far `data` is known to be whole, valid characters, given that it is up to `valid_bytes`.
///
/// At most three bytes at the end, a character not yet whole, stay open and are looked at again
/// with the next piece; a byte that cannot belong to any character is refused at once. The time
/// is linear in what lies after `valid_bytes`.
pub(super) fn extend_valid(data: &[u8], valid_bytes: usize) -> Result<usize, Violation> {
    let Some(unknown) = data.get(valid_bytes..) else {
        return Ok(valid_bytes);
    };
    match std::str::from_utf8(unknown) {
        Ok(_) => Ok(data.len()),
        Err(fault) if fault.error_len().is_none() => Ok(valid_bytes + fault.valid_up_to()),
        Err(_) => Err(Violation::TextNotUtf8),
    }
}

/// Whether `data`, known to be valid up to `valid_bytes`, is so to its end.
pub(super) fn check_whole(data: &[u8], valid_bytes: usize) -> Result<(), Violation> {
    if valid_bytes == data.len() { Ok(()) } else { Err(Violation::TextNotUtf8) }
}

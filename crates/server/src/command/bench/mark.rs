//! What stands at the beginning of every payload: which publication it is, and when it was to be
//! sent. The same 28 bytes whoever the server is, found wherever it puts them in a frame.

/// Which publication a payload belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number of its channel.
    pub(super) channel: u32,
    /// Its number in the channel, from 0.
    pub(super) number: u32,
    /// When it was to be sent, in nanoseconds of the bench's own clock.
    pub(super) nanos: u64,
}

/// What stands before the digits, and nowhere else in what a server sends.
pub(super) const TEXT: &[u8] = b"#seq=";

/// Channels that a mark can tell apart.
pub(super) const CHANNELS_MAX: u32 = 1 << (4 * CHANNEL_DIGITS);

/// Bytes of a mark, and so of the smallest payload.
pub(super) const BYTES: usize = TEXT.len() + DIGITS as usize;

impl Mark {
    /// Appends a payload of so many bytes that begins with the mark.
    pub(super) fn write(self, out: &mut Vec<u8>, payload_bytes: usize) {
        let end = out.len() + payload_bytes.max(BYTES);
        out.extend_from_slice(TEXT);
        put(out, u64::from(self.channel), CHANNEL_DIGITS);
        put(out, u64::from(self.number), NUMBER_DIGITS);
        put(out, self.nanos, NANOS_DIGITS);
        out.resize(end, b'x');
    }
}

/// Finds marks in bytes that come in pieces of any size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scanner {
    /// Bytes of the mark that have been seen.
    seen: u32,
    /// Bytes behind the last mark that belong to its payload and are passed over.
    skip: usize,
    channel: u32,
    number: u32,
    nanos: u64,
}

impl Scanner {
    /// The next mark in `bytes`, which is advanced behind it; `None` when all of them are read.
    pub(super) fn next(&mut self, bytes: &mut &[u8], payload_bytes: usize) -> Option<Mark> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        *bytes = bytes.get(skipped..).unwrap_or_default();
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Some(expected) = TEXT.get(self.seen as usize) {
                if self.seen == 0 && byte != TEXT[0] {
                    // The rest of the frame around the payload, in one step.
                    let next = rest.iter().position(|byte| *byte == TEXT[0]);
                    *bytes = next.and_then(|at| rest.get(at..)).unwrap_or_default();
                    continue;
                }
                // Only its first byte can begin a mark anew.
                self.seen =
                    if byte == *expected { self.seen + 1 } else { u32::from(byte == TEXT[0]) };
                *bytes = rest;
                continue;
            }
            *bytes = rest;
            if self.digit(byte) {
                let mark = Mark { channel: self.channel, number: self.number, nanos: self.nanos };
                *self = Self { skip: payload_bytes.saturating_sub(BYTES), ..Self::default() };
                return Some(mark);
            }
        }
        None
    }

    /// Takes a digit; says whether it was the last one. What is none ends the mark unread.
    fn digit(&mut self, byte: u8) -> bool {
        let Some(digit) = char::from(byte).to_digit(16) else {
            *self = Self { seen: u32::from(byte == TEXT[0]), ..Self::default() };
            return false;
        };
        let place = self.seen - TEXT_BYTES;
        if place < CHANNEL_DIGITS {
            self.channel = self.channel << 4 | digit;
        } else if place < CHANNEL_DIGITS + NUMBER_DIGITS {
            self.number = self.number << 4 | digit;
        } else {
            self.nanos = self.nanos << 4 | u64::from(digit);
        }
        self.seen += 1;
        place + 1 == DIGITS
    }
}

fn put(out: &mut Vec<u8>, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = (number >> (4 * place)) & 0xf;
        out.push(DIGIT[digit as usize]);
    }
}

const DIGIT: &[u8; 16] = b"0123456789abcdef";
const TEXT_BYTES: u32 = 5;
const CHANNEL_DIGITS: u32 = 4;
const NUMBER_DIGITS: u32 = 7;
/// More than three days.
const NANOS_DIGITS: u32 = 12;
const DIGITS: u32 = CHANNEL_DIGITS + NUMBER_DIGITS + NANOS_DIGITS;

#[cfg(test)]
#[path = "mark_test.rs"]
mod tests;

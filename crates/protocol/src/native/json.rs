//! Writing JSON by hand: strings, and JSON texts that stand on one line (RFC 8259).

use crate::native::scan;

/// Appends a JSON string with its quotes. Escapes what RFC 8259 §7 demands and nothing else, with
/// the short forms where there are any, byte for byte as `serde_json` does.
pub fn append_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    append_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Appends the inside of a JSON string. The bytes are UTF-8.
pub(crate) fn append_escaped(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len());
    let mut rest = text;
    while let Some(at) = scan::position(rest, scan::ends_string) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else {
            return;
        };
        match escape(*byte) {
            Some(Escape::Short(letter)) => out.extend_from_slice(&[b'\\', letter]),
            Some(Escape::Code) => {
                out.extend_from_slice(b"\\u00");
                for digit in [byte >> 4, byte & 0xf] {
                    out.push(*HEX.get(usize::from(digit)).unwrap_or(&b'0'));
                }
            }
            None => out.push(*byte),
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// Appends a JSON text with its own bytes, CR and LF replaced by spaces. Between the tokens of a
/// JSON text they are white space, and inside of its strings they cannot stand.
pub(crate) fn append_on_one_line(out: &mut Vec<u8>, json: &[u8]) {
    let start = out.len();
    out.extend_from_slice(json);
    for byte in out.iter_mut().skip(start) {
        if matches!(*byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// Appends a number.
pub fn append_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

enum Escape {
    Short(u8),
    Code,
}

fn escape(byte: u8) -> Option<Escape> {
    match byte {
        b'"' | b'\\' => Some(Escape::Short(byte)),
        0x08 => Some(Escape::Short(b'b')),
        0x09 => Some(Escape::Short(b't')),
        0x0a => Some(Escape::Short(b'n')),
        0x0c => Some(Escape::Short(b'f')),
        0x0d => Some(Escape::Short(b'r')),
        0x00..=0x1f => Some(Escape::Code),
        _ => None,
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

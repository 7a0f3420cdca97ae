//! Sizes and durations as people write them: `1 MiB`, `64KiB`, `500ms`, `2h`.
//!
//! Used for configuration values and for command-line arguments alike, so that one spelling works
//! everywhere. Knows nothing of keys or sources.

use std::time::Duration;

/// Bytes per unit, longest names first, so that a suffix search never stops at `B`.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Milliseconds per unit; `ms` comes before `m` and `s`, which it ends or starts with.
const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The periods of rates.
const RATE_UNITS: [(&str, Duration); 3] =
    [("s", Duration::from_secs(1)), ("m", Duration::from_mins(1)), ("h", Duration::from_hours(1))];

/// Reads a size in bytes: a whole number, alone or with `B`, `kB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`
/// (in any case), with or without a space. `None` for anything else and for overflow.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    parse_with_unit(text, &SIZE_UNITS, 1)
}

/// Reads a duration: a whole number with `ms`, `s`, `m`, `h` or `d`. A bare number is refused,
/// because it is anyone's guess whether it means seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    parse_with_unit(text, &DURATION_UNITS, 1).map(Duration::from_millis)
}

/// So many in every period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How many; at least 1.
    pub(crate) count: u32,
    /// In which time.
    pub(crate) per: Duration,
}

/// Reads a rate: a whole number of at least 1 in front of `/s`, `/m` or `/h`, or `off`. `None` for
/// anything else.
pub(crate) fn parse_rate(text: &str) -> Option<Option<Rate>> {
    let text = text.trim();
    if text == "off" {
        return Some(None);
    }
    let (count, unit) = text.split_once('/')?;
    let (_, per) = RATE_UNITS.into_iter().find(|(name, _)| *name == unit.trim())?;
    let count = u32::try_from(parse_count(count)?).ok().filter(|count| *count > 0)?;
    Some(Some(Rate { count, per }))
}

/// Writes a rate.
pub(crate) fn show_rate(rate: Option<Rate>) -> String {
    let Some(Rate { count, per }) = rate else {
        return "off".to_owned();
    };
    let unit = RATE_UNITS.into_iter().find(|(_, known)| *known == per);
    format!("{count}/{}", unit.map_or("s", |(name, _)| name))
}

/// Reads a count: a whole number in which `_` may group digits, as in TOML.
pub(crate) fn parse_count(text: &str) -> Option<u64> {
    let digits: String = text.trim().chars().filter(|character| *character != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Writes a size with the largest binary unit that divides it.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (name, size) in units {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{} {name}", bytes / size);
        }
    }
    bytes.to_string()
}

/// Writes a duration with the largest unit that divides it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    for (name, size) in DURATION_UNITS.iter().rev() {
        if millis >= *size && millis.is_multiple_of(*size) {
            return format!("{}{name}", millis / size);
        }
    }
    format!("{millis}ms")
}

fn parse_with_unit(text: &str, units: &[(&str, u64)], bare: u64) -> Option<u64> {
    let text = text.trim();
    let digits_end = text
        .find(|character: char| !character.is_ascii_digit() && character != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let number = parse_count(digits)?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return number.checked_mul(bare);
    }
    let (_, size) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*size)
}

#[cfg(test)]
#[path = "quantity_test.rs"]
mod tests;

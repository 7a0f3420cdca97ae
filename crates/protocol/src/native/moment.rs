//! Moments and ages as they are written in `since=`, `until=`, `ttl=` and `heartbeat=`.

use std::time::Duration;

use fanfare_core::time::UnixMillis;

/// Why a text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MomentError {
    /// A date and time without `Z` or an offset.
    NoZone,
    /// Nothing of the kind.
    Unreadable,
}

/// Reads Unix time (up to 12 digits are seconds, 13 are milliseconds) or RFC 3339. What lies
/// before 1970 is 0.
pub(crate) fn parse_moment(text: &str) -> Result<UnixMillis, MomentError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u64 = text.parse().map_err(|_range| MomentError::Unreadable)?;
        return match text.len() {
            1..=12 => Ok(number * 1_000),
            13 => Ok(number),
            _ => Err(MomentError::Unreadable),
        };
    }
    parse_rfc3339(text)
}

/// Reads an age: whole seconds, minutes, hours or days (`30s`, `10m`, `2h`, `1d`).
pub(crate) fn parse_age(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    Some(Duration::from_secs(parse_whole(number)?.saturating_mul(unit)))
}

/// Reads whole seconds, or an age.
pub(crate) fn parse_seconds(text: &str) -> Option<Duration> {
    parse_whole(text).map(Duration::from_secs).or_else(|| parse_age(text))
}

/// Reads digits alone; a number beyond what fits is the largest.
pub(crate) fn parse_whole(text: &str) -> Option<u64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 3339 §5.6. A leap second counts as the one before it. A space in place of the offset's `+`
/// is read as one, since that is what an unescaped `+` in a query becomes.
fn parse_rfc3339(text: &str) -> Result<UnixMillis, MomentError> {
    let mut scan = Scan { rest: text.as_bytes() };
    let unreadable = MomentError::Unreadable;
    let seconds = scan.date_and_time().ok_or(unreadable)?;
    let millis = scan.fraction().ok_or(unreadable)?;
    if scan.rest.is_empty() {
        return Err(MomentError::NoZone);
    }
    let offset = scan.zone().ok_or(unreadable)?;
    if !scan.rest.is_empty() {
        return Err(unreadable);
    }
    let since_epoch = (seconds - offset) * 1_000 + millis;
    Ok(UnixMillis::try_from(since_epoch).unwrap_or(0))
}

/// What is still to be read.
struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        allowed.contains(first).then_some(())?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self, digits: usize, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + i64::from(self.byte(b"0123456789")? - b'0');
        }
        bounds.contains(&number).then_some(number)
    }

    /// Seconds since 1970 as if it were in UTC.
    fn date_and_time(&mut self) -> Option<i64> {
        let year = self.number(4, 0..=9_999)?;
        self.byte(b"-")?;
        let month = self.number(2, 1..=12)?;
        self.byte(b"-")?;
        let day = self.number(2, 1..=days_in(year, month))?;
        self.byte(b"Tt ")?;
        let hour = self.number(2, 0..=23)?;
        self.byte(b":")?;
        let minute = self.number(2, 0..=59)?;
        self.byte(b":")?;
        let second = self.number(2, 0..=60)?.min(59);
        let days = days_before_year(year) - days_before_year(1970)
            + (1..month).map(|month| days_in(year, month)).sum::<i64>()
            + day
            - 1;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    }

    /// Milliseconds of the fraction, if there is one.
    fn fraction(&mut self) -> Option<i64> {
        if self.byte(b".").is_none() {
            return Some(0);
        }
        let mut millis = self.number(1, 0..=9)? * 100;
        for weight in [10, 1] {
            let Some(digit) = self.number(1, 0..=9) else {
                break;
            };
            millis += digit * weight;
        }
        while self.byte(b"0123456789").is_some() {}
        Some(millis)
    }

    /// Seconds that the zone is ahead of UTC.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.byte(b"Zz+- ")? {
            b'Z' | b'z' => return Some(0),
            b'-' => -1,
            _ => 1,
        };
        let hours = self.number(2, 0..=23)?;
        self.byte(b":")?;
        let minutes = self.number(2, 0..=59)?;
        Some(sign * (hours * 60 + minutes) * 60)
    }
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first day of year 0 to the first day of `year`.
fn days_before_year(year: i64) -> i64 {
    let leaps = |years: i64| years / 4 - years / 100 + years / 400;
    // Year 0 is itself a leap year, which the count of leap years before 1 leaves out.
    if year == 0 { 0 } else { year * 365 + leaps(year - 1) + 1 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MomentError, parse_age, parse_moment, parse_seconds};

    #[test]
    fn moments_are_read_in_every_form() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("1700000000", Ok(1_700_000_000_000)),
            ("999999999999", Ok(999_999_999_999_000)),
            ("1700000000123", Ok(1_700_000_000_123)),
            ("17000000001234", Err(MomentError::Unreadable)),
            ("1970-01-01T00:00:00Z", Ok(0)),
            ("1969-12-31T23:59:59Z", Ok(0)),
            ("0000-01-01T00:00:00Z", Ok(0)),
            ("2023-11-14T22:13:20Z", Ok(1_700_000_000_000)),
            ("2023-11-14t22:13:20.5z", Ok(1_700_000_000_500)),
            ("2023-11-14T22:13:20.123456789Z", Ok(1_700_000_000_123)),
            ("2023-11-15T00:13:20+02:00", Ok(1_700_000_000_000)),
            ("2023-11-15T00:13:20 02:00", Ok(1_700_000_000_000)),
            ("2023-11-14T17:13:20-05:00", Ok(1_700_000_000_000)),
            ("2024-02-29T00:00:00Z", Ok(1_709_164_800_000)),
            ("2000-03-01T00:00:00Z", Ok(951_868_800_000)),
            ("2016-12-31T23:59:60Z", Ok(1_483_228_799_000)),
            ("2023-02-29T00:00:00Z", Err(MomentError::Unreadable)),
            ("1900-02-29T00:00:00Z", Err(MomentError::Unreadable)),
            ("2023-13-01T00:00:00Z", Err(MomentError::Unreadable)),
            ("2023-11-14T24:00:00Z", Err(MomentError::Unreadable)),
            ("2023-11-14T22:13:20", Err(MomentError::NoZone)),
            ("2023-11-14T22:13:20.1", Err(MomentError::NoZone)),
            ("2023-11-14T22:13:20.Z", Err(MomentError::Unreadable)),
            ("2023-11-14T22:13:20Zx", Err(MomentError::Unreadable)),
            ("2023-11-14", Err(MomentError::Unreadable)),
            ("", Err(MomentError::Unreadable)),
            ("-1", Err(MomentError::Unreadable)),
        ] {
            assert_eq!(parse_moment(text), expected, "{text}");
        }
    }

    #[test]
    fn ages_have_a_unit() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("10m", Some(600)),
            ("2h", Some(7_200)),
            ("1d", Some(86_400)),
            ("0s", Some(0)),
            ("99999999999999999999d", Some(u64::MAX)),
            ("s", None),
            ("1w", None),
            ("-1s", None),
            ("1.5s", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(parse_age(text), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(parse_seconds("7"), Some(Duration::from_secs(7)));
    }
}

//! How long a certificate is valid: the one field of X.509 that rustls does not tell.

/// The begin and the end of a certificate's validity in Unix seconds (RFC 5280, section 4.1.2.5);
/// none if this is no certificate.
pub(super) fn validity(der: &[u8]) -> Option<(u64, u64)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if let Some((_version, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // The serial number, the algorithm, the issuer.
        fields = element(fields, tag)?.1;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (begin, rest) = time(validity)?;
    let (end, _) = time(rest)?;
    Some((begin, end))
}

/// The first time, and what is behind it.
fn time(der: &[u8]) -> Option<(u64, &[u8])> {
    if let Some((time, behind)) = element(der, UTC_TIME) {
        let (year, rest) = number(time, 2)?;
        return Some((seconds(if year < 50 { 2000 + year } else { 1900 + year }, rest)?, behind));
    }
    let (time, behind) = element(der, GENERALIZED_TIME)?;
    let (year, rest) = number(time, 4)?;
    Some((seconds(year, rest)?, behind))
}

/// The content of the first element, if it has this tag, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, mut rest) = rest.split_first()?;
    let mut bytes = usize::from(*length);
    if bytes >= 0x80 {
        let digits = bytes & 0x7f;
        if digits > 4 {
            return None;
        }
        let (written, behind) = rest.split_at_checked(digits)?;
        bytes = written.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = behind;
    }
    (*first == tag).then_some(())?;
    rest.split_at_checked(bytes)
}

/// The number that the first so many digits make, and what is behind them.
fn number(text: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let digit = |digit: &u8| digit.is_ascii_digit().then(|| u64::from(digit - b'0'));
    let number = digits.iter().try_fold(0, |sum, next| Some(sum * 10 + digit(next)?))?;
    Some((number, rest))
}

/// The seconds of `MMDDHHMMSSZ` in this year.
fn seconds(year: u64, rest: &[u8]) -> Option<u64> {
    let (month, rest) = number(rest, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    let (second, _) = number(rest, 2)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin with March have their leap day at the end.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(DAYS_TO_1970)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// From the first of March of the year 0 to the first of January 1970.
const DAYS_TO_1970: u64 = 719_468;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

#[cfg(test)]
mod tests {
    use super::{seconds, validity};

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(seconds(1970, b"0101000000Z"), Some(0));
        assert_eq!(seconds(2000, b"0229235959Z"), Some(951_868_799));
        assert_eq!(seconds(2026, b"1125220000Z"), Some(1_795_644_000));
        assert_eq!(seconds(9999, b"1231235959Z"), Some(253_402_300_799));
        assert_eq!(seconds(2026, b"1325220000Z"), None);
        assert_eq!(seconds(2026, b"11252200"), None);
    }

    #[test]
    fn certificates_say_when_they_expire_and_no_part_of_one_does() {
        for (year, expected) in [(2049, 2_493_072_000), (2050, 2_524_608_000)] {
            let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(1999, 12, 31);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let der = certificate.der();
            let begin = 946_598_400;
            assert_eq!(validity(der), Some((begin, expected)), "{year}");
            for end in 0..der.len() {
                // None may panic, and none may say another time.
                assert!(validity(&der[..end]).is_none_or(|found| found == (begin, expected)));
            }
        }
    }
}

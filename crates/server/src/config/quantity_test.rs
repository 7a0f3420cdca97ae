//! A size or duration read wrongly sets a limit that nobody asked for.

use std::time::Duration;

use super::{parse_bytes, parse_count, parse_duration, show_bytes, show_duration};

#[test]
fn sizes_are_read_as_people_write_them() {
    let table = [
        ("0", Some(0)),
        ("1048576", Some(1 << 20)),
        ("1_000", Some(1_000)),
        ("1 MiB", Some(1 << 20)),
        ("64KiB", Some(64 << 10)),
        ("64kib", Some(64 << 10)),
        (" 2 GiB ", Some(2 << 30)),
        ("5 kB", Some(5_000)),
        ("7B", Some(7)),
        ("", None),
        ("MiB", None),
        ("-1", None),
        ("1.5 MiB", None),
        ("1 XiB", None),
        ("18446744073709551615 GiB", None),
    ];
    for (text, expected) in table {
        assert_eq!(parse_bytes(text), expected, "{text:?}");
    }
}

#[test]
fn durations_need_a_unit() {
    let table = [
        ("500ms", Some(Duration::from_millis(500))),
        ("30s", Some(Duration::from_secs(30))),
        ("10 m", Some(Duration::from_mins(10))),
        ("2h", Some(Duration::from_hours(2))),
        ("1d", Some(Duration::from_hours(24))),
        ("0s", Some(Duration::ZERO)),
        ("30", None),
        ("", None),
        ("s", None),
        ("1w", None),
        ("1m30s", None),
    ];
    for (text, expected) in table {
        assert_eq!(parse_duration(text), expected, "{text:?}");
    }
}

#[test]
fn counts_are_whole_numbers() {
    assert_eq!(parse_count("1_000_000"), Some(1_000_000));
    assert_eq!(parse_count("_"), None);
    assert_eq!(parse_count("1e6"), None);
}

#[test]
fn what_is_shown_can_be_read_again() {
    for bytes in [0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1, 256 << 20, 3 << 30] {
        assert_eq!(parse_bytes(&show_bytes(bytes)), Some(bytes));
    }
    for millis in [0, 1, 500, 1_000, 1_500, 90_000, 86_400_000] {
        let duration = Duration::from_millis(millis);
        assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
    }
}

#[test]
fn rates_are_read_and_written() {
    use super::{Rate, parse_rate, show_rate};
    let rate = |count, seconds| Some(Rate { count, per: Duration::from_secs(seconds) });
    for (text, expected) in [
        ("off", Some(None)),
        ("1/s", Some(rate(1, 1))),
        (" 1_000 / m ", Some(rate(1_000, 60))),
        ("5/h", Some(rate(5, 3_600))),
        ("0/s", None),
        ("5", None),
        ("5/d", None),
        ("/s", None),
        ("-1/s", None),
        ("4294967296/s", None),
    ] {
        let read = parse_rate(text);
        assert_eq!(read, expected, "{text}");
        if let Some(rate) = read {
            assert_eq!(parse_rate(&show_rate(rate)), Some(rate));
        }
    }
}

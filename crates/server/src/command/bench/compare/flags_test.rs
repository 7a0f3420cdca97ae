//! What is typed wrongly is said before anything is started.

use clap::Parser;

use super::Flags;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

fn parse(words: &str) -> Result<Flags, String> {
    let words = ["compare"].into_iter().chain(words.split_whitespace());
    Line::try_parse_from(words).map(|line| line.flags).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_a_run_of_two_minutes() {
    let flags = parse("").unwrap();
    assert_eq!((flags.subscribers(), flags.size, flags.rate, flags.idle()), (100, 128, 20, 1_000));
    assert_eq!((flags.conditions().delay.as_millis(), flags.conditions().hold), (50, None));
    assert_eq!(flags.rounds(), 60);
}

#[test]
fn the_rate_is_kept_for_the_time_but_once_at_least() {
    for (words, rounds) in [("--rate 3 --for 1500ms", 4), ("--rate 1 --for 100ms", 1)] {
        assert_eq!(parse(words).unwrap().rounds(), rounds, "{words}");
    }
}

#[test]
fn what_is_held_back_is_bytes_for_a_second_at_most() {
    let hold = parse("--buffer 4KiB").unwrap().conditions().hold.unwrap();
    assert_eq!((hold.bytes, hold.time.as_secs()), (4_096, 1));
}

#[test]
fn mistakes_are_told() {
    for (words, told) in [
        ("--size 8", "a payload has from 28 bytes"),
        ("--delay 2s", "write a time up to 500ms"),
        ("--delay soon", "write a time up to 500ms"),
        ("--buffer 0", "write a number of bytes up to 1MiB"),
        ("--rate 0", "1..=1000"),
        ("--subscribers 0", "1..=10000"),
        ("--pid 1", "--url"),
    ] {
        let error = parse(words).unwrap_err();
        assert!(error.contains(told), "{words}: {error}");
    }
}

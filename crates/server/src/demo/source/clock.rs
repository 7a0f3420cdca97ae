//! The time of day, once a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::name::ChannelName;
use tokio::time::sleep;

use crate::demo::desk::{Desk, Message};

/// Publishes the time, in UTC, whenever a second begins.
pub(in crate::demo) async fn tick(desk: Desk, channel: ChannelName) {
    loop {
        let now = since_1970();
        let next = Duration::from_secs(now.as_secs() + 1);
        sleep(next.saturating_sub(now)).await;
        desk.publish(&channel, Message::text(utc(next.as_secs()))).await;
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A moment as RFC 3339 writes it. Counts days from March on, so that a leap day is a year's last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn the_time_is_right_around_leap_days_and_turns_of_the_year() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}

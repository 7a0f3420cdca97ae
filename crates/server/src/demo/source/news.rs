//! News: an item every few seconds, and now and then a notice of the system.

use std::time::Duration;

use fanfare_core::name::ChannelName;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::demo::desk::{Desk, Message};

/// How often something is published.
const EVERY: Duration = Duration::from_secs(3);

/// Every so many of them is a notice.
const NOTICE_EVERY: usize = 5;

/// Section and title.
const ITEMS: [(&str, &str); 12] = [
    ("City", "The night bus to the harbour now runs until dawn"),
    ("Science", "Divers map a reef that no chart had shown"),
    ("Weather", "Fog on the coast until noon, then a clear evening"),
    ("Culture", "The old cinema reopens with a silent film and a band"),
    ("Sport", "A last-minute goal decides the derby"),
    ("Business", "The bakery at the station doubles its ovens"),
    ("City", "Two hundred volunteers plant trees along the canal"),
    ("Science", "A telescope of schoolchildren finds a comet"),
    ("Weather", "First frost expected in the valleys tonight"),
    ("Culture", "The library lends out instruments from this week on"),
    ("Sport", "Rowers break a course record that stood for thirty years"),
    ("Business", "The ferry line orders its first electric ship"),
];

/// What the system has to say.
const NOTICES: [&str; 3] = [
    "Maintenance tonight at 23:00: readers come back by themselves and miss nothing.",
    "The archive is complete again.",
    "New: choose the sections that you follow.",
];

/// Publishes items and notices in turn, over and over.
pub(in crate::demo) async fn report(desk: Desk, channel: ChannelName) {
    for number in 1_usize.. {
        let (event, value) = piece(number);
        desk.publish(&channel, Message::json(&value).named(event)).await;
        sleep(EVERY).await;
    }
}

/// The event's name and what it says.
fn piece(number: usize) -> (&'static str, Value) {
    if number.is_multiple_of(NOTICE_EVERY) {
        let notice = NOTICES.iter().cycle().nth(number / NOTICE_EVERY - 1);
        return ("notice", json!({ "text": notice }));
    }
    let item = ITEMS.iter().cycle().nth(number - 1 - number / NOTICE_EVERY);
    let (section, title) = item.copied().unwrap_or_default();
    ("news", json!({ "number": number, "section": section, "title": title }))
}

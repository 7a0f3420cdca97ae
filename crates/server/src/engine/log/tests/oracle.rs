//! The log against SQLite: the same publications, and any question about them has the same answer.

use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::shard::{DeepStart, EngineCommand, HistoryQuery, NoPage, Order, Until};
use fanfare_core::start::Start;
use rusqlite::{Connection, params};

use super::rig::{Rig, Setup, name, payload};
use crate::engine::log::disk::SimDisk;

const CHANNELS: [&str; 3] = ["a", "b", "c"];

/// The same history in a database.
struct Oracle(Connection);

impl Oracle {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        let table =
            "CREATE TABLE publication (channel TEXT, offset INTEGER, prev INTEGER, time INTEGER,
            payload TEXT, weight INTEGER, PRIMARY KEY (channel, offset))";
        connection.execute(table, []).unwrap();
        Self(connection)
    }

    fn insert(&self, channel: &str, offset: Offset, prev: Offset, time: u64, payload: &str) {
        let weight = payload.len() + 128;
        let (offset, prev, time) = (signed(offset), signed(prev), signed(time));
        let values = params![channel, offset, prev, time, payload, i64::try_from(weight).unwrap()];
        let statement = "INSERT INTO publication VALUES (?, ?, ?, ?, ?, ?)";
        self.0.execute(statement, values).unwrap();
    }

    fn remove(&self, channel: &str) {
        self.0.execute("DELETE FROM publication WHERE channel = ?", [channel]).unwrap();
    }

    /// Everything between two offsets, as (offset, prev, payload, weight).
    fn between(
        &self,
        channel: &str,
        after: Offset,
        to: Offset,
    ) -> Vec<(Offset, Offset, String, u64)> {
        let statement = "SELECT offset, prev, payload, weight FROM publication
            WHERE channel = ? AND offset > ? AND offset <= ? ORDER BY offset";
        let mut statement = self.0.prepare(statement).unwrap();
        let values = params![channel, signed(after), signed(to)];
        let rows = statement.query_map(values, |row| {
            let (offset, prev): (i64, i64) = (row.get(0)?, row.get(1)?);
            let weight: i64 = row.get(3)?;
            Ok((unsigned(offset), unsigned(prev), row.get(2)?, unsigned(weight)))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// The offset before the first one of this time or later.
    fn since(&self, channel: &str, time: u64) -> Option<Offset> {
        let statement =
            "SELECT prev FROM publication WHERE channel = ? AND time >= ? ORDER BY offset LIMIT 1";
        self.0
            .query_row(statement, params![channel, signed(time)], |row| row.get(0))
            .ok()
            .map(unsigned)
    }
}

fn signed(number: u64) -> i64 {
    number.min(i64::MAX as u64).cast_signed()
}

fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// One question about one part of the history.
fn ask(rig: &mut Rig, oracle: &Oracle, channel: &str, epoch: Epoch) {
    let seat = rig.seat(&name(channel));
    let head = Position::new(seat.head, seat.epoch);
    let after = fastrand::u64(..=seat.head);
    let all = oracle.between(channel, 0, seat.head);
    match fastrand::u8(..3) {
        0 => {
            let bytes = fastrand::usize(..4_000);
            let page = rig.page(channel, Position::new(after, epoch), bytes);
            let (mut left, mut expected) = (bytes as u64, Vec::new());
            for (offset, prev, payload, weight) in oracle.between(channel, after, seat.head) {
                if weight > left && !expected.is_empty() {
                    break;
                }
                left = left.saturating_sub(weight);
                expected.push((offset, prev, payload));
            }
            let floor = all.first().map_or(seat.head, |first| first.1);
            match page {
                Ok(page) => {
                    let page = page.iter().map(|each| (each.offset(), each.prev, payload(each)));
                    assert_eq!(page.collect::<Vec<_>>(), expected);
                }
                Err(NoPage::Trimmed(told)) => assert!(after < floor && told == floor),
                Err(NoPage::OtherHistory) => assert!(all.is_empty()),
            }
        }
        1 => {
            let time = 1_000_000 + fastrand::u64(..400_000);
            let start = DeepStart::Since(time);
            let read = rig.next_number();
            rig.send(EngineCommand::Locate { read, channel: name(channel), start, head });
            rig.run();
            let Some(fanfare_core::shard::Completion::Located { after, .. }) = rig.answers().pop()
            else {
                panic!("no answer")
            };
            let expected = oracle.since(channel, time).unwrap_or(seat.head);
            assert!(after.is_err() || after == Ok(head.at(expected)), "{after:?} {expected}");
        }
        _ => {
            let order = if fastrand::bool() { Order::Ascending } else { Order::Descending };
            let to = fastrand::u64(..=seat.head + 2);
            let limit = fastrand::usize(1..20);
            let query = HistoryQuery {
                since: Start::After(head.at(after)),
                until: fastrand::bool().then_some(Until::Position(head.at(to))),
                limit,
                bytes: 1 << 20,
                order,
            };
            let Ok(page) = rig.history(channel, query) else {
                return assert!(all.is_empty());
            };
            let to = if query.until.is_some() { to } else { seat.head };
            let mut expected = oracle.between(channel, after, to);
            if order == Order::Descending {
                expected.reverse();
            }
            let more = expected.len() > limit;
            expected.truncate(limit);
            let told = page
                .publications
                .iter()
                .map(|each| (each.publication.offset(), each.prev, payload(&each.publication)));
            let expected: Vec<_> = expected.into_iter().map(|(a, b, c, _)| (a, b, c)).collect();
            assert_eq!(told.collect::<Vec<_>>(), expected, "{query:?}");
            assert_eq!(page.next.is_some(), more, "{query:?}");
        }
    }
}

#[test]
fn questions_have_the_answers_that_a_database_gives() {
    fastrand::seed(4);
    let setup = Setup::default();
    let (mut rig, _) = setup.open(&SimDisk::default());
    let oracle = Oracle::new();
    for _ in 0..1_500 {
        let channel = CHANNELS[fastrand::usize(..CHANNELS.len())];
        match fastrand::u8(..100) {
            0 => {
                rig.remove(channel, fastrand::u64(1..)).unwrap();
                oracle.remove(channel);
            }
            1 => {
                let disk = if fastrand::bool() { rig.kill() } else { rig.stop() };
                rig = setup.open(&disk).0;
            }
            2..50 => {
                let payload = "x".repeat(fastrand::usize(..600));
                let prev = rig.seat(&name(channel)).head;
                let offset = rig.publish(channel, &payload).unwrap();
                oracle.insert(channel, offset, prev, rig.unix(), &payload);
                setup.wait(fastrand::u64(..500));
            }
            _ => {
                let epoch = rig.seat(&name(channel)).epoch;
                ask(&mut rig, &oracle, channel, epoch);
            }
        }
    }
}

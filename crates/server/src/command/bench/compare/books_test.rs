//! Books that forgive too much would say "0 lost" of anything.

use super::Books;
use crate::command::bench::compare::reader::Came;
use crate::command::bench::mark::Mark;

fn came(number: u32, due: u64, whole: u64) -> Came {
    Came { mark: Mark { channel: 0, number, nanos: due }, first: whole, whole }
}

#[test]
fn what_did_not_come_is_lost_also_at_the_end() {
    let books = Books::new(2);
    let mut entries = books.open();
    for number in 0..3 {
        entries.enter(0, came(number, 0, 10));
    }
    // The other one lacks one in the middle and one at the end, and has one twice.
    for number in [0, 2, 2] {
        entries.enter(1, came(number, 0, 10));
    }
    entries.expect(4);
    assert!(!entries.is_complete());
    let tally = entries.tally();
    assert_eq!((tally.expected, tally.delivered, tally.lost), (8, 5, 3));
    assert_eq!((tally.doubled, tally.reordered), (1, 0));
}

#[test]
fn a_place_stands_once_however_often_it_comes_back() {
    let books = Books::new(2);
    let mut entries = books.open();
    entries.stand(0);
    entries.stand(0);
    assert_eq!(entries.standing(), 1);
    entries.stand(1);
    assert_eq!(entries.standing(), 2);
}

#[test]
fn resumed_is_who_has_what_was_published_after_the_cut() {
    let books = Books::new(2);
    let mut entries = books.open();
    entries.cut(1_000, 1_200);
    // Due before all were cut: it may have come over the old connection.
    entries.enter(0, came(0, 1_100, 1_300));
    assert_eq!(entries.resumed(), 0);
    entries.enter(0, came(1, 1_200, 1_500));
    entries.enter(0, came(2, 1_400, 1_600));
    entries.enter(1, came(0, 1_100, 2_000));
    entries.enter(1, came(1, 1_200, 2_000));
    assert_eq!(entries.resumed(), 2);
    assert_eq!(entries.resumptions(), [500, 1_000]);
    assert_eq!(entries.resumed(), 0, "the next cut begins anew");
}

#[test]
fn delays_count_from_when_a_publication_was_due() {
    let books = Books::new(1);
    let mut entries = books.open();
    entries.enter(0, came(0, 100, 5_000));
    entries.record().unwrap();
    entries.enter(0, came(1, 1_000, 3_000));
    // The same again says nothing about delays.
    entries.enter(0, came(1, 1_000, 9_000));
    let delays = entries.recorded().unwrap();
    assert_eq!((delays.at(0.0), delays.at(1.0)), (2_000, 2_000));
}

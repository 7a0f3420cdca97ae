//! What is lost, comes twice or out of order is counted as what it is.

use super::{Ledger, Tally};

fn after(numbers: &[u32], published: u64) -> Tally {
    let mut ledger = Ledger::default();
    ledger.extend(1);
    ledger.expect(published);
    for number in numbers {
        ledger.enter(0, *number);
    }
    ledger.tally()
}

#[test]
fn everything_once_and_in_order_is_clean() {
    let tally = after(&[0, 1, 2, 3], 4);
    assert!(tally.is_clean(), "{tally:?}");
    assert_eq!((tally.expected, tally.delivered), (4, 4));
}

#[test]
fn what_does_not_come_is_lost_in_the_middle_and_at_the_end() {
    let tally = after(&[0, 2, 3], 5);
    assert_eq!(tally, Tally { expected: 5, delivered: 3, lost: 2, ..Tally::default() });
    assert!(!tally.is_clean());
}

#[test]
fn what_comes_again_is_doubled_and_delivered_once() {
    let tally = after(&[0, 1, 1, 0, 2], 3);
    assert_eq!(tally, Tally { expected: 3, delivered: 3, doubled: 2, ..Tally::default() });
    assert!(!tally.is_clean());
}

#[test]
fn what_comes_late_is_reordered_and_neither_lost_nor_doubled() {
    let tally = after(&[0, 3, 1, 2, 4, 2], 5);
    let wanted = Tally { expected: 5, delivered: 5, reordered: 2, doubled: 1, ..Tally::default() };
    assert_eq!(tally, wanted);
}

#[test]
fn a_place_that_nobody_has_is_stray() {
    let mut ledger = Ledger::default();
    ledger.extend(2);
    assert!(!ledger.enter(2, 0));
    assert!(ledger.enter(1, 0));
    assert_eq!(ledger.tally().stray, 1);
}

#[test]
fn who_comes_in_between_begins_with_what_comes_first() {
    let mut ledger = Ledger::default();
    ledger.extend(3);
    ledger.enter(1, 0);
    ledger.enter(1, 2);
    ledger.begin_anywhere(1..2);
    for number in [17, 18, 20] {
        assert!(ledger.enter(1, number));
    }
    let tally = ledger.tally_by_numbers();
    assert_eq!((tally.expected, tally.delivered, tally.lost), (6, 5, 1));
}

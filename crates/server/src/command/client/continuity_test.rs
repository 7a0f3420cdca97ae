//! "0 missed" must never be said when something was.

use super::{Continuity, Verdict, missed};
use crate::command::client::frame::Gap;
use crate::command::client::message::Message;

fn message(channel: &str, offset: u64, prev: u64, epoch: &str) -> Message {
    let json = format!(
        r#"{{"channel":"{channel}","offset":{offset},"prev":{prev},"epoch":"{epoch}","data":1}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn gap(from: Option<&str>, to: Option<&str>) -> Gap {
    Gap {
        channel: "a".to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        reason: "trimmed".to_owned(),
        cursor: None,
    }
}

#[test]
fn what_follows_is_continuous_and_what_does_not_is_said() {
    let mut continuity = Continuity::default();
    assert_eq!(continuity.message(&message("a", 7, 3, "e1")), Verdict::Continuous);
    assert_eq!(continuity.message(&message("a", 8, 7, "e1")), Verdict::Continuous);
    assert_eq!(continuity.message(&message("b", 1, 0, "e1")), Verdict::Continuous);
    assert_eq!(continuity.message(&message("a", 8, 7, "e1")), Verdict::Duplicate);
    // Offsets may be sparse, and the one before may have expired.
    assert_eq!(continuity.message(&message("a", 20, 5, "e1")), Verdict::Continuous);
    assert!(matches!(continuity.message(&message("a", 23, 22, "e1")), Verdict::Untold(_)));
    assert_eq!(continuity.message(&message("a", 24, 23, "e1")), Verdict::Continuous);
    assert!(matches!(continuity.message(&message("a", 30, 24, "e2")), Verdict::Untold(_)));
}

#[test]
fn what_is_skipped_where_that_was_declared_is_no_loss() {
    let open = |json| serde_json::from_str(json).unwrap();
    let mut continuity = Continuity::default();
    continuity.opened(&open(
        r#"{"channels":[{"channel":"a","cursor":"~a"},{"channel":"b","cursor":"~b","policy":"recover"}],
            "policy":"latest","max_rate":5}"#,
    ));
    for channel in ["a", "b"] {
        assert_eq!(continuity.message(&message(channel, 7, 3, "e1")), Verdict::Continuous);
    }
    assert_eq!(continuity.message(&message("a", 20, 19, "e1")), Verdict::Skipped);
    assert_eq!(continuity.message(&message("a", 21, 20, "e1")), Verdict::Continuous);
    assert_eq!(continuity.message(&message("a", 12, 11, "e1")), Verdict::Duplicate);
    assert!(matches!(continuity.message(&message("a", 30, 21, "e2")), Verdict::Untold(_)));
    assert!(matches!(continuity.message(&message("b", 20, 19, "e1")), Verdict::Untold(_)));
    // The next stream declares anew.
    continuity.opened(&open(r#"{"channels":[{"channel":"a","cursor":"~a"}],"policy":"recover"}"#));
    assert!(matches!(continuity.message(&message("a", 40, 39, "e2")), Verdict::Untold(_)));
}

#[test]
fn after_a_told_gap_the_next_message_must_follow_its_end() {
    let mut continuity = Continuity::default();
    continuity.message(&message("a", 1, 0, "e1"));
    continuity.gap(&gap(Some("1.e1"), Some("9.e2")));
    assert_eq!(continuity.message(&message("a", 10, 9, "e2")), Verdict::Continuous);
    continuity.gap(&gap(Some("10.e2"), Some("12.e2")));
    assert!(matches!(continuity.message(&message("a", 15, 14, "e2")), Verdict::Untold(_)));
    continuity.gap(&gap(None, None));
    assert_eq!(continuity.message(&message("a", 90, 80, "e3")), Verdict::Continuous);
}

#[test]
fn a_live_only_message_proves_nothing() {
    let mut continuity = Continuity::default();
    let live = serde_json::from_str(r#"{"channel":"a","epoch":"e1","data":1}"#).unwrap();
    assert_eq!(continuity.message(&live), Verdict::Unplaced);
}

#[test]
fn a_gap_says_how_many_only_within_one_epoch() {
    assert_eq!(missed(&gap(Some("3.e1"), Some("9.e1"))), Some(6));
    assert_eq!(missed(&gap(Some("3.e1"), Some("9.e2"))), None);
    assert_eq!(missed(&gap(None, Some("9.e2"))), None);
}

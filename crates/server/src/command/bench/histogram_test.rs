//! Histograms tell what was put into them.

use super::Latencies;

#[test]
fn percentiles_are_those_of_what_was_recorded() {
    let mut latencies = Latencies::new().unwrap();
    for micros in 1..=10_000_u64 {
        latencies.record(micros * 1_000);
    }
    let pairs = [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 1e4)];
    for (share, wanted) in pairs {
        let told = latencies.at(share) as f64 / 1_000.0;
        assert!((told - wanted).abs() / wanted < 0.002, "{told} for {wanted}");
    }
}

#[test]
fn what_takes_longer_than_there_is_room_for_is_not_lost() {
    let mut latencies = Latencies::new().unwrap();
    latencies.record(u64::MAX);
    latencies.record(0);
    assert!(latencies.at(0.5) <= 1);
    assert!(latencies.at(1.0) >= 60_000_000_000);
}

#[test]
fn sums_hold_everything_of_both() {
    let (mut one, mut other) = (Latencies::new().unwrap(), Latencies::new().unwrap());
    one.record(1_000);
    other.record(9_000_000);
    one.add(&other).unwrap();
    assert_eq!(one.at(0.5), 1_000);
    assert!(one.at(1.0) >= 8_990_000);
}

#[test]
fn a_curve_rises_and_ends_where_there_are_no_more() {
    let mut latencies = Latencies::new().unwrap();
    for nanos in 1..=1_000_u64 {
        latencies.record(nanos * 1_000);
    }
    let line = latencies.curve("x");
    assert!(line.points.len() >= 30, "{}", line.points.len());
    assert!(line.points.windows(2).all(|two| two[0].1 <= two[1].1 && two[0].0 < two[1].0));
    assert!(line.points.last().unwrap().0 <= 1_000.1);
}

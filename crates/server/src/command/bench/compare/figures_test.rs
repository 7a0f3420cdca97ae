//! The check that C, R and P add up to T means something only if it can fail.

use super::{Sum, Times, quantile};

fn times(microseconds: &[u64]) -> Times {
    let nanos: Vec<_> = microseconds.iter().map(|time| time * 1_000).collect();
    Times::of(&nanos).unwrap()
}

/// The same of ninety newcomers.
fn many(microseconds: [u64; 3]) -> Times {
    times(&microseconds.repeat(30))
}

#[test]
fn quantiles_lie_between_their_neighbours() {
    let sorted = [1.0, 2.0, 3.0, 4.0];
    for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.75, 3.25), (1.0, 4.0)] {
        assert_eq!(quantile(&sorted, share), Some(expected), "{share}");
    }
    assert_eq!(quantile(&[7.0], 0.75), Some(7.0));
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn times_are_told_in_milliseconds_and_in_any_order() {
    let times = times(&[3_000, 1_000, 2_000, 5_000, 4_000]);
    assert_eq!((times.lower, times.median, times.upper), (2.0, 3.0, 4.0));
    assert_eq!((times.greatest, times.count), (5.0, 5));
    assert_eq!(Times::of(&[]), None);
}

#[test]
fn parts_add_up_within_what_they_vary_and_not_beyond() {
    let connect = many([9_000, 10_000, 11_000]);
    let transfer = many([1_000, 1_000, 1_000]);
    let push = many([4_000, 5_000, 6_000]);
    let parts = [&connect, &transfer, &push];
    // The spreads are 2, 0, 2 and 2: four standard errors of so many are 0.39 of the root of 12.
    let sum = Sum::of(parts, &many([16_400, 17_400, 18_400]));
    assert!((sum.sum - 16.0).abs() < 1e-9 && (sum.difference - 1.4).abs() < 1e-9, "{sum:?}");
    let error = 12_f64.sqrt() * 3.7 / 90_f64.sqrt() + 0.1;
    assert!((sum.error - error).abs() < 1e-9, "{sum:?}");
    assert!(sum.adds_up);
    assert!(!Sum::of(parts, &many([16_500, 17_500, 18_500])).adds_up);
    assert!(!Sum::of(parts, &many([13_500, 14_500, 15_500])).adds_up);
    // However many there are, three tenths of it.
    let part = times(&[0, 1_000].repeat(5_000));
    let sum = Sum::of([&part; 3], &part);
    assert!((sum.error - (2.0 * 0.3 + 0.1)).abs() < 1e-9, "{sum:?}");
}

#[test]
fn few_times_may_differ_by_more() {
    let part = times(&[9_000, 9_500, 10_000, 10_500, 11_000]);
    let none = times(&[0; 5]);
    let sum = Sum::of([&part, &none, &none], &part);
    // Two spreads of 1, and four standard errors of a median of five.
    assert!((sum.error - (2_f64.sqrt() * 3.7 / 5_f64.sqrt() + 0.1)).abs() < 1e-9, "{sum:?}");
}

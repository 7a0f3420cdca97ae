//! Medians, ratios and slopes.

use super::{Series, Spread, per, slope};

#[test]
fn a_spread_is_told_by_its_median_and_its_ends() {
    let spread = Series(vec![5.0, 1.0, 3.0]).spread().unwrap();
    assert_eq!(spread, Spread { median: 3.0, least: 1.0, greatest: 5.0 });
    assert_eq!(Series(vec![1.0, 2.0, 4.0, 9.0]).spread().unwrap().median, 3.0);
    assert_eq!(Series::default().spread(), None);
}

#[test]
fn a_ratio_is_taken_within_each_round() {
    let ratio = Series(vec![2.0, 9.0]).over(&Series(vec![1.0, 3.0]));
    assert_eq!(ratio, Series(vec![2.0, 3.0]));
}

#[test]
fn a_slope_is_that_of_the_line_that_fits_best() {
    let rising: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 7.0)).collect();
    assert!((slope(&rising).unwrap() - 3.0).abs() < 1e-9);
    assert_eq!(slope(&[(1.0, 1.0)]), None);
    assert_eq!(slope(&[(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]), Some(0.0));
}

#[test]
fn nothing_is_divided_by_nothing() {
    assert_eq!(per(10, 0), 10.0);
    assert_eq!(per(10, 4), 2.5);
}

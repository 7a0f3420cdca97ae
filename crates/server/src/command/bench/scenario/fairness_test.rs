//! The server's own histogram, as a scrape tells it.

use super::{buckets, p99};

fn scrape(counts: [u32; 3]) -> String {
    let [one, ten, all] = counts;
    format!(
        "# TYPE fanfare_publish_to_write_seconds histogram\n\
         fanfare_publish_to_write_seconds_bucket{{le=\"0.001\",transport=\"ndjson\"}} {one}\n\
         fanfare_publish_to_write_seconds_bucket{{le=\"0.01\",transport=\"ndjson\"}} {ten}\n\
         fanfare_publish_to_write_seconds_bucket{{le=\"+Inf\",transport=\"ndjson\"}} {all}\n\
         fanfare_publish_to_write_seconds_bucket{{le=\"0.001\",transport=\"sse\"}} 7000\n"
    )
}

#[test]
fn a_p99_is_that_of_what_was_counted_in_between_for_this_transport() {
    let before = buckets(&scrape([50, 50, 90]));
    let after = buckets(&scrape([100, 150, 190]));
    assert_eq!(p99(&before, &after), Some(10.0));
    assert_eq!(p99(&before, &before), None);
}

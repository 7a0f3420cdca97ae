//! A scrape names what was counted, in the format that Prometheus reads.

use fanfare_core::code::Code;

use super::sample::{Sample, Value, text};
use super::{Delays, EdgeCells, Refusals, Transport};

#[test]
fn delays_fall_into_the_bucket_whose_bound_holds_them() {
    let mut delays = Delays::default();
    for millis in [0, 1, 2, 3, 10_000, 10_001] {
        delays.observe(millis);
    }
    let mut twice = delays.clone();
    twice.add(&delays);
    assert_eq!(twice.count(), 12);
    assert!((twice.sum() - 40.014).abs() < 1e-9);
    let buckets = delays.buckets();
    assert_eq!(buckets.first(), Some(&(0.001, 2)));
    assert_eq!(buckets.get(1), Some(&(0.002, 1)));
    assert_eq!(buckets.get(12), Some(&(10.0, 1)));
    assert_eq!(buckets.last(), Some(&(f64::MAX, 1)));
}

#[test]
fn the_text_is_what_a_scraper_reads() {
    let mut delays = Delays::default();
    delays.observe(1);
    delays.observe(2);
    let samples = vec![
        Sample {
            name: "fanfare_connections",
            help: "Open connections",
            value: Value::Gauges("transport", vec![("sse".to_owned(), 3)]),
        },
        Sample {
            name: "fanfare_gaps",
            help: "Gaps",
            value: Value::Counters("reason", vec![("slow".to_owned(), 1)]),
        },
        Sample {
            name: "fanfare_delay_seconds",
            help: "Delays",
            value: Value::Delays("transport", vec![("sse".to_owned(), delays)]),
        },
    ];
    let text = text(samples).unwrap();
    for line in [
        "# TYPE fanfare_connections gauge",
        "fanfare_connections{transport=\"sse\"} 3",
        "fanfare_gaps_total{reason=\"slow\"} 1",
        "fanfare_delay_seconds_bucket{le=\"0.001\",transport=\"sse\"} 1",
        "fanfare_delay_seconds_bucket{le=\"0.002\",transport=\"sse\"} 2",
        "fanfare_delay_seconds_bucket{le=\"+Inf\",transport=\"sse\"} 2",
        "fanfare_delay_seconds_count{transport=\"sse\"} 2",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_connection_is_counted_as_what_it_is() {
    let cells = EdgeCells::new();
    let connection = cells.enter(Transport::Http);
    assert_eq!(cells.connections(Transport::Http), 1);
    let stream = cells.enter(Transport::Sse);
    assert_eq!(cells.connections(Transport::Http), 0);
    assert_eq!(cells.connections(Transport::Sse), 1);
    drop(stream);
    assert_eq!(cells.connections(Transport::Sse), 0);
    assert_eq!(cells.connections(Transport::Http), 1);
    drop(connection);
    assert_eq!(cells.connections(Transport::Http), 0);
}

#[test]
fn refusals_of_shards_and_edge_add_up_by_code() {
    let cells = EdgeCells::new();
    cells.refused(Code::Overloaded);
    let mut refusals = Refusals::default();
    refusals.count(Code::Overloaded);
    refusals.raise(Code::ConnectionsFull, 2);
    refusals.add(cells.refusals());
    let told: Vec<_> = refusals.named().filter(|(_, count)| *count > 0).collect();
    assert_eq!(told, [("connections-full", 2), ("overloaded", 2)]);
}

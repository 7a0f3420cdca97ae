//! What stands in the table is what was measured, in the column where it belongs.

use super::super::{Report, Settings};
use super::{both, time, write};
use crate::command::bench::compare::cell::{Cell, Resumed, Steady};
use crate::command::bench::compare::figures::{Sum, Times};
use crate::command::bench::compare::kind::Kind;
use crate::command::bench::ledger::Tally;
use crate::command::bench::report::Machine;

fn times(median: f64) -> Times {
    Times { median, lower: median, upper: median, greatest: median * 2.0, count: 40 }
}

/// A report whose figures tell its cells apart.
pub(in crate::command::bench::compare) fn report() -> Report {
    let cell = |number: f64, route, kind| {
        let (connect, transfer, push) = (times(number), times(0.01), times(number * 2.0));
        let total = times(number * 3.0);
        let steady = Steady {
            connect,
            transfer,
            push,
            total,
            sum: Sum::of([&connect, &transfer, &push], &total),
            delivery_p50: number + 0.5,
            delivery_p99: number + 0.99,
            bytes_down: number + 200.0,
            bytes_up: number + 100.0,
            cpu: Some(number + 5.0),
            memory: (kind != Kind::Poll).then_some(number + 300.0),
            tally: Tally { expected: 6_000, delivered: 6_000, ..Tally::default() },
            gaps: 0,
        };
        let resumed = Resumed {
            fin: times(7.0),
            reset: times(8.0),
            silence: times(7_500.0),
            ..Resumed::default()
        };
        Cell::new((route, kind), steady, resumed)
    };
    let kinds = || (1_u8..).map(f64::from).zip(Kind::ALL);
    let direct = kinds().map(|(number, kind)| cell(number, "direct", kind));
    let proxy = kinds().map(|(number, kind)| cell(number * 100.0, "proxy", kind));
    Report {
        command: "fanfare compare --note a<b".to_owned(),
        version: "0.0.0",
        machine: Machine {
            cores: 2,
            processor: "a processor".to_owned(),
            kernel: "6".to_owned(),
            load: "0 0 0".to_owned(),
        },
        settings: Settings {
            subscribers: 100,
            payload_bytes: 128,
            rate: 20,
            delay_each_way: 50.0,
            buffer_bytes: None,
            steady_seconds: 3.0,
            idle: 1_000,
            newcomers: 40,
            heartbeat_seconds: 5,
            patience_seconds: 7.5,
        },
        cells: direct.chain(proxy).collect(),
        notes: vec!["something to know".to_owned()],
        seconds: 90.0,
    }
}

#[test]
fn every_transport_has_its_column_on_every_route() {
    let text = write(&report());
    let line = |name: &str, place: usize| {
        let found = text.lines().filter(|line| line.trim_start().starts_with(name)).nth(place);
        found.unwrap().split_whitespace().rev().take(4).collect::<Vec<_>>()
    };
    assert_eq!(line("direct", 0), ["long-poll", "NDJSON", "SSE", "WebSocket"]);
    assert_eq!(line("proxy, 50 ms each way", 0), ["long-poll", "NDJSON", "SSE", "WebSocket"]);
    assert_eq!(line("C, to connect", 0), ["4.000", "3.000", "2.000", "1.000"]);
    assert_eq!(line("C, to connect", 1), ["400.0", "300.0", "200.0", "100.0"]);
    assert_eq!(line("server CPU", 0), ["9.0", "8.0", "7.0", "6.0"]);
    assert_eq!(line("user memory", 0), ["-", "303", "302", "301"]);
    assert_eq!(line("lost", 1), ["0"; 4]);
    assert!(text.contains("note: something to know\n90 s\n"), "{text}");
    assert!(text.contains("a client bears 7.5 s of silence"), "{text}");
}

#[test]
fn times_have_as_many_digits_as_mean_something() {
    for (milliseconds, told) in
        [(0.0123, "0.012"), (9.99, "9.990"), (12.345, "12.35"), (251.26, "251.3"), (-0.2, "-0.200")]
    {
        assert_eq!(time(milliseconds), told);
    }
    assert_eq!(both(&times(7.5)), "7.500 (15.00)");
}

#[test]
fn the_report_for_machines_has_every_figure_of_every_cell() {
    let report = serde_json::to_value(report()).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 8);
    for cell in cells {
        for time in ["connect", "transfer", "push", "total", "resumed_after_silence"] {
            assert!(cell[time]["median"].is_f64(), "{time}: {cell}");
        }
        assert!(cell["sum"]["adds_up"].is_boolean() && cell["tally"]["lost"].is_u64(), "{cell}");
    }
    assert_eq!(cells[3]["transport"], "poll");
    assert_eq!(cells[4]["route"], "proxy");
}

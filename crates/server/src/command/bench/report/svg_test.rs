//! Charts: where things lie, and that a page is whole.

use super::{Scale, short, step, write};
use crate::command::bench::report::{Axis, Chart, Line, Machine, Report, Section};

fn axis(logarithmic: bool) -> Axis {
    Axis { label: "a <b> & c".to_owned(), logarithmic }
}

fn report(lines: Vec<Line>) -> Report {
    let title = "latency".to_owned();
    let chart = Chart { title, x: axis(true), y: axis(false), lines };
    let section =
        Section { title: String::new(), rows: Vec::new(), charts: vec![chart.clone(), chart] };
    Report {
        command: "fanfare bench latency".to_owned(),
        version: "0",
        machine: Machine::here(),
        sections: vec![section],
        tallies: Vec::new(),
        notes: Vec::new(),
        seconds: 1.0,
    }
}

#[test]
fn a_page_has_every_chart_and_every_line_and_is_escaped() {
    let points = vec![(1.0, 10.0), (10.0, 20.0), (100.0, 400.0)];
    let line = |name: &str| Line { name: name.to_owned(), points: points.clone() };
    let page = write(&report(vec![line("Fanfare"), line("floor")])).unwrap();
    assert!(page.starts_with("<svg ") && page.ends_with("</svg>\n"));
    assert_eq!(page.matches("<polyline").count(), 4);
    assert_eq!(page.matches("<circle").count(), 12);
    assert!(page.contains("a &lt;b&gt; &amp; c"));
    assert!(!page.contains("NaN"), "{page}");
}

#[test]
fn charts_without_places_and_reports_without_charts_do_no_harm() {
    let page = write(&report(vec![Line { name: "none".to_owned(), points: Vec::new() }])).unwrap();
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    let mut without = report(Vec::new());
    without.sections.clear();
    assert_eq!(write(&without), None);
}

#[test]
fn scales_begin_and_end_at_round_numbers() {
    let scale = Scale::new(&axis(true), &[3.0, 700.0], 0.0, 300.0);
    assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
    assert!((scale.place(10.0) - 100.0).abs() < 1e-6);
    let scale = Scale::new(&axis(false), &[12.0, 87.0], 100.0, 0.0);
    assert_eq!((scale.least, scale.greatest), (0.0, 100.0));
    assert!((scale.place(50.0) - 50.0).abs() < 1e-6);
}

#[test]
fn steps_and_numbers_are_round() {
    assert_eq!(step(100.0), 20.0);
    assert_eq!(step(7.0), 1.0);
    assert_eq!(step(0.0), 1.0);
    let pairs = [(0.0, "0"), (0.5, "0.5"), (19_000.0, "19 k"), (2e6, "2 M"), (0.001, "1e-3")];
    for (number, text) in pairs {
        assert_eq!(short(number), text);
    }
}

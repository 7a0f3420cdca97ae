//! The report as one SVG page: for each route a bar of C, P and R beside T for each transport, and
//! the whole table.

use super::Report;
use super::cell::Cell;
use super::table::{Row, routes, rows};
use crate::command::bench::report::svg::{COLOURS, HEADER, Page, WIDTH};

/// The page.
pub(super) fn write(report: &Report) -> String {
    let heights = routes(&report.cells).map(height);
    let told = report.settings.told();
    let notes = NOTE * (told.len() + report.notes.len()) as f64;
    let mut page = Page::begin(report.heading(), HEADER + heights.sum::<f64>() + notes + GAP);
    let mut top = HEADER;
    for text in told.iter().chain(&report.notes) {
        page.text(LEFT, top + NOTE * 0.7, "start", text);
        top += NOTE;
    }
    for cells in routes(&report.cells) {
        route(&mut page, &report.settings.route(cells), cells, top);
        top += height(cells);
    }
    page.end()
}

/// The height of a route's part.
fn height(cells: &[Cell]) -> f64 {
    TITLE + cells.len() as f64 * BAR + LEGEND + (rows(cells).len() + 1) as f64 * ROW + GAP
}

fn route(page: &mut Page, title: &str, cells: &[Cell], top: f64) {
    page.put(&format!(
        r##"<text x="{LEFT}" y="{}" font-size="15" font-weight="600">{title}</text>"##,
        top + 30.0
    ));
    let reach = |cell: &Cell| cell.steady.total.median.max(cell.steady.sum.sum);
    let greatest = cells.iter().map(reach).fold(f64::MIN_POSITIVE, f64::max);
    let mut at = top + TITLE;
    for cell in cells {
        bar(page, cell, at, (WIDTH - BARS - RIGHT) / greatest);
        at += BAR;
    }
    for (number, name) in ["C, to connect", "P, push delay", "R, to transfer"].iter().enumerate() {
        let x = BARS + 150.0 * number as f64;
        page.put(&rectangle((x, at + 6.0), (12.0, 12.0), COLOURS[number]));
        page.text(x + 18.0, at + 16.0, "start", name);
    }
    page.text(BARS + 450.0, at + 16.0, "start", "| T, by a watch of its own");
    at += LEGEND;
    let names = cells.iter().map(|cell| cell.transport.name().to_owned()).collect();
    line(page, &Row { name: "", unit: "", figures: names }, at);
    for row in rows(cells) {
        at += ROW;
        line(page, &row, at);
    }
}

/// The bar of one transport, with T as a stroke.
fn bar(page: &mut Page, cell: &Cell, top: f64, scale: f64) {
    let steady = &cell.steady;
    page.text(BARS - 8.0, top + 17.0, "end", cell.transport.name());
    let parts = [steady.connect.median, steady.push.median, steady.transfer.median];
    let mut from = BARS;
    for (part, colour) in parts.iter().zip(COLOURS) {
        let width = part * scale;
        page.put(&rectangle((from, top + 4.0), (width, BAR - 10.0), colour));
        from += width;
    }
    let total = BARS + steady.total.median * scale;
    page.put(&rectangle((total - 1.0, top), (2.0, BAR - 2.0), "#000000"));
    let told = format!("{:.2} ms", steady.total.median);
    page.text(total.max(from) + 8.0, top + 17.0, "start", &told);
}

fn rectangle((x, y): (f64, f64), (width, height): (f64, f64), colour: &str) -> String {
    format!(
        r##"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"##
    )
}

/// A line of the table.
fn line(page: &mut Page, row: &Row, at: f64) {
    let unit = if row.unit.is_empty() { String::new() } else { format!(", {}", row.unit) };
    page.text(LEFT, at + 14.0, "start", &format!("{}{unit}", row.name));
    for (number, figure) in row.figures.iter().enumerate() {
        page.text(COLUMN * (number + 1) as f64 + NAMES, at + 14.0, "end", figure);
    }
}

const LEFT: f64 = 20.0;
const BARS: f64 = 110.0;
/// Room for the number behind the longest bar.
const RIGHT: f64 = 100.0;
const TITLE: f64 = 44.0;
const BAR: f64 = 28.0;
const LEGEND: f64 = 34.0;
const ROW: f64 = 19.0;
const GAP: f64 = 16.0;
const NOTE: f64 = 18.0;
/// Where the columns of the table begin, and how far they are apart.
const NAMES: f64 = 250.0;
const COLUMN: f64 = 145.0;

#[cfg(test)]
#[path = "page_test.rs"]
mod tests;

//! Charts as one SVG page: axes, lines and a legend, and nothing that needs a library.

use std::fmt::Write as _;

use super::{Axis, Chart, Heading, Line, Report};

/// All charts of a report below one another; `None` if it has none.
pub(crate) fn write(report: &Report) -> Option<String> {
    let charts: Vec<&Chart> = report.sections.iter().flat_map(|section| &section.charts).collect();
    if charts.is_empty() {
        return None;
    }
    let mut page = Page::begin(Heading::of(report), HEADER + HEIGHT * charts.len() as f64);
    for (number, chart) in charts.into_iter().enumerate() {
        page.chart(chart, HEADER + HEIGHT * number as f64);
    }
    Some(page.end())
}

/// A page that is being drawn.
#[derive(Debug)]
pub(crate) struct Page(String);

/// Where the numbers of an axis lie on the page.
struct Scale {
    logarithmic: bool,
    least: f64,
    greatest: f64,
    from: f64,
    to: f64,
}

impl Page {
    /// Begins a page of this height.
    pub(crate) fn begin(heading: Heading<'_>, height: f64) -> Self {
        let Heading { command, version, machine } = heading;
        let mut page = Self(String::new());
        page.put(&format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">"##
        ));
        page.put(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##);
        page.text(20.0, 24.0, "start", &shortened(&format!("fanfare {version}: {command}")));
        page.text(
            20.0,
            42.0,
            "start",
            &format!("{} cores ({}), Linux {}", machine.cores, machine.processor, machine.kernel),
        );
        page
    }

    /// The whole page.
    pub(crate) fn end(mut self) -> String {
        self.put("</svg>");
        self.0
    }

    fn chart(&mut self, chart: &Chart, top: f64) {
        let across = |pick: fn(&(f64, f64)) -> f64| {
            chart.lines.iter().flat_map(|line| &line.points).map(pick).collect::<Vec<_>>()
        };
        let (left, right) = (LEFT, WIDTH - RIGHT);
        let (upper, lower) = (top + 34.0, top + HEIGHT - 50.0);
        let x = Scale::new(&chart.x, &across(|point| point.0), left, right);
        let y = Scale::new(&chart.y, &across(|point| point.1), lower, upper);
        self.put(&format!(
            r##"<text x="{left}" y="{}" font-size="15" font-weight="600">{}</text>"##,
            top + 18.0,
            escaped(&chart.title)
        ));
        for tick in x.ticks() {
            let at = x.place(tick);
            self.line(at, upper, at, lower);
            self.text(at, lower + 16.0, "middle", &short(tick));
        }
        for tick in y.ticks() {
            let at = y.place(tick);
            self.line(left, at, right, at);
            self.text(left - 6.0, at + 4.0, "end", &short(tick));
        }
        self.text(f64::midpoint(left, right), lower + 34.0, "middle", &chart.x.label);
        self.put(&format!(
            r##"<text x="16" y="{at}" transform="rotate(-90 16 {at})" text-anchor="middle">{}</text>"##,
            escaped(&chart.y.label),
            at = f64::midpoint(upper, lower)
        ));
        for (number, line) in chart.lines.iter().enumerate() {
            self.curve(line, &x, &y, COLOURS[number % COLOURS.len()]);
            self.legend(&line.name, number, upper, right);
        }
    }

    fn curve(&mut self, line: &Line, x: &Scale, y: &Scale, colour: &str) {
        let place = |point: &(f64, f64)| format!("{:.1},{:.1}", x.place(point.0), y.place(point.1));
        let points: Vec<_> = line.points.iter().map(place).collect();
        self.put(&format!(
            r##"<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round" points="{}"/>"##,
            points.join(" ")
        ));
        // A curve of few places shows where they are.
        if line.points.len() <= 12 {
            for point in &line.points {
                let (x, y) = (x.place(point.0), y.place(point.1));
                self.put(&format!(r##"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"##));
            }
        }
    }

    fn legend(&mut self, name: &str, number: usize, upper: f64, right: f64) {
        let at = upper + 14.0 + 18.0 * number as f64;
        let colour = COLOURS[number % COLOURS.len()];
        self.put(&format!(
            r##"<rect x="{}" y="{}" width="14" height="4" fill="{colour}"/>"##,
            right + 12.0,
            at - 6.0
        ));
        self.text(right + 32.0, at, "start", name);
    }

    fn line(&mut self, x: f64, y: f64, to_x: f64, to_y: f64) {
        self.put(&format!(
            r##"<line x1="{x:.1}" y1="{y:.1}" x2="{to_x:.1}" y2="{to_y:.1}" stroke="#dddddd"/>"##
        ));
    }

    /// Writes text that begins, ends or is centred at a place.
    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.put(&format!(
            r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#333333">{}</text>"##,
            escaped(text)
        ));
    }

    /// Adds a line of SVG.
    pub(crate) fn put(&mut self, text: &str) {
        // A string takes whatever is written into it.
        let _written = writeln!(self.0, "{text}");
    }
}

impl Scale {
    fn new(axis: &Axis, numbers: &[f64], from: f64, to: f64) -> Self {
        let usable = |number: &&f64| number.is_finite() && (!axis.logarithmic || **number > 0.0);
        let numbers = || numbers.iter().filter(usable).copied();
        let mut least = numbers().fold(f64::INFINITY, f64::min);
        let mut greatest = numbers().fold(f64::NEG_INFINITY, f64::max);
        if least > greatest {
            (least, greatest) = (1.0, 10.0);
        }
        if axis.logarithmic {
            least = 10_f64.powf(least.log10().floor());
            greatest = 10_f64.powf(greatest.log10().ceil()).max(least * 10.0);
        } else {
            least = least.min(0.0);
            let step = step(greatest - least);
            greatest = ((greatest / step).ceil() * step).max(least + step);
        }
        Self { logarithmic: axis.logarithmic, least, greatest, from, to }
    }

    fn place(&self, number: f64) -> f64 {
        let share = if self.logarithmic {
            (number.max(self.least) / self.least).log10() / (self.greatest / self.least).log10()
        } else {
            (number - self.least) / (self.greatest - self.least)
        };
        self.from + (self.to - self.from) * share
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut tick = self.least;
        let step = step(self.greatest - self.least);
        while tick <= self.greatest * 1.000_001 && ticks.len() < TICKS_MAX {
            ticks.push(tick);
            tick = if self.logarithmic { tick * 10.0 } else { tick + step };
        }
        ticks
    }
}

/// A round step that divides a range into five to ten.
fn step(range: f64) -> f64 {
    if range <= 0.0 || !range.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf((range / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fits = steps.iter().find(|step| range / (power * **step) <= 8.0);
    power * fits.copied().unwrap_or(10.0)
}

/// A number as an axis tells it.
fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1_000_000.0 => format!("{} M", number / 1_000_000.0),
        size if size >= 1_000.0 => format!("{} k", number / 1_000.0),
        size if size >= 0.1 => format!("{}", (number * 100.0).round() / 100.0),
        _ => format!("{number:e}"),
    }
}

/// What goes on one line.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How wide a page is.
pub(crate) const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
/// How much of its height the heading takes.
pub(crate) const HEADER: f64 = 56.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 210.0;
const TICKS_MAX: usize = 20;
/// Letters of the first line.
const LINE_MAX: usize = 130;
/// Told apart by people who do not see all colours, too.
pub(crate) const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

#[cfg(test)]
#[path = "svg_test.rs"]
mod tests;

//! Reads the TOML file into a [`Source`], keeping the line of every value.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Mistakes, Origin};
use super::namespace;
use super::place::{self, ISSUERS, NAMESPACES, PUBLISHER_KEYS, Place, ROUTES};
use super::route::TO;
use super::source::{Source, Text};

/// Reads the text of a file; `path` is only told in messages.
///
/// # Errors
///
/// Text that is not TOML, unknown keys and tables, namespaces that cannot be called that, and values
/// that are neither a string, a number, a switch nor an array of those; all that are found, not only
/// the first.
pub(crate) fn read(path: &Path, text: &str) -> Result<Source, Mistakes> {
    let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
    let mut reading = Reading {
        path,
        line_ends: line_ends.collect(),
        source: Source::default(),
        mistakes: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => reading.table("", table.get_ref()),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let what = format!("not TOML: {}", error.message());
            reading.mistake(start, what, "correct this line".to_owned());
        }
    }
    if reading.mistakes.is_empty() {
        return Ok(reading.source);
    }
    // The parser gives keys in alphabetical order; people read from top to bottom.
    reading.mistakes.sort_by_key(|mistake| mistake.start);
    Err(Mistakes(reading.mistakes.into_iter().map(|mistake| mistake.told).collect()))
}

struct Reading<'a> {
    path: &'a Path,
    /// Where each line ends, in bytes.
    line_ends: Vec<usize>,
    source: Source,
    mistakes: Vec<Placed>,
}

struct Placed {
    start: usize,
    told: Mistake,
}

impl Reading<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let start = key.span().start;
            match value.get_ref() {
                DeValue::Table(routes) if name == ROUTES => self.routes(routes),
                DeValue::Table(inner) if place::is_table(&name) => {
                    self.mention(&name, start);
                    self.table(&format!("{name}."), inner);
                }
                value => self.value(&name, start, value),
            }
        }
    }

    /// Each route is a table, or the text that would be its `to`.
    fn routes(&mut self, routes: &DeTable<'_>) {
        for (path, value) in routes {
            let place = Place::Route(path.get_ref().to_string());
            let start = path.span().start;
            let origin = self.origin(start);
            self.source.mention(&place, &origin);
            match value.get_ref() {
                DeValue::Table(keys) => {
                    for (key, value) in keys {
                        let start = key.span().start;
                        self.value_at(&place, key.get_ref(), start, value.get_ref());
                    }
                }
                text => self.value_at(&place, TO.name, start, text),
            }
        }
    }

    /// Takes note of a namespace, a key or an issuer, if it is one's table.
    fn mention(&mut self, table: &str, start: usize) {
        let Some(place) = Place::of_table(table) else {
            return;
        };
        if let Some((what, name)) = place.chosen()
            && let Err(change) = namespace::check_name(name)
        {
            self.mistake(start, format!("{what} cannot be called `{name}`"), change);
        }
        let origin = self.origin(start);
        self.source.mention(&place, &origin);
    }

    fn value(&mut self, name: &str, start: usize, value: &DeValue<'_>) {
        if place::is_table(name) {
            let named = [NAMESPACES, PUBLISHER_KEYS, ISSUERS].contains(&name);
            let table = if named { format!("{name}.NAME") } else { name.to_owned() };
            let change = format!("write its keys under `[{table}]`");
            self.mistake(start, format!("`{name}` is a table"), change);
            return;
        }
        let (place, key) = Place::of(name);
        self.value_at(&place, key, start, value);
    }

    fn value_at(&mut self, place: &Place, key: &str, start: usize, value: &DeValue<'_>) {
        let name = place.name_of(key);
        let Some(key) = place.find(key) else {
            let change = place.did_you_mean(key, Place::name);
            self.mistake(start, format!("unknown key `{name}`"), change);
            return;
        };
        let Some(text) = written(value) else {
            let what = format!("`{name}` cannot be a TOML {}", value.type_str());
            self.mistake(start, what, "write a string, a number, a switch or an array".to_owned());
            return;
        };
        let origin = self.origin(start);
        self.source.set(place, key, text, origin);
    }

    fn mistake(&mut self, start: usize, what: String, change: String) {
        let origin = self.origin(start);
        let told = Mistake { origin, what, change };
        self.mistakes.push(Placed { start, told });
    }

    fn origin(&self, start: usize) -> Origin {
        let line = 1 + self.line_ends.partition_point(|end| *end < start);
        Origin::File { path: self.path.to_owned(), line }
    }
}

fn written(value: &DeValue<'_>) -> Option<Text> {
    match value {
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Text::Many)
        }
        single => scalar(single).map(Text::One),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        _ => None,
    }
}

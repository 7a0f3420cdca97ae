//! Reads the TOML file into a [`Source`], keeping the line of every value.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Mistakes, Origin, did_you_mean};
use super::source::{Source, Text};
use super::table::{KEYS, find};

/// Reads the text of a file; `path` is only told in messages.
///
/// # Errors
///
/// Text that is not TOML, unknown keys and tables, and values that are neither a string, a number,
/// a switch nor an array of those; all that are found, not only the first.
pub(crate) fn read(path: &Path, text: &str) -> Result<Source, Mistakes> {
    let mut reading = Reading { path, text, source: Source::default(), mistakes: Vec::new() };
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
    text: &'a str,
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
                DeValue::Table(inner) if is_table(&name) => {
                    self.table(&format!("{name}."), inner);
                }
                value => self.value(&name, start, value),
            }
        }
    }

    fn value(&mut self, name: &str, start: usize, value: &DeValue<'_>) {
        let Some(key) = find(name) else {
            let change = did_you_mean(name, |key| key.name.to_owned());
            self.mistake(start, format!("unknown key `{name}`"), change);
            return;
        };
        let Some(text) = written(value) else {
            let what = format!("`{name}` cannot be a TOML {}", value.type_str());
            self.mistake(start, what, "write a string, a number, a switch or an array".to_owned());
            return;
        };
        let origin = self.origin(start);
        self.source.set(key, text, origin);
    }

    fn mistake(&mut self, start: usize, what: String, change: String) {
        let origin = self.origin(start);
        let told = Mistake { origin, what, change };
        self.mistakes.push(Placed { start, told });
    }

    fn origin(&self, start: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::File { path: self.path.to_owned(), line }
    }
}

fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(table, _)| table == name))
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

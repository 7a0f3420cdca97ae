//! The sources laid over each other: for every key its value, read and within bounds, and where it
//! came from. What keys mean together is checked one step later, in `settings`.

use std::time::Duration;

use super::mistake::{Mistake, Mistakes, Origin};
use super::quantity::{parse_bytes, parse_count, parse_duration, show_bytes, show_duration};
use super::source::{Source, Text};
use super::table::{KEYS, Key, Kind, Standard};

/// A value that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A count, or a size in bytes.
    Number(u64),
    /// A duration.
    Duration(Duration),
    /// A switch.
    Switch(bool),
    /// A word or any text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// One key with its value.
#[derive(Debug)]
pub(crate) struct Row {
    /// The key.
    pub(crate) key: &'static Key,
    /// Its value; `None` if nothing sets it, or if it is found out at start.
    pub(crate) value: Option<Value>,
    /// Where the value came from.
    pub(crate) origin: Origin,
}

/// Every key with its value, in the order of the table.
#[derive(Debug)]
pub(crate) struct Effective {
    /// One row per key.
    pub(crate) rows: Vec<Row>,
}

impl Effective {
    /// Lays sources over the defaults; a later source wins over an earlier one.
    ///
    /// # Errors
    ///
    /// Every value that cannot be read as its key wants it or is out of bounds.
    pub(crate) fn of(sources: &[Source]) -> Result<Self, Mistakes> {
        let mut rows = Vec::with_capacity(KEYS.len());
        let mut mistakes = Vec::new();
        for key in KEYS {
            match row(key, sources) {
                Ok(row) => rows.push(row),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(Self { rows }) } else { Err(Mistakes(mistakes)) }
    }

    /// Where the value of a key came from.
    pub(crate) fn origin(&self, key: &Key) -> Origin {
        self.row(key).map_or(Origin::Default, |row| row.origin.clone())
    }

    /// The value of a key that is a count or a size; `None` if it is found out at start.
    pub(crate) fn number(&self, key: &Key) -> Option<u64> {
        match self.row(key)?.value {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The value of a key that is a duration.
    pub(crate) fn duration(&self, key: &Key) -> Option<Duration> {
        match self.row(key)?.value {
            Some(Value::Duration(duration)) => Some(duration),
            _ => None,
        }
    }

    /// The value of a key that is a switch.
    pub(crate) fn switch(&self, key: &Key) -> Option<bool> {
        match self.row(key)?.value {
            Some(Value::Switch(switch)) => Some(switch),
            _ => None,
        }
    }

    /// The value of a key that is a word or a text.
    pub(crate) fn text(&self, key: &Key) -> Option<&str> {
        match &self.row(key)?.value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of a key that is a list; empty if nothing sets it.
    pub(crate) fn list(&self, key: &Key) -> &[String] {
        match self.row(key).map(|row| &row.value) {
            Some(Some(Value::List(list))) => list,
            _ => &[],
        }
    }

    fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.iter().find(|row| row.key.name == key.name)
    }
}

fn row(key: &'static Key, sources: &[Source]) -> Result<Row, Mistake> {
    if let Some(written) = sources.iter().rev().find_map(|source| source.find(key)) {
        let value = read(key, &written.text).map_err(|wanted| Mistake {
            origin: written.origin.clone(),
            what: format!("`{}` is {}", key.name, quote(key, &written.text)),
            change: format!("write {wanted}"),
        })?;
        return Ok(Row { key, value: Some(value), origin: written.origin.clone() });
    }
    let value = match key.default {
        Standard::Value(text) => read(key, &Text::One(text.to_owned())).ok(),
        Standard::Computed { .. } | Standard::Unset => None,
    };
    Ok(Row { key, value, origin: Origin::Default })
}

/// Reads a value; the error says what would have been accepted.
fn read(key: &Key, text: &Text) -> Result<Value, String> {
    let wanted = || wanted(key.kind);
    let one = match (key.kind, text) {
        (Kind::List | Kind::SecretList, Text::One(text)) => {
            return Ok(Value::List(vec![text.clone()]));
        }
        (Kind::List | Kind::SecretList, Text::Many(texts)) => {
            return Ok(Value::List(texts.clone()));
        }
        (_, Text::Many(_)) => return Err(wanted()),
        (_, Text::One(text)) => text.as_str(),
    };
    let value = match key.kind {
        Kind::Count { min, max } => within(parse_count(one), min, max).map(Value::Number),
        Kind::Bytes { min, max } => within(parse_bytes(one), min, max).map(Value::Number),
        Kind::Duration { min, max } => within(parse_duration(one), min, max).map(Value::Duration),
        Kind::Switch => one.trim().parse().ok().map(Value::Switch),
        Kind::Choice(words) => {
            words.contains(&one.trim()).then(|| Value::Text(one.trim().to_owned()))
        }
        Kind::Text | Kind::List | Kind::SecretList => Some(Value::Text(one.to_owned())),
    };
    value.ok_or_else(wanted)
}

fn within<T: PartialOrd>(value: Option<T>, min: T, max: T) -> Option<T> {
    value.filter(|value| *value >= min && *value <= max)
}

/// What a kind accepts, in words; used in messages and in the reference.
pub(crate) fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Count { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Bytes { min, max } => {
            format!("a size from {} to {}", show_bytes(min), show_bytes(max))
        }
        Kind::Duration { min, max } => {
            format!("a duration from {} to {}", show_duration(min), show_duration(max))
        }
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
        }
        Kind::Text => "a text".to_owned(),
        Kind::List | Kind::SecretList => "a list of texts".to_owned(),
    }
}

fn quote(key: &Key, text: &Text) -> String {
    match (key.kind, text) {
        (Kind::SecretList, _) => "a secret".to_owned(),
        (_, Text::One(text)) => format!("{text:?}"),
        (_, Text::Many(_)) => "a list".to_owned(),
    }
}

//! Settings as one source wrote them: text per key, with the place of each.
//!
//! Nothing is checked here but that the key exists; what a value means is decided when the sources
//! have been laid over each other.

use std::collections::BTreeMap;

use super::mistake::Origin;
use super::table::Key;

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// A single value.
    One(String),
    /// An array, or a flag that was repeated.
    Many(Vec<String>),
}

/// A value as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The value.
    pub(crate) text: Text,
    /// Its place.
    pub(crate) origin: Origin,
}

/// What one source sets; a key that it does not mention is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(BTreeMap<&'static str, Written>);

impl Source {
    /// Notes a value; a second one for the same key replaces the first.
    pub(crate) fn set(&mut self, key: &'static Key, text: Text, origin: Origin) {
        self.0.insert(key.name, Written { text, origin });
    }

    /// Notes a single value given by a flag, if it was given.
    pub(crate) fn flag(&mut self, key: &'static Key, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.set(key, Text::One(text.to_owned()), Origin::Flag(name));
        }
    }

    /// Notes the values of a flag that may be repeated, if it was given.
    pub(crate) fn flags(&mut self, key: &'static Key, name: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.set(key, Text::Many(texts.to_vec()), Origin::Flag(name));
        }
    }

    /// What this source says about a key.
    pub(crate) fn find(&self, key: &Key) -> Option<&Written> {
        self.0.get(key.name)
    }
}

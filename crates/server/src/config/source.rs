//! Settings as one source wrote them: text per key, with the place of each.
//!
//! Nothing is checked here but that the key exists; what a value means is decided when the sources
//! have been laid over each other.

use std::collections::BTreeMap;

use super::mistake::Origin;
use super::place::Place;
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
pub(crate) struct Source {
    top: BTreeMap<&'static str, Written>,
    namespaces: BTreeMap<String, Section>,
}

/// What one source sets in a namespace.
#[derive(Debug, Clone)]
struct Section {
    origin: Origin,
    keys: BTreeMap<&'static str, Written>,
}

impl Source {
    /// Notes a value; a second one for the same key replaces the first.
    pub(crate) fn set(&mut self, place: &Place, key: &'static Key, text: Text, origin: Origin) {
        let keys = match place {
            Place::Top => &mut self.top,
            Place::Namespace(namespace) => &mut self.section(namespace, origin.clone()).keys,
        };
        keys.insert(key.name, Written { text, origin });
    }

    /// Notes that there is a namespace, whether or not any of its keys is set.
    pub(crate) fn mention(&mut self, namespace: &str, origin: Origin) {
        self.section(namespace, origin);
    }

    /// Notes a single value given by a flag, if it was given.
    pub(crate) fn flag(&mut self, key: &'static Key, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.set(&Place::Top, key, Text::One(text.to_owned()), Origin::Flag(name));
        }
    }

    /// Notes the values of a flag that may be repeated, if it was given.
    pub(crate) fn flags(&mut self, key: &'static Key, name: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.set(&Place::Top, key, Text::Many(texts.to_vec()), Origin::Flag(name));
        }
    }

    /// What this source says about a key.
    pub(crate) fn find(&self, place: &Place, key: &Key) -> Option<&Written> {
        match place {
            Place::Top => self.top.get(key.name),
            Place::Namespace(namespace) => self.namespaces.get(namespace)?.keys.get(key.name),
        }
    }

    /// The namespaces that it mentions, and where it first does.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.namespaces.iter().map(|(name, section)| (name.as_str(), &section.origin))
    }

    fn section(&mut self, namespace: &str, origin: Origin) -> &mut Section {
        let keys = BTreeMap::new();
        self.namespaces.entry(namespace.to_owned()).or_insert(Section { origin, keys })
    }
}

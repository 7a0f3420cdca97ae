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
    routes: BTreeMap<String, Section>,
}

/// What one source sets in a namespace or a route.
#[derive(Debug, Clone)]
struct Section {
    origin: Origin,
    keys: BTreeMap<&'static str, Written>,
}

impl Source {
    /// Notes a value; a second one for the same key replaces the first.
    pub(crate) fn set(&mut self, place: &Place, key: &'static Key, text: Text, origin: Origin) {
        let keys = match self.section(place, &origin) {
            Some(section) => &mut section.keys,
            None => &mut self.top,
        };
        keys.insert(key.name, Written { text, origin });
    }

    /// Notes that there is a namespace or a route, whether or not any of its keys is set.
    pub(crate) fn mention(&mut self, place: &Place, origin: &Origin) {
        self.section(place, origin);
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
            Place::Route(path) => self.routes.get(path)?.keys.get(key.name),
        }
    }

    /// The namespaces that it mentions, and where it first does.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.namespaces.iter().map(|(name, section)| (name.as_str(), &section.origin))
    }

    /// The paths of the routes that it mentions, and where it first does.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.routes.iter().map(|(path, section)| (path.as_str(), &section.origin))
    }

    /// What is set at a place that has a table of its own.
    fn section(&mut self, place: &Place, origin: &Origin) -> Option<&mut Section> {
        let (sections, name) = match place {
            Place::Top => return None,
            Place::Namespace(name) => (&mut self.namespaces, name),
            Place::Route(path) => (&mut self.routes, path),
        };
        let empty = || Section { origin: origin.clone(), keys: BTreeMap::new() };
        Some(sections.entry(name.clone()).or_insert_with(empty))
    }
}

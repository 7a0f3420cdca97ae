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
    keys: BTreeMap<String, Section>,
    issuers: BTreeMap<String, Section>,
    routes: BTreeMap<String, Section>,
}

/// What one source sets in a table that somebody named.
#[derive(Debug, Clone)]
struct Section {
    origin: Origin,
    keys: BTreeMap<&'static str, Written>,
}

/// Tables that a source mentions, by what they are called, and where it first does.
pub(crate) type Mentions<'a> = Box<dyn Iterator<Item = (&'a str, &'a Origin)> + 'a>;

fn mentions(sections: &BTreeMap<String, Section>) -> Mentions<'_> {
    Box::new(sections.iter().map(|(name, section)| (name.as_str(), &section.origin)))
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

    /// Notes that there is such a table, whether or not any of its keys is set.
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
            Place::PublisherKey(name) => self.keys.get(name)?.keys.get(key.name),
            Place::Issuer(name) => self.issuers.get(name)?.keys.get(key.name),
            Place::Route(path) => self.routes.get(path)?.keys.get(key.name),
        }
    }

    /// The namespaces that it mentions, and where it first does.
    pub(crate) fn namespaces(&self) -> Mentions<'_> {
        mentions(&self.namespaces)
    }

    /// The publishers' keys that it mentions, and where it first does.
    pub(crate) fn keys(&self) -> Mentions<'_> {
        mentions(&self.keys)
    }

    /// The issuers that it mentions, and where it first does.
    pub(crate) fn issuers(&self) -> Mentions<'_> {
        mentions(&self.issuers)
    }

    /// The paths of the routes that it mentions, and where it first does.
    pub(crate) fn routes(&self) -> Mentions<'_> {
        mentions(&self.routes)
    }

    /// What is set at a place that has a table of its own.
    fn section(&mut self, place: &Place, origin: &Origin) -> Option<&mut Section> {
        let (sections, name) = match place {
            Place::Top => return None,
            Place::Namespace(name) => (&mut self.namespaces, name),
            Place::PublisherKey(name) => (&mut self.keys, name),
            Place::Issuer(name) => (&mut self.issuers, name),
            Place::Route(path) => (&mut self.routes, path),
        };
        let empty = || Section { origin: origin.clone(), keys: BTreeMap::new() };
        Some(sections.entry(name.clone()).or_insert_with(empty))
    }
}

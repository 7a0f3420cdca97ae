//! The sources laid over each other: for every key its value, read and within bounds, and where it
//! came from, at the top, in each namespace, which inherits what it does not set, and in each route,
//! which only one source has. What keys mean together is checked one step later, in `building`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::credential::{ISSUERS_MAX, KEYS_MAX};
use super::mistake::{Mistake, Mistakes, Origin};
use super::namespace::{NAMESPACE_KEYS, NAMESPACES_MAX};
use super::place::{ISSUERS, NAMESPACES, PUBLISHER_KEYS, Place, ROUTES};
use super::quantity::{
    Rate, parse_bytes, parse_count, parse_duration, parse_rate, show_bytes, show_duration,
};
use super::route::ROUTES_MAX;
use super::source::{Mentions, Source, Text, Written};
use super::table::{Key, Kind, Standard};

/// A value that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A count, or a size in bytes.
    Number(u64),
    /// A duration.
    Duration(Duration),
    /// A rate; none for `off`.
    Rate(Option<Rate>),
    /// A switch.
    Switch(bool),
    /// A word or any text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The key.
    pub(crate) key: &'static Key,
    /// What the file calls it where it stands.
    pub(crate) name: String,
    /// Its value; `None` if nothing sets it, or if it is found out at start.
    pub(crate) value: Option<Value>,
    /// Where the value came from.
    pub(crate) origin: Origin,
}

/// The keys of one place with their values, in the order of their table.
#[derive(Debug, Clone)]
pub(crate) struct Rows(Vec<Row>);

/// Every key with its value.
#[derive(Debug)]
pub(crate) struct Effective {
    /// Those of the top.
    pub(crate) top: Rows,
    /// Those of each namespace, by its name.
    pub(crate) namespaces: BTreeMap<String, Rows>,
    /// Those of each publisher's key, by its name.
    pub(crate) keys: BTreeMap<String, Rows>,
    /// Those of each issuer, by its name.
    pub(crate) issuers: BTreeMap<String, Rows>,
    /// Those of each route, by its path.
    pub(crate) routes: BTreeMap<String, RouteRows>,
}

/// The keys of a route with their values.
#[derive(Debug)]
pub(crate) struct RouteRows {
    /// Where the route stands.
    pub(crate) origin: Origin,
    /// Its keys.
    pub(crate) rows: Rows,
}

impl Effective {
    /// Lays sources over the defaults; a later source wins over an earlier one.
    ///
    /// # Errors
    ///
    /// Every value that cannot be read as its key wants it or is out of bounds, and too many
    /// namespaces or routes.
    pub(crate) fn of(sources: &[Source]) -> Result<Self, Mistakes> {
        let mut overlay = Overlay { sources, mistakes: Vec::new() };
        let top = overlay.rows(&Place::Top, None);
        let named = Named {
            table: NAMESPACES,
            max: NAMESPACES_MAX,
            place: Place::Namespace,
            mentions: Source::namespaces,
        };
        let namespaces = overlay.named(&named, Some(&top));
        let named = Named {
            table: PUBLISHER_KEYS,
            max: KEYS_MAX,
            place: Place::PublisherKey,
            mentions: Source::keys,
        };
        let keys = overlay.named(&named, None);
        let named = Named {
            table: ISSUERS,
            max: ISSUERS_MAX,
            place: Place::Issuer,
            mentions: Source::issuers,
        };
        let issuers = overlay.named(&named, None);
        let paths = overlay.routes();
        let routes = paths.into_iter().map(|(path, origin)| {
            let rows = overlay.rows(&Place::Route(path.clone()), None);
            (path, RouteRows { origin, rows })
        });
        let routes = routes.collect();
        let mistakes = overlay.mistakes;
        if mistakes.is_empty() {
            Ok(Self { top, namespaces, keys, issuers, routes })
        } else {
            Err(Mistakes(mistakes))
        }
    }

    /// What holds for the channels of no namespace: as a namespace that sets nothing would have it.
    pub(crate) fn rest(&self) -> Rows {
        let inherited = |key: &&'static Key| match key.default {
            Standard::Inherited(from) => {
                let row = self.top.row(from)?;
                let (name, origin) = (row.name.clone(), row.origin.clone());
                Some(Row { key, name, value: row.value.clone(), origin })
            }
            _ => None,
        };
        Rows(NAMESPACE_KEYS.iter().filter_map(inherited).collect())
    }
}

impl Rows {
    /// Each key with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
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

    /// The value of a key that is a rate; none for `off`.
    pub(crate) fn rate(&self, key: &Key) -> Option<Rate> {
        match self.row(key)?.value {
            Some(Value::Rate(rate)) => rate,
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

    /// What the file calls a key of this place.
    pub(crate) fn name<'a>(&'a self, key: &'a Key) -> &'a str {
        self.row(key).map_or(key.name, |row| &row.name)
    }

    /// The same places with what `change` makes of each row.
    pub(super) fn map(self, change: impl FnMut(Row) -> Row) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }

    pub(super) fn row(&self, key: &Key) -> Option<&Row> {
        self.0.iter().find(|row| row.key.name == key.name)
    }
}

/// Tables that each have a name of their own.
struct Named {
    table: &'static str,
    max: usize,
    place: fn(String) -> Place,
    mentions: for<'a> fn(&'a Source) -> Mentions<'a>,
}

/// Sources being laid over each other.
struct Overlay<'a> {
    sources: &'a [Source],
    mistakes: Vec<Mistake>,
}

impl Overlay<'_> {
    /// The keys of a place; what is wrong is left out and noted.
    fn rows(&mut self, place: &Place, top: Option<&Rows>) -> Rows {
        let mut rows = Vec::with_capacity(place.keys().len());
        for key in place.keys() {
            match self.row(place, key, top) {
                Ok(row) => rows.push(row),
                Err(mistake) => self.mistakes.push(mistake),
            }
        }
        Rows(rows)
    }

    fn row(&self, place: &Place, key: &'static Key, top: Option<&Rows>) -> Result<Row, Mistake> {
        let name = place.name(key);
        if let Some(written) = self.written(place, key) {
            let value = read(key, &written.text).map_err(|wanted| Mistake {
                origin: written.origin.clone(),
                what: format!("`{name}` is {}", quote(key, &written.text)),
                change: format!("write {wanted}"),
            })?;
            return Ok(Row { key, name, value: Some(value), origin: written.origin.clone() });
        }
        let (value, origin) = match (key.default, place) {
            (Standard::Value(text), _) => {
                (read(key, &Text::One(text.to_owned())).ok(), Origin::Default)
            }
            (Standard::Inherited(from), _) => {
                let row = top.and_then(|top| top.row(from));
                let origin = row.map_or(Origin::Default, |row| row.origin.clone());
                let value = row.and_then(|row| row.value.clone());
                (value, Origin::Inherited(from.name, Box::new(origin)))
            }
            (Standard::NameAnd(end), Place::Namespace(namespace)) => {
                (Some(Value::Text(format!("{namespace}{end}"))), Origin::Default)
            }
            (Standard::Computed { .. } | Standard::Unset | Standard::NameAnd(_), _) => {
                (None, Origin::Default)
            }
        };
        Ok(Row { key, name, value, origin })
    }

    /// What the sources say about a key. A route is what its last source makes of it: a greeting of
    /// one source would be a surprise before another's channel.
    fn written(&self, place: &Place, key: &Key) -> Option<&Written> {
        let mut sources = self.sources.iter().rev();
        match place {
            Place::Route(path) => {
                let mentions = |source: &&Source| source.routes().any(|(known, _)| known == path);
                sources.find(mentions)?.find(place, key)
            }
            _ => sources.find_map(|source| source.find(place, key)),
        }
    }

    /// The keys of each table that any source mentions, up to the limit.
    fn named(&mut self, named: &Named, top: Option<&Rows>) -> BTreeMap<String, Rows> {
        let mut mentioned = BTreeMap::new();
        for (name, origin) in self.sources.iter().flat_map(named.mentions) {
            mentioned.entry(name).or_insert(origin);
        }
        self.bound(named.table, &mentioned, named.max);
        let names = mentioned.into_keys().take(named.max);
        names
            .map(|name| (name.to_owned(), self.rows(&(named.place)(name.to_owned()), top)))
            .collect()
    }

    /// The paths of the routes that any source mentions, up to the limit, and where the last one
    /// does.
    fn routes(&mut self) -> Vec<(String, Origin)> {
        let routes: BTreeMap<_, _> = self.sources.iter().flat_map(Source::routes).collect();
        self.bound(ROUTES, &routes, ROUTES_MAX);
        let kept = routes.into_iter().take(ROUTES_MAX);
        kept.map(|(path, origin)| (path.to_owned(), origin.clone())).collect()
    }

    fn bound(&mut self, table: &str, mentions: &BTreeMap<&str, &Origin>, max: usize) {
        if let Some((_, origin)) = mentions.iter().nth(max) {
            self.mistakes.push(Mistake {
                origin: (*origin).clone(),
                what: format!("`{table}` has {}", mentions.len()),
                change: format!("leave at most {max}"),
            });
        }
    }
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
        (Kind::Choices(words), _) => {
            let texts = match text {
                Text::One(text) => std::slice::from_ref(text),
                Text::Many(texts) => texts.as_slice(),
            };
            let known = texts.iter().all(|text| words.contains(&text.as_str()));
            return if known { Ok(Value::List(texts.to_vec())) } else { Err(wanted()) };
        }
        (_, Text::Many(_)) => return Err(wanted()),
        (_, Text::One(text)) => text.as_str(),
    };
    let value = match key.kind {
        Kind::Count { min, max } => within(parse_count(one), min, max).map(Value::Number),
        Kind::Bytes { min, max } => within(parse_bytes(one), min, max).map(Value::Number),
        Kind::Duration { min, max } => within(parse_duration(one), min, max).map(Value::Duration),
        Kind::Rate => parse_rate(one).map(Value::Rate),
        Kind::Switch => one.trim().parse().ok().map(Value::Switch),
        Kind::Choice(words) => {
            words.contains(&one.trim()).then(|| Value::Text(one.trim().to_owned()))
        }
        Kind::Text | Kind::List | Kind::Choices(_) | Kind::SecretList => {
            Some(Value::Text(one.to_owned()))
        }
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
        Kind::Rate => "a rate such as `100/s`, `30/m` or `5/h`, or `off`".to_owned(),
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
        }
        Kind::Choices(words) => {
            let words = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>();
            format!("a list of {}", words.join(", "))
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

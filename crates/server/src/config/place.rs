//! Where a key stands: at the top of the configuration, or in the table of a namespace, a publisher's
//! key, an issuer or a route.
//!
//! Each has a static table of keys. Names in the file, environment variables, look-ups and "did you
//! mean" derive from it here, in one way for all.

use super::credential::{ISSUER_KEYS, PUBLISHER_KEY_KEYS};
use super::namespace::NAMESPACE_KEYS;
use super::route::ROUTE_KEYS;
use super::table::{KEYS, Key};

/// The table that holds those of the namespaces.
pub(crate) const NAMESPACES: &str = "namespaces";

/// The table that holds the publishers' keys.
pub(crate) const PUBLISHER_KEYS: &str = "keys";

/// The table that holds the issuers.
pub(crate) const ISSUERS: &str = "issuers";

/// The table that holds the routes.
pub(crate) const ROUTES: &str = "routes";

/// In front of every environment variable.
pub(crate) const VARIABLE_PREFIX: &str = "FANFARE_";

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the configuration itself, or in one of its tables such as `limits`.
    Top,
    /// In the table of the namespace with this name.
    Namespace(String),
    /// In the table of the publisher's key with this name.
    PublisherKey(String),
    /// In the table of the issuer with this name.
    Issuer(String),
    /// In the table of the route with this path.
    Route(String),
}

impl Place {
    /// The place of what the file calls `name`, and what it is called there:
    /// `namespaces.chat.prefix` is `prefix` in the namespace `chat`. Routes are not found so: dots
    /// may stand in their paths.
    pub(crate) fn of(name: &str) -> (Self, &str) {
        let inside = name.rsplit_once('.').and_then(|(table, key)| {
            let (tables, name) = table.split_once('.')?;
            Some((Self::named(tables, name)?, key))
        });
        inside.unwrap_or((Self::Top, name))
    }

    /// The place of the table `name` among those of `tables`.
    fn named(tables: &str, name: &str) -> Option<Self> {
        match tables {
            NAMESPACES => Some(Self::Namespace(name.to_owned())),
            PUBLISHER_KEYS => Some(Self::PublisherKey(name.to_owned())),
            ISSUERS => Some(Self::Issuer(name.to_owned())),
            _ => None,
        }
    }

    /// The place whose table the file calls this, if it is one with a name of its own.
    pub(crate) fn of_table(table: &str) -> Option<Self> {
        let (tables, name) = table.split_once('.')?;
        // What stands deeper is one of its keys.
        if name.contains('.') { None } else { Self::named(tables, name) }
    }

    /// The name that somebody chose for it, and what is called so.
    pub(crate) fn chosen(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Top | Self::Route(_) => None,
            Self::Namespace(name) => Some(("a namespace", name)),
            Self::PublisherKey(name) => Some(("a key", name)),
            Self::Issuer(name) => Some(("an issuer", name)),
        }
    }

    /// Every key that can stand here, in the order in which documents list them.
    pub(crate) fn keys(&self) -> &'static [&'static Key] {
        match self {
            Self::Top => &KEYS,
            Self::Namespace(_) => &NAMESPACE_KEYS,
            Self::PublisherKey(_) => &PUBLISHER_KEY_KEYS,
            Self::Issuer(_) => &ISSUER_KEYS,
            Self::Route(_) => &ROUTE_KEYS,
        }
    }

    /// The key that is called this here.
    pub(crate) fn find(&self, key: &str) -> Option<&'static Key> {
        self.keys().iter().copied().find(|known| known.name == key)
    }

    /// What the file calls a key of this place.
    pub(crate) fn name(&self, key: &Key) -> String {
        self.name_of(key.name)
    }

    /// What the file calls this of this place.
    pub(crate) fn name_of(&self, key: &str) -> String {
        match self {
            Self::Top => key.to_owned(),
            Self::Namespace(namespace) => format!("{NAMESPACES}.{namespace}.{key}"),
            Self::PublisherKey(name) => format!("{PUBLISHER_KEYS}.{name}.{key}"),
            Self::Issuer(name) => format!("{ISSUERS}.{name}.{key}"),
            Self::Route(path) => format!("{}.{key}", name_of_route(path)),
        }
    }

    /// The environment variable of a key of this place, such as
    /// `FANFARE_LIMITS__PAYLOAD_BYTES_MAX`; empty for a route, whose path is no name for one.
    pub(crate) fn variable(&self, key: &Key) -> String {
        if matches!(self, Self::Route(_)) {
            return String::new();
        }
        let name = self.name(key).replace('.', "__");
        format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase())
    }

    /// The order that ends the message about an unknown key: the nearest known one, if one is near.
    /// `written` is what the key was called here, `spell` how to name it.
    pub(crate) fn did_you_mean(&self, written: &str, spell: fn(&Self, &Key) -> String) -> String {
        let keys = self.keys().iter().map(|key| (key.name, spell(self, key)));
        let tables = match self {
            Self::Top => tables().map(|table| (table, table.to_owned())).collect(),
            _ => Vec::new(),
        };
        let nearest = keys
            .chain(tables)
            .map(|(known, told)| (strsim::normalized_damerau_levenshtein(written, known), told))
            .max_by(|left, right| left.0.total_cmp(&right.0));
        match (nearest, self) {
            (Some((likeness, told)), _) if likeness >= 0.6 => format!("did you mean `{told}`?"),
            (_, Self::Top) => "see `fanfare config show` for all keys".to_owned(),
            (_, Self::Namespace(_)) => format!("a namespace has {}", listed(&NAMESPACE_KEYS)),
            (_, Self::PublisherKey(_)) => format!("a key has {}", listed(&PUBLISHER_KEY_KEYS)),
            (_, Self::Issuer(_)) => format!("an issuer has {}", listed(&ISSUER_KEYS)),
            (_, Self::Route(_)) => format!("a route has {}", listed(&ROUTE_KEYS)),
        }
    }
}

/// What the file calls the route with this path.
pub(crate) fn name_of_route(path: &str) -> String {
    format!("{ROUTES}.{path:?}")
}

fn listed(keys: &[&Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

/// What the file calls a variable's key: `FANFARE_LIMITS__CHANNELS_MAX` is `limits.channels_max`.
pub(crate) fn name_of_variable(variable: &str) -> String {
    let name = variable.strip_prefix(VARIABLE_PREFIX).unwrap_or(variable);
    name.replace("__", ".").to_ascii_lowercase()
}

/// Whether the file has a table of this name.
pub(crate) fn is_table(name: &str) -> bool {
    tables().any(|table| table == name) || Place::of_table(name).is_some()
}

fn tables() -> impl Iterator<Item = &'static str> {
    let with_keys = KEYS.iter().filter_map(|key| key.name.split_once('.').map(|(table, _)| table));
    with_keys.chain([NAMESPACES, PUBLISHER_KEYS, ISSUERS, ROUTES])
}

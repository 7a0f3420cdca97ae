//! Aliases: paths of a user's own that stand for URLs of channels.
//!
//! An alias is applied to a request's head before anything reads its target, in the same way
//! wherever requests are read, so that it is exactly the URL that it stands for. What it does
//! beside that is said by [`Alias::post`] and [`Alias::greeting`].

use bytes::Bytes;
use thiserror::Error;

use crate::native::head::Head;
use crate::native::problem::Problem;
use crate::native::query::Query;
use crate::native::route::{Route, Rules, route};

/// Bytes of an alias's path, and of what it stands for, at most.
pub const ALIAS_BYTES_MAX: usize = 1_024;

/// What stands for 128 random bits in the URL that an alias stands for.
pub const UNIQUE: &str = "{unique}";

/// Aliases, found by their paths.
#[derive(Debug, Default)]
pub struct Aliases {
    /// In the order of their paths, each path once.
    aliases: Box<[Alias]>,
}

/// A path and the URL that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    path: Box<str>,
    /// With [`UNIQUE`] in it, still percent-encoded.
    to_path: Box<str>,
    to_query: Box<str>,
    post: Posting,
    greeting: Option<Bytes>,
}

/// What a `POST` or `PUT` to an alias does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Posting {
    /// It publishes its body, as at the URL that the alias stands for.
    #[default]
    Publishes,
    /// It reads as a `GET` would, whatever its body says.
    Reads,
}

/// The URL that one request to an alias asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aliased {
    path: String,
    query: String,
    post: Posting,
}

/// Why an alias cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AliasError {
    /// Its path is no path.
    #[error("is no path")]
    Path,
    /// Its path belongs to the server.
    #[error("is a path of the server's own")]
    Reserved,
    /// What it stands for is no URL of a channel.
    #[error("is {0:?}, which is no URL of a channel")]
    Target(String),
    /// What it stands for is too long.
    #[error("has {0} bytes")]
    TooLong(usize),
    /// Braces with something else between them than is known.
    #[error("has braces around something else than `unique`")]
    Placeholder,
    /// What it stands for would be refused.
    #[error("is {0:?}, which would be refused")]
    Refused(String, Box<Problem>),
    /// There is no one channel to greet on.
    #[error("greets readers of several channels, or of none")]
    Greeting,
    /// The greeting is larger than a payload may be, or empty.
    #[error("has {0} bytes")]
    GreetingSize(usize),
}

impl Aliases {
    /// These aliases; of several with one path the first counts.
    #[must_use]
    pub fn new(mut aliases: Vec<Alias>) -> Self {
        aliases.sort_by(|one, other| one.path.cmp(&other.path));
        aliases.dedup_by(|later, first| later.path == first.path);
        Self { aliases: aliases.into() }
    }

    /// The alias of a path, which is compared as it was sent.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Alias> {
        if self.aliases.is_empty() {
            return None;
        }
        let at = self.aliases.binary_search_by(|alias| (*alias.path).cmp(path)).ok()?;
        self.aliases.get(at)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Alias> {
        self.aliases.iter()
    }
}

impl Alias {
    /// Checks a path and what it is to stand for, by reading a request to it.
    ///
    /// # Errors
    /// [`AliasError`] names the first thing that is wrong.
    pub fn new(
        path: &str,
        to: &str,
        post: Posting,
        greeting: Option<&str>,
        rules: &Rules,
    ) -> Result<Self, AliasError> {
        check_path(path)?;
        let to = ascii(to);
        if !(to.starts_with("/c/") || to.starts_with("/c?")) || to.contains('#') {
            return Err(AliasError::Target(to));
        }
        if to.len() > ALIAS_BYTES_MAX {
            return Err(AliasError::TooLong(to.len()));
        }
        if to.replace(UNIQUE, "").contains(['{', '}']) {
            return Err(AliasError::Placeholder);
        }
        let (to_path, to_query) = to.split_once('?').unwrap_or((&to, ""));
        let alias = Self {
            path: path.into(),
            to_path: to_path.into(),
            to_query: to_query.into(),
            post,
            greeting: greeting.map(|text| Bytes::copy_from_slice(text.as_bytes())),
        };
        alias.check(&to, rules)?;
        Ok(alias)
    }

    /// The path that stands for a URL.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL that it stands for.
    #[must_use]
    pub fn to(&self) -> String {
        joined(&self.to_path, &self.to_query)
    }

    /// What a `POST` does.
    #[must_use]
    pub fn post(&self) -> Posting {
        self.post
    }

    /// The text that is published to its channel before that is read.
    #[must_use]
    pub fn greeting(&self) -> Option<&Bytes> {
        self.greeting.as_ref()
    }

    /// Whether each request has a channel of its own.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.to_path.contains(UNIQUE) || self.to_query.contains(UNIQUE)
    }

    /// Whether it is another name for a URL and nothing more.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.is_unique() && self.greeting.is_none() && self.post == Posting::Publishes
    }

    /// What a request with this query asks for. Its own parameters win over those of the alias, but
    /// the channels are the alias's to say. `bits` stand in for [`UNIQUE`] and have to be random:
    /// whoever guesses them reads along.
    #[must_use]
    pub fn resolve(&self, query: Option<&str>, bits: u128) -> Aliased {
        let query = merged(query.unwrap_or_default(), &filled(&self.to_query, bits));
        Aliased { path: filled(&self.to_path, bits), query, post: self.post }
    }

    /// Reads requests as they will come.
    fn check(&self, to: &str, rules: &Rules) -> Result<(), AliasError> {
        let asked = self.resolve(None, 0);
        let read = |method| {
            let head = Head { method, ..Head::default() };
            route(&asked.head(&head), rules, 0)
        };
        let reading = match (read("GET"), self.post) {
            (Ok(route), _) => route,
            // It may be there to be published to alone.
            (Err(_), Posting::Publishes) if self.greeting.is_none() && read("POST").is_ok() => {
                return Ok(());
            }
            (Err(problem), _) => return Err(AliasError::Refused(to.to_owned(), Box::new(problem))),
        };
        let Some(greeting) = &self.greeting else { return Ok(()) };
        if greeting.is_empty() || greeting.len() > rules.payload_bytes_max {
            return Err(AliasError::GreetingSize(greeting.len()));
        }
        match reading {
            Route::Read(reading) if reading.subscriptions.len() == 1 => Ok(()),
            _ => Err(AliasError::Greeting),
        }
    }
}

impl Aliased {
    /// The head that the URL itself would have been asked with.
    #[must_use]
    pub fn head<'a>(&'a self, asked: &Head<'a>) -> Head<'a> {
        let method = match (self.post, asked.method) {
            (Posting::Reads, "POST" | "PUT") => "GET",
            (_, method) => method,
        };
        let query = (!self.query.is_empty()).then_some(self.query.as_str());
        Head { method, path: &self.path, query, ..*asked }
    }

    /// The URL's path and query, as they can stand in a header.
    #[must_use]
    pub fn target(&self) -> String {
        ascii(&joined(&self.path, &self.query))
    }
}

impl AliasError {
    /// The order that puts it right.
    #[must_use]
    pub fn change(&self) -> String {
        match self {
            Self::Path => format!(
                "write a path as browsers send it, such as `/events`: at most {ALIAS_BYTES_MAX} \
                 bytes, percent-encoded, without a query"
            ),
            Self::Reserved => "choose another, such as `/events`".to_owned(),
            Self::Target(_) => {
                "write what stands behind the host, such as `/c/clock?since=last`".to_owned()
            }
            Self::TooLong(_) => format!("write at most {ALIAS_BYTES_MAX}"),
            Self::Placeholder => format!(
                "write `{UNIQUE}` where each request is to have its own, and `%7B` for a brace"
            ),
            Self::Refused(_, problem) => format!("{} {}", problem.detail(), problem.hint()),
            Self::Greeting => "name one channel, or leave out the greeting".to_owned(),
            Self::GreetingSize(_) => {
                "write at least one, and at most `limits.payload_bytes_max`".to_owned()
            }
        }
    }
}

/// Whether a path may be an alias: one that browsers send, and that nothing else answers to.
fn check_path(path: &str) -> Result<(), AliasError> {
    let sent = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?\\^`{|}".contains(&byte);
    if !path.starts_with('/') || path.len() > ALIAS_BYTES_MAX || !path.bytes().all(sent) {
        return Err(AliasError::Path);
    }
    let below = |prefix| path.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with('/'));
    let reserved = path == "/" || RESERVED.contains(&path) || RESERVED.into_iter().any(below);
    if reserved { Err(AliasError::Reserved) } else { Ok(()) }
}

/// Paths that the server answers itself, with what is below them.
const RESERVED: [&str; 6] = ["/c", "/publish", "/sessions", "/health", "/ready", "/metrics"];

/// A URL as it can stand in a header: what is not ASCII percent-encoded.
fn ascii(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            0x21..=0x7e => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The parameters of a request, and those of its alias that it does not set itself.
fn merged(asked: &str, alias: &str) -> String {
    let (asked, alias) = (Query::new(asked), Query::new(alias));
    let own = asked.pairs().filter(|(name, _)| *name != "channel");
    let sets = |name: &str| {
        name != "channel" && asked.pairs().any(|(set, value)| set == name && !value.is_empty())
    };
    let mut merged = String::new();
    for (name, value) in own.chain(alias.pairs().filter(|(name, _)| !sets(name))) {
        let and = if merged.is_empty() { "" } else { "&" };
        let is = if value.is_empty() { "" } else { "=" };
        merged.extend([and, name, is, value]);
    }
    merged
}

fn filled(text: &str, bits: u128) -> String {
    if text.contains(UNIQUE) {
        text.replace(UNIQUE, &format!("{bits:032x}"))
    } else {
        text.to_owned()
    }
}

fn joined(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

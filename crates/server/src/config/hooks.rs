//! Builds what is set about hooks: where they are, how they are signed, and what holds when nobody
//! answers.

use fanfare_core::happening::Wishes;

use super::address;
use super::effective::Rows;
use super::hook_keys as keys;
use super::mistake::{Mistake, Origin};
use super::namespace::OWN_EVENTS;
use super::settings::{Asking, Hooks, OnFailure};
use super::table::Key;
use crate::hooks::events::Terms;
use crate::hooks::{Endpoint, Secret};

/// What a backend is shown of a request's headers, unless something else is set.
const FORWARDED: [&str; 4] = ["cookie", "origin", "user-agent", "accept-language"];

/// Headers that are forwarded at most.
const FORWARDED_MAX: usize = 32;

/// The settings, and everything wrong with them beside each other.
pub(super) fn hooks(top: &Rows) -> (Hooks, Vec<Mistake>) {
    let mut hooking = Hooking { top, mistakes: Vec::new() };
    let hooks = Hooks {
        secrets: hooking.secrets(),
        ca: top.text(&keys::HOOK_CA).map(Into::into),
        connect: hooking.asking(&keys::CONNECT_URL, &keys::CONNECT_ON_FAILURE),
        subscribe: hooking.asking(&keys::SUBSCRIBE_URL, &keys::SUBSCRIBE_ON_FAILURE),
        publish: hooking.asking(&keys::PUBLISH_URL, &keys::PUBLISH_ON_FAILURE),
        refresh: hooking.asking(&keys::REFRESH_URL, &keys::REFRESH_ON_FAILURE),
        events: hooking.endpoint(&keys::EVENTS_URL),
        disconnects: top.switch(&keys::DISCONNECTS).unwrap_or(true),
        event_terms: terms(top),
        timeout: top.duration(&keys::HOOK_TIMEOUT).unwrap_or_default(),
        forward_headers: hooking.forward_headers(),
        questions_max: top
            .number(&keys::QUESTIONS_MAX)
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(usize::MAX),
    };
    if hooks.refresh.is_some() && hooks.connect.is_none() {
        let what = "is set, and without `hooks.connect_url` there is nobody to ask about";
        hooking.mistake(&keys::REFRESH_URL, what, "set that as well, or leave this out");
    }
    (hooks, hooking.mistakes)
}

/// How events are held back, gathered and repeated.
fn terms(top: &Rows) -> Terms {
    let number = |key| top.number(key).and_then(|number| usize::try_from(number).ok());
    Terms {
        grace: top.duration(&keys::EVENTS_GRACE).unwrap_or_default(),
        batch_max: number(&keys::EVENTS_BATCH_MAX).unwrap_or(1),
        retry_for: top.duration(&keys::EVENTS_RETRY_FOR).unwrap_or_default(),
        bytes_max: number(&keys::EVENTS_BYTES_MAX).unwrap_or(usize::MAX),
    }
}

/// What the backend is told of the channels with these rules, and everything wrong with that: with
/// `presence` they have members.
pub(super) fn events(top: &Rows, rows: &Rows, presence: bool) -> (Wishes, Vec<Mistake>) {
    let names = rows.list(&OWN_EVENTS);
    let has = |name: &str| names.iter().any(|it| it == name);
    let wishes = Wishes { occupancy: has("occupancy"), members: has("members") };
    let mut mistakes = Vec::new();
    let mut mistake = |what: &str, change: &str| {
        mistakes.push(Mistake {
            origin: rows.origin(&OWN_EVENTS),
            what: format!("`{}` {what}", rows.name(&OWN_EVENTS)),
            change: change.to_owned(),
        });
    };
    if !names.is_empty() && top.text(&keys::EVENTS_URL).is_none() {
        mistake("is set, and nobody is told", "say in `hooks.events_url` who is");
    }
    // What holds for all is more than some namespaces have.
    let own = !matches!(rows.origin(&OWN_EVENTS), Origin::Inherited(..));
    if wishes.members && !presence && own {
        let what = "has `members`, which channels have only with `presence`";
        mistake(what, "switch that on, or leave `members` out");
    }
    (wishes, mistakes)
}

struct Hooking<'a> {
    top: &'a Rows,
    mistakes: Vec<Mistake>,
}

impl Hooking<'_> {
    fn secrets(&mut self) -> Vec<Secret> {
        let key = &keys::HOOK_SECRETS;
        let mut secrets = Vec::new();
        for text in self.top.list(key) {
            match Secret::parse(text) {
                Some(secret) => secrets.push(secret),
                None => self.mistake(key, "has one that is none", MAKE_ONE),
            }
        }
        secrets
    }

    fn asking(&mut self, url: &'static Key, on_failure: &Key) -> Option<Asking> {
        let on_failure = match self.top.text(on_failure) {
            Some("allow") => OnFailure::Allow,
            _ => OnFailure::Refuse,
        };
        self.endpoint(url).map(|endpoint| Asking { endpoint, on_failure })
    }

    fn endpoint(&mut self, key: &'static Key) -> Option<Endpoint> {
        let text = self.top.text(key)?;
        if self.top.list(&keys::HOOK_SECRETS).is_empty() {
            let what = "is set, and there is no `hooks.secrets` to sign with";
            self.mistake(key, what, MAKE_ONE);
        }
        match Endpoint::parse(text) {
            Ok(endpoint) => Some(endpoint),
            Err(change) => {
                // It may hold a password.
                self.mistake(key, "is no URL that can be asked", &change);
                None
            }
        }
    }

    fn forward_headers(&mut self) -> Vec<String> {
        let key = &keys::FORWARD_HEADERS;
        if self.top.origin(key) == Origin::Default {
            return FORWARDED.map(str::to_owned).to_vec();
        }
        let names = self.top.list(key);
        let mut headers: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let name = name.trim().to_ascii_lowercase();
            if !address::is_token(&name) {
                let what = format!("has {name:?}, which is no header's name");
                self.mistake(key, &what, "write names such as `cookie`");
            }
            if !headers.contains(&name) {
                headers.push(name);
            }
        }
        if headers.len() > FORWARDED_MAX {
            let what = format!("has more than {FORWARDED_MAX} names");
            self.mistake(key, &what, "leave out what the backend does not look at");
        }
        headers
    }

    fn mistake(&mut self, key: &'static Key, what: &str, change: &str) {
        self.mistakes.push(Mistake {
            origin: self.top.origin(key),
            what: format!("`{}` {what}", self.top.name(key)),
            change: change.to_owned(),
        });
    }
}

/// What to do about a secret.
const MAKE_ONE: &str = "make one with `echo whsec_$(openssl rand -base64 32)`";

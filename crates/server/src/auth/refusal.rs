//! What callers are told who may not: which check failed, and which key of the configuration or
//! grant to change.
//!
//! In `dev` they are told everything. Whoever `serve` refuses is a stranger, who is told which kind
//! of check it was; the values that it looked at are for the log.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_protocol::native::problem::{Problem, Untold};

use super::caller::{Holder, HolderKind, Mistake, Standing};
use super::grant::{Pattern, Right};
use super::{Access, Caller, ChannelAccess};

/// Patterns that a refusal names at most.
const PATTERNS_TOLD: usize = 4;

/// What would let somebody in.
#[derive(Debug, Clone, Copy)]
struct Ways {
    /// There are issuers of tokens.
    tokens: bool,
    /// Every user may, so that any token does.
    every_user: bool,
    /// A key that has a name grants it, of some channel.
    named_keys: bool,
    /// There are keys that grant everything.
    master_keys: bool,
}

impl Access {
    /// They have no such right over the channel or, without one, over any.
    pub(super) fn refusal(
        &self,
        caller: &Caller,
        right: Right,
        channel: Option<&ChannelName>,
        rules: &ChannelAccess,
    ) -> Problem {
        match &caller.standing {
            Standing::Holder(holder) => self.uncovered(holder, right, channel, rules),
            Standing::Mistaken(mistake) => self.mistaken(mistake),
            Standing::Anonymous | Standing::Unasked => {
                let ways = self.ways(right, rules);
                let (detail, open) = ways.wanted(right);
                self.anonymous(detail, (ways, right), open.map(|open| key(rules, open)))
            }
        }
    }

    /// Someone without credentials may not end a channel.
    pub(super) fn refusal_to_end(&self, rules: &ChannelAccess) -> Problem {
        let ways = self.ways(Right::Manage, rules);
        let detail =
            format!("To end a channel takes {}, and the request carries none.", ways.noun());
        self.anonymous(detail, (ways, Right::Manage), None)
    }

    /// Their frames may not publish, whatever key they hold.
    pub(super) fn refusal_to_send(&self, rules: &ChannelAccess) -> Problem {
        let key = key(rules, "client_publish");
        let problem = Problem::new(
            Code::Forbidden,
            format!("A WebSocket's frames may not publish here: `{key}` is false."),
            format!("Publish by POST, or set `{key}` to true."),
        );
        self.keeping(problem, None)
    }

    /// What would let somebody in who shows nothing.
    fn ways(&self, right: Right, rules: &ChannelAccess) -> Ways {
        Ways {
            tokens: self.tokens.is_some(),
            every_user: rules.users.has(right),
            named_keys: self.somewhere.named_keys.has(right),
            master_keys: self.somewhere.master_keys,
        }
    }

    fn anonymous(
        &self,
        detail: String,
        (ways, right): (Ways, Right),
        open: Option<String>,
    ) -> Problem {
        let mut hint = ways.send(right, self.places.cookie.as_deref());
        if let Some(open) = open {
            hint.push_str(&format!(" Or let anyone in: set `{open}` to true."));
        }
        self.keeping(Problem::new(Code::Unauthorized, detail, hint), None)
    }

    fn mistaken(&self, mistake: &Mistake) -> Problem {
        match mistake {
            Mistake::Key => {
                let tokens =
                    if self.tokens.is_some() { "a token of one of `issuers`, " } else { "" };
                let hint = format!(
                    "Send {tokens}one of `auth.publisher_keys` or `keys`, or none where none is \
                     needed."
                );
                let detail = "The key that the request carries is none of this server's.";
                self.keeping(Problem::new(Code::Unauthorized, detail, hint), None)
            }
            Mistake::Token(failure) => {
                let detail = |why: &dyn std::fmt::Display| {
                    format!("The token that the request carries does not hold: {why}.")
                };
                let told = Problem::new(
                    Code::Unauthorized,
                    detail(&failure.kind()),
                    "Get a new one from its issuer; the server's log says more.",
                );
                self.keeping(told, Some((detail(failure), failure.change())))
            }
            Mistake::Refused(problem) => (**problem).clone(),
        }
    }

    /// Good credentials that do not reach so far.
    fn uncovered(
        &self,
        holder: &Holder,
        right: Right,
        channel: Option<&ChannelName>,
        rules: &ChannelAccess,
    ) -> Problem {
        let name = right.name();
        let (what, grant) = match &holder.kind {
            HolderKind::Key(Some(key)) => (format!("key `{key}`"), format!("`keys.{key}.{name}`")),
            HolderKind::Key(None) => ("key".to_owned(), "the key".to_owned()),
            HolderKind::Token => {
                ("token".to_owned(), format!("`{}.{name}` of the token", super::token::GRANTS))
            }
            HolderKind::Hook => {
                ("backend's answer".to_owned(), format!("`grants.{name}` of the backend's answer"))
            }
        };
        let patterns = holder.grants.patterns(right);
        let detail = match (patterns, channel) {
            ([], _) => format!("The {what} does not grant `{name}`."),
            (_, None) => format!("The {what} grants `{name}` over no channel that there could be."),
            (patterns, Some(channel)) => {
                format!("The {what} does not grant `{name}` here: {}.", cover(patterns, channel))
            }
        };
        let mut hint = format!("Add a pattern that covers the channel to {grant}");
        if holder.is_user() {
            hint.push_str(&format!(", or `{name}` to `{}`", key(rules, "users")));
        }
        hint.push('.');
        let (kind, remedy) = match &holder.kind {
            HolderKind::Key(_) => ("key", "Show one that does"),
            HolderKind::Token => ("token", "Show one that does"),
            HolderKind::Hook => ("session", "Log in as somebody who may"),
        };
        let told = Problem::new(
            Code::Forbidden,
            format!("The {kind} does not grant `{name}` here."),
            format!("{remedy}; the server's log says what this {kind} grants."),
        );
        self.keeping(told, Some((detail, hint)))
    }

    /// A refusal as it is told: in `dev` with everything that is known, in `serve` so, with what is
    /// known for the log; without more, that is the same.
    pub(super) fn keeping(&self, told: Problem, known: Option<(String, String)>) -> Problem {
        if !self.asks() {
            return match known {
                Some((detail, hint)) => Problem::new(told.code(), detail, hint),
                None => told,
            };
        }
        let untold = match known {
            Some((why, change)) => Untold { why: why.into(), change: change.into() },
            None => Untold {
                why: told.detail().to_owned().into(),
                change: told.hint().to_owned().into(),
            },
        };
        told.keeping(untold)
    }
}

impl Ways {
    /// What a right takes, in words, and the key that opens it to anyone.
    fn wanted(self, right: Right) -> (String, Option<&'static str>) {
        let noun = self.noun();
        match right {
            Right::Subscribe => (
                format!("Reading here takes {noun}, and the request carries none."),
                Some("anonymous_subscribe"),
            ),
            Right::Publish => (
                format!("Publishing here takes {noun}, and the request carries none."),
                Some("anonymous_publish"),
            ),
            Right::Presence => (
                format!(
                    "Who reads here is told to holders of {noun}, and the request carries none."
                ),
                Some("anonymous_subscribe"),
            ),
            Right::History => (
                format!("History here is for holders of {noun}, and the request carries none."),
                Some("anonymous_subscribe"),
            ),
            Right::Manage => {
                (format!("To remove a channel takes {noun}, and the request carries none."), None)
            }
        }
    }

    fn noun(self) -> &'static str {
        match (self.tokens, self.named_keys || self.master_keys) {
            (false, true) => "a key",
            (true, false) => "a token",
            _ => "a token or a key",
        }
    }

    /// What to send, and how.
    fn send(self, right: Right, cookie: Option<&str>) -> String {
        let right = right.name();
        let token = match (self.tokens, self.every_user) {
            (false, _) => None,
            (true, true) => Some("any token of one of `issuers`".to_owned()),
            (true, false) => Some(format!("a token of one of `issuers` that grants `{right}`")),
        };
        let key = match (self.named_keys, self.master_keys) {
            (false, false) => None,
            (false, true) => Some("one of `auth.publisher_keys`".to_owned()),
            (true, false) => Some(format!("one of `keys` that grants `{right}`")),
            (true, true) => {
                Some(format!("one of `keys` that grants `{right}` or of `auth.publisher_keys`"))
            }
        };
        let place = if token.is_some() { "token" } else { "key" };
        let cookie = cookie.map(|name| format!(", its pages may have the cookie `{name}`"));
        let cookie = cookie.unwrap_or_default();
        let ways: Vec<_> = token.into_iter().chain(key).collect();
        if ways.is_empty() {
            return format!(
                "Nobody is configured who may: add a key under `keys` that grants `{right}`, or an \
                 issuer of tokens under `issuers`."
            );
        }
        format!(
            "Send {} as `Authorization: Bearer <{place}>`; a browser's WebSocket offers the \
             subprotocol `bearer.<{place}>`{cookie}.",
            ways.join(", or ")
        )
    }
}

/// Says that patterns do not cover a channel: "pattern chat:* does not cover news".
fn cover(patterns: &[Pattern], channel: &ChannelName) -> String {
    let told: Vec<_> = patterns.iter().take(PATTERNS_TOLD).map(Pattern::to_string).collect();
    let (told, channel) = (told.join(", "), channel.as_str());
    match patterns {
        [pattern] if pattern.is_vain() => {
            format!("pattern {told} covers nothing, because the token's subject cannot stand in it")
        }
        [_] => format!("pattern {told} does not cover {channel}"),
        _ if patterns.len() <= PATTERNS_TOLD => {
            format!("none of the patterns {told} covers {channel}")
        }
        _ => {
            let more = patterns.len() - PATTERNS_TOLD;
            format!("none of the patterns {told} and {more} more covers {channel}")
        }
    }
}

/// The key of the configuration that says this for the channels of the namespace.
fn key(rules: &ChannelAccess, name: &str) -> String {
    match &rules.namespace {
        Some(namespace) => format!("namespaces.{namespace}.{name}"),
        None => format!("auth.{name}"),
    }
}

//! Who may publish and who may read.
//!
//! Shards and the edge ask the same [`Access`], so that a request is answered alike wherever it is
//! handled: first who sent it, once, then for each channel whether they may. Credentials are never
//! logged.

mod admitted;
mod again;
mod caller;
mod carried;
pub(crate) mod grant;
mod identity;
pub(crate) mod key;
mod refusal;
mod renewal;
pub(crate) mod token;
mod trace;

use std::fmt;
use std::sync::Arc;

use fanfare_core::name::ChannelName;
use fanfare_core::prefix::Prefixes;
use fanfare_core::presence::Notices;
use fanfare_core::publication::End;
use fanfare_core::start::Subscription;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::head::Head;
use fanfare_protocol::native::problem::Problem;

pub(crate) use admitted::Admission;
pub(crate) use again::Again;
pub(crate) use caller::{Caller, Holder};
pub(crate) use carried::{Places, cookie_counts};
pub(crate) use identity::Identity;
pub(crate) use key::PublisherKey;
pub(crate) use renewal::NotRenewed;
pub(crate) use token::Rounds;
pub(crate) use trace::told;

use caller::{Mistake, Standing};
use grant::{Right, Rights};
use key::Keys;
use token::{Tokens, is_token};

#[cfg(test)]
pub(crate) mod tests;

/// Who may do what on this node.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    asked: Asked,
    /// None where no issuer is known; then nothing is taken for a token.
    tokens: Option<Arc<Tokens>>,
    /// What holds for the channels of namespaces, by prefix, and for all others.
    namespaces: Prefixes<ChannelAccess>,
    rest: ChannelAccess,
    somewhere: Somewhere,
    places: Places,
}

/// Who is asked for credentials.
#[derive(Debug, Clone)]
enum Asked {
    /// Nobody: `dev`, which listens on loopback only. A token that is shown all the same is taken at
    /// its word, so that what it grants can be tried.
    Nobody,
    /// Everyone; these keys are known.
    Everyone(Keys),
}

/// Who may do what with the channels of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct ChannelAccess {
    /// What the namespace is called; none for the channels of no namespace.
    pub namespace: Option<Box<str>>,
    /// Whether they are read without a key.
    pub anonymous_subscribe: bool,
    /// Whether they are published to without a key.
    pub anonymous_publish: bool,
    /// Whether the frames of a WebSocket publish to them.
    pub client_publish: bool,
    /// What every user may do with them.
    pub users: Rights,
}

/// What can be done with the channels of one namespace at least.
#[derive(Debug, Clone, Copy)]
struct Somewhere {
    subscribe_anonymously: bool,
    publish_anonymously: bool,
    send: bool,
    send_anonymously: bool,
    users: Rights,
    /// What keys grant that have a name.
    named_keys: Rights,
    /// Whether there are keys that grant everything.
    master_keys: bool,
}

/// What a request carries to show who sent it, borrowed from its head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Credentials<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The token of an offered subprotocol `bearer.<token>`, for browsers' WebSockets.
    pub subprotocol_token: Option<&'a [u8]>,
    /// The `token` of the query.
    pub query_token: Option<&'a [u8]>,
    /// The value of the cookie that holds a token.
    pub cookie_token: Option<&'a [u8]>,
}

impl Asked {
    fn holders(&self) -> impl Iterator<Item = &Holder> {
        let keys = match self {
            Self::Nobody => None,
            Self::Everyone(keys) => Some(keys),
        };
        keys.into_iter().flat_map(Keys::holders)
    }

    /// The rights that some key grants that has a name.
    fn granted_by_name(&self) -> Rights {
        let named = || self.holders().filter(|holder| holder.kind.has_name());
        let granted = |right: &Right| named().any(|holder| holder.grants.give(*right));
        Right::ALL.into_iter().filter(granted).collect()
    }
}

impl Access {
    /// Everyone is trusted, for `dev`; the rules say whether frames may publish.
    pub(crate) fn open(
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        Self::new(Asked::Nobody, rest, namespaces)
    }

    /// Holders of `keys` may what these grant, the rules say what others may; `namespaces` are by
    /// prefix.
    pub(crate) fn keyed(
        keys: impl IntoIterator<Item = PublisherKey>,
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        Self::new(Asked::Everyone(Keys::new(keys)), rest, namespaces)
    }

    fn new(
        asked: Asked,
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        let namespaces = Prefixes::new(namespaces);
        let any =
            |holds: &dyn Fn(&ChannelAccess) -> bool| holds(&rest) || namespaces.values().any(holds);
        let somewhere = Somewhere {
            subscribe_anonymously: any(&|it| it.anonymous_subscribe),
            publish_anonymously: any(&|it| it.anonymous_publish),
            send: any(&|it| it.client_publish),
            send_anonymously: any(&|it| it.client_publish && it.anonymous_publish),
            users: Right::ALL.into_iter().filter(|right| any(&|it| it.users.has(*right))).collect(),
            named_keys: asked.granted_by_name(),
            master_keys: asked.holders().any(|holder| !holder.kind.has_name()),
        };
        Self { asked, tokens: None, namespaces, rest, somewhere, places: Places::default() }
    }

    /// The same, with more places to look for credentials in.
    pub(crate) fn looking_in(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// The same, taking tokens.
    pub(crate) fn with_tokens(self, tokens: Option<Arc<Tokens>>) -> Self {
        Self { tokens, ..self }
    }

    /// Who sent a request with these credentials at this time.
    pub(crate) fn caller(&self, credentials: Credentials<'_>, now: UnixMillis) -> Caller {
        let secret = credentials.token();
        if let (Some(tokens), Some(token)) = (&self.tokens, secret)
            && is_token(token)
        {
            return match tokens.verify(token, now) {
                Ok(holder) => Caller::holding(holder),
                Err(failure) => {
                    let mistake = Mistake::Token(Arc::new(failure));
                    Caller { standing: Standing::Mistaken(mistake) }
                }
            };
        }
        let standing = match (&self.asked, secret) {
            (Asked::Nobody, _) => Standing::Unasked,
            (Asked::Everyone(_), None) => Standing::Anonymous,
            (Asked::Everyone(keys), Some(secret)) => match keys.find(secret) {
                Some(holder) => Standing::Holder(holder),
                None => Standing::Mistaken(Mistake::Key),
            },
        };
        Caller { standing }
    }

    /// Who sent a request with this head.
    pub(crate) fn sender(&self, head: &Head<'_>, now: UnixMillis) -> Caller {
        self.caller(Credentials::of(head, &self.places), now)
    }

    /// The same, for who can wait: while the keys of the token's issuer are
    /// being fetched, it is waited for them.
    pub(crate) async fn sender_in_time(
        &self,
        head: &Head<'_>,
        now: impl Fn() -> UnixMillis,
    ) -> Caller {
        let credentials = Credentials::of(head, &self.places);
        let Some(tokens) = &self.tokens else { return self.caller(credentials, now()) };
        // Before the first look, so that no round is missed in between.
        let mut rounds = tokens.rounds();
        let mut caller = self.caller(credentials, now());
        let waiting = async {
            // A round may have been another issuer's.
            while caller.may_pass_soon() && rounds.next().await {
                caller = self.caller(credentials, now());
            }
        };
        let _late = tokio::time::timeout(Rounds::WITHIN, waiting).await;
        caller
    }

    /// Whether the caller may read a channel, from the past on as well.
    ///
    /// # Errors
    /// What to tell the caller: 401, or 403 where their credentials are good and not enough.
    pub(crate) fn may_subscribe(
        &self,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<(), Problem> {
        self.may(caller, Right::Subscribe, channel)
    }

    /// Whether the caller may read a channel and, with notices, be told who else does.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_attach(
        &self,
        caller: &Caller,
        channel: &ChannelName,
        notices: Notices,
    ) -> Result<(), Problem> {
        self.may_subscribe(caller, channel)?;
        match notices {
            Notices::On => self.may_list(caller, channel),
            Notices::Off => Ok(()),
        }
    }

    /// Whether the caller may list who reads a channel.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_list(&self, caller: &Caller, channel: &ChannelName) -> Result<(), Problem> {
        self.may(caller, Right::Presence, channel)
    }

    /// Whether the caller may ask for pages of a channel's history.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_look_back(
        &self,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<(), Problem> {
        self.may(caller, Right::History, channel)
    }

    /// Whether the caller may read each of these channels on one connection; without any, whether
    /// the connection could be of use at all.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_open(
        &self,
        caller: &Caller,
        subscriptions: &[Subscription],
    ) -> Result<(), Problem> {
        if subscriptions.is_empty() {
            let Somewhere { subscribe_anonymously, send_anonymously, .. } = self.somewhere;
            return match caller.standing {
                Standing::Unasked | Standing::Holder(_) => Ok(()),
                Standing::Anonymous if subscribe_anonymously || send_anonymously => Ok(()),
                _ => Err(self.refusal(caller, Right::Subscribe, None, &self.rest)),
            };
        }
        subscriptions.iter().try_for_each(|it| self.may_attach(caller, &it.channel, it.notices))
    }

    /// Whether the caller may publish to a channel by a request of HTTP. To end it they also have to
    /// be allowed to manage it.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_publish(
        &self,
        caller: &Caller,
        channel: &ChannelName,
        end: End,
    ) -> Result<(), Problem> {
        if end == End::Close {
            self.may(caller, Right::Manage, channel).map_err(|problem| match caller.standing {
                Standing::Anonymous => self.refusal_to_end(self.of(channel)).about(channel, None),
                _ => problem,
            })?;
        }
        self.may(caller, Right::Publish, channel)
    }

    /// Whether the caller may publish to one of these channels, so that the body is worth reading;
    /// without any, whether there could be one.
    ///
    /// # Errors
    /// What to tell the caller, 401, about the first channel.
    pub(crate) fn may_publish_to_any<'a>(
        &self,
        caller: &Caller,
        channels: impl IntoIterator<Item = &'a ChannelName>,
        end: End,
    ) -> Result<(), Problem> {
        let may = any(channels, |channel| self.may_publish(caller, channel, end));
        may.unwrap_or_else(|| self.may_publish_somewhere(caller))
    }

    /// Whether the caller may publish by a request of HTTP to any channel there could be.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_publish_somewhere(&self, caller: &Caller) -> Result<(), Problem> {
        let may = match &caller.standing {
            Standing::Unasked => true,
            Standing::Anonymous => self.somewhere.publish_anonymously,
            Standing::Holder(holder) => {
                holder.grants.give(Right::Publish)
                    || self.asks() && self.somewhere.publish_anonymously
                    || holder.is_user() && self.somewhere.users.has(Right::Publish)
            }
            Standing::Mistaken(_) => false,
        };
        if may { Ok(()) } else { Err(self.refusal(caller, Right::Publish, None, &self.rest)) }
    }

    /// Whether the caller may publish to a channel by the frame of a WebSocket.
    ///
    /// # Errors
    /// What to tell the caller: 403 where no key would help, else 401.
    pub(crate) fn may_send(
        &self,
        caller: &Caller,
        channel: &ChannelName,
        end: End,
    ) -> Result<(), Problem> {
        if !self.of(channel).client_publish {
            return Err(self.refusal_to_send(self.of(channel)).about(channel, None));
        }
        self.may_publish(caller, channel, end)
    }

    /// Whether the caller may publish by the frame of a WebSocket to any channel there could be.
    ///
    /// # Errors
    /// What to tell the caller: 403 where no key would help, else 401.
    pub(crate) fn may_send_somewhere(&self, caller: &Caller) -> Result<(), Problem> {
        match caller.standing {
            _ if !self.somewhere.send => Err(self.refusal_to_send(&self.rest)),
            Standing::Anonymous if !self.somewhere.send_anonymously => {
                Err(self.refusal(caller, Right::Publish, None, &self.rest))
            }
            _ => self.may_publish_somewhere(caller),
        }
    }

    /// Whether the caller may remove a channel.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`].
    pub(crate) fn may_remove(&self, caller: &Caller, channel: &ChannelName) -> Result<(), Problem> {
        self.may(caller, Right::Manage, channel)
    }

    /// Whether the caller may remove one of these channels, or there is none among them.
    ///
    /// # Errors
    /// As [`Self::may_subscribe`], about the first channel.
    pub(crate) fn may_remove_any<'a>(
        &self,
        caller: &Caller,
        channels: impl IntoIterator<Item = &'a ChannelName>,
    ) -> Result<(), Problem> {
        any(channels, |channel| self.may_remove(caller, channel)).unwrap_or(Ok(()))
    }

    /// The one place where it is decided.
    fn may(&self, caller: &Caller, right: Right, channel: &ChannelName) -> Result<(), Problem> {
        let rules = self.of(channel);
        let may = match &caller.standing {
            Standing::Unasked => true,
            Standing::Anonymous => rules.lets_anyone(right),
            Standing::Holder(holder) => {
                holder.grants.cover(right, channel.as_str())
                    || self.asks() && rules.lets_anyone(right)
                    || holder.is_user() && rules.users.has(right)
            }
            Standing::Mistaken(_) => false,
        };
        if may {
            return Ok(());
        }
        let problem = self.refusal(caller, right, Some(channel), rules);
        // What the backend refused may be about another of the channels.
        Err(match problem.channel() {
            Some(_) => problem,
            None => problem.about(channel, None),
        })
    }

    /// Whether credentials are asked for. Where they are not everything is open, so that what
    /// somebody shows all the same says less than showing nothing.
    fn asks(&self) -> bool {
        matches!(self.asked, Asked::Everyone(_))
    }

    fn of(&self, channel: &ChannelName) -> &ChannelAccess {
        self.namespaces.of(channel.as_str()).unwrap_or(&self.rest)
    }
}

/// Whether one of these channels may be, else why the first may not; none if there is none.
fn any<'a>(
    channels: impl IntoIterator<Item = &'a ChannelName>,
    may: impl Fn(&ChannelName) -> Result<(), Problem>,
) -> Option<Result<(), Problem>> {
    let mut channels = channels.into_iter();
    let first = may(channels.next()?);
    Some(first.or_else(|problem| {
        if channels.any(|channel| may(channel).is_ok()) { Ok(()) } else { Err(problem) }
    }))
}

impl ChannelAccess {
    /// Whether a right takes no credentials. Who may read may also look back and see who else reads.
    fn lets_anyone(&self, right: Right) -> bool {
        match right {
            Right::Subscribe | Right::Presence | Right::History => self.anonymous_subscribe,
            Right::Publish => self.anonymous_publish,
            Right::Manage => false,
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl<'a> Credentials<'a> {
    /// The bearer token: that of `Authorization` (RFC 6750, the scheme in any case) if there is
    /// one, else that of the subprotocol, of the query, of the cookie: what the request says itself
    /// goes before what a browser adds.
    fn token(self) -> Option<&'a [u8]> {
        let said = self.authorization.and_then(bearer).or(self.subprotocol_token);
        said.or(self.query_token).or(self.cookie_token)
    }
}

/// The token of an `Authorization` value with the scheme `Bearer`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

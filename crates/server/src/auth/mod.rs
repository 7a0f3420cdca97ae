//! Who may publish and who may read.
//!
//! Shards and the edge ask the same [`Access`], so that a request is answered alike wherever it is
//! handled: first who sent it, once, then for each channel whether they may. It knows credentials as
//! bytes, not the requests that carried them, and never logs them.

mod refusal;

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use fanfare_core::name::{ChannelHash, ChannelName};
use fanfare_core::prefix::Prefixes;
use fanfare_core::publication::{End, Publisher};
use fanfare_protocol::native::problem::Problem;

pub(crate) use identity::Identity;

mod identity;
#[cfg(test)]
pub(crate) mod tests;

/// Who may do what on this node.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    trusting: Trusting,
    /// What holds for the channels of namespaces, by prefix, and for all others.
    namespaces: Prefixes<ChannelAccess>,
    rest: ChannelAccess,
    somewhere: Somewhere,
}

/// Who may do everything that can be done with a key.
#[derive(Debug, Clone)]
enum Trusting {
    /// Whoever reaches the server: `dev`, which listens on loopback only.
    Anyone,
    /// Who holds one of these keys.
    Keys(Arc<[PublisherKey]>),
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
}

/// What can be done with the channels of one namespace at least.
#[derive(Debug, Clone, Copy)]
struct Somewhere {
    subscribe_anonymously: bool,
    publish_anonymously: bool,
    send: bool,
    send_anonymously: bool,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    publisher: Publisher,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Showed a key, or is asked for none.
    Trusted,
    /// Showed no key.
    Anonymous,
    /// Showed a key that is none. It is refused even where none is needed, so that a mistyped one is
    /// noticed.
    Mistaken,
}

/// One publisher's key and the name that idempotency keys are kept under.
#[derive(Clone)]
pub(crate) struct PublisherKey {
    secret: Box<[u8]>,
    publisher: Arc<str>,
}

/// What a request carries to show who sent it, borrowed from its head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Credentials<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The token of an offered subprotocol `bearer.<token>`, for browsers' WebSockets.
    pub subprotocol_token: Option<&'a [u8]>,
}

impl Access {
    /// Everyone is trusted, for `dev`; the rules say whether frames may publish.
    pub(crate) fn open(
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        Self::new(Trusting::Anyone, rest, namespaces)
    }

    /// Holders of `keys` are trusted, the rules say what others may; `namespaces` are by prefix.
    pub(crate) fn keyed(
        keys: impl IntoIterator<Item = PublisherKey>,
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        Self::new(Trusting::Keys(keys.into_iter().collect()), rest, namespaces)
    }

    fn new(
        trusting: Trusting,
        rest: ChannelAccess,
        namespaces: impl IntoIterator<Item = (Box<str>, ChannelAccess)>,
    ) -> Self {
        let namespaces = Prefixes::new(namespaces);
        let any =
            |holds: fn(&ChannelAccess) -> bool| holds(&rest) || namespaces.values().any(holds);
        let somewhere = Somewhere {
            subscribe_anonymously: any(|it| it.anonymous_subscribe),
            publish_anonymously: any(|it| it.anonymous_publish),
            send: any(|it| it.client_publish),
            send_anonymously: any(|it| it.client_publish && it.anonymous_publish),
        };
        Self { trusting, namespaces, rest, somewhere }
    }

    /// Who sent a request with these credentials.
    pub(crate) fn caller(&self, credentials: Credentials<'_>) -> Caller {
        let Trusting::Keys(keys) = &self.trusting else {
            return Caller { publisher: None, standing: Standing::Trusted };
        };
        let Some(token) = credentials.token() else {
            return Caller { publisher: None, standing: Standing::Anonymous };
        };
        // Every key is compared, so that the time taken does not say which one came close.
        let mut publisher = None;
        for key in keys.iter() {
            if key.matches(token) {
                publisher = Some(Arc::clone(&key.publisher));
            }
        }
        let standing = if publisher.is_some() { Standing::Trusted } else { Standing::Mistaken };
        Caller { publisher, standing }
    }

    /// Whether the caller may read a channel and its history.
    ///
    /// # Errors
    /// What to tell the caller, 401.
    pub(crate) fn may_subscribe(
        &self,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<(), Problem> {
        match caller.standing {
            Standing::Trusted => Ok(()),
            Standing::Anonymous if self.of(channel).anonymous_subscribe => Ok(()),
            _ => Err(refusal::subscribe(caller, self.of(channel)).about(channel, None)),
        }
    }

    /// Whether the caller may read each of these channels on one connection; without any, whether
    /// the connection could be of use at all.
    ///
    /// # Errors
    /// What to tell the caller, 401.
    pub(crate) fn may_open<'a>(
        &self,
        caller: &Caller,
        channels: impl IntoIterator<Item = &'a ChannelName>,
    ) -> Result<(), Problem> {
        let mut channels = channels.into_iter().peekable();
        if channels.peek().is_none() {
            let Somewhere { subscribe_anonymously, send_anonymously, .. } = self.somewhere;
            return match caller.standing {
                Standing::Trusted => Ok(()),
                Standing::Anonymous if subscribe_anonymously || send_anonymously => Ok(()),
                _ => Err(refusal::subscribe(caller, &self.rest)),
            };
        }
        channels.try_for_each(|channel| self.may_subscribe(caller, channel))
    }

    /// Whether the caller may publish to a channel by a request of HTTP. To end it takes a key.
    ///
    /// # Errors
    /// What to tell the caller, 401.
    pub(crate) fn may_publish(
        &self,
        caller: &Caller,
        channel: &ChannelName,
        end: End,
    ) -> Result<(), Problem> {
        match (caller.standing, end) {
            (Standing::Trusted, _) => return Ok(()),
            (Standing::Anonymous, End::Open) if self.of(channel).anonymous_publish => return Ok(()),
            _ => {}
        }
        let refusal = match end {
            End::Open => refusal::publish(caller, self.of(channel)),
            End::Close => refusal::end(caller),
        };
        Err(refusal.about(channel, None))
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
        let mut first = None;
        for channel in channels {
            match self.may_publish(caller, channel, end) {
                Ok(()) => return Ok(()),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        first.map_or_else(|| self.may_publish_somewhere(caller), Err)
    }

    /// Whether the caller may publish by a request of HTTP to any channel there could be.
    ///
    /// # Errors
    /// What to tell the caller, 401.
    pub(crate) fn may_publish_somewhere(&self, caller: &Caller) -> Result<(), Problem> {
        match caller.standing {
            Standing::Trusted => Ok(()),
            Standing::Anonymous if self.somewhere.publish_anonymously => Ok(()),
            _ => Err(refusal::publish(caller, &self.rest)),
        }
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
            return Err(refusal::send(self.of(channel)).about(channel, None));
        }
        self.may_publish(caller, channel, end)
    }

    /// Whether the caller may publish by the frame of a WebSocket to any channel there could be.
    ///
    /// # Errors
    /// What to tell the caller: 403 where no key would help, else 401.
    pub(crate) fn may_send_somewhere(&self, caller: &Caller) -> Result<(), Problem> {
        match caller.standing {
            _ if !self.somewhere.send => Err(refusal::send(&self.rest)),
            Standing::Trusted => Ok(()),
            Standing::Anonymous if self.somewhere.send_anonymously => Ok(()),
            _ => Err(refusal::publish(caller, &self.rest)),
        }
    }

    /// Whether the caller may remove channels, which takes a key.
    ///
    /// # Errors
    /// What to tell the caller, 401.
    pub(crate) fn may_remove(&self, caller: &Caller) -> Result<(), Problem> {
        match caller.standing {
            Standing::Trusted => Ok(()),
            Standing::Anonymous | Standing::Mistaken => Err(refusal::remove(caller)),
        }
    }

    fn of(&self, channel: &ChannelName) -> &ChannelAccess {
        self.namespaces.of(channel.as_str()).unwrap_or(&self.rest)
    }
}

impl Caller {
    /// Whether they showed a key, or are asked for none.
    pub(crate) fn is_trusted(&self) -> bool {
        self.standing == Standing::Trusted
    }

    /// The name under which they publish, none for anonymous ones.
    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }
}

impl PublisherKey {
    /// The key `secret`. Its publisher's name is made of the secret's hash, so that it stays the
    /// same when keys are reordered and gives nothing away.
    pub(crate) fn new(secret: &str) -> Self {
        Self {
            publisher: format!("key:{:?}", ChannelHash::of(secret)).into(),
            secret: secret.as_bytes().into(),
        }
    }

    /// Compares in a time that depends on the lengths only.
    fn matches(&self, token: &[u8]) -> bool {
        if token.len() != self.secret.len() {
            return false;
        }
        let differing = self
            .secret
            .iter()
            .zip(token)
            .fold(0_u8, |differing, (left, right)| black_box(differing | (left ^ right)));
        differing == 0
    }
}

impl fmt::Debug for PublisherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublisherKey(…)")
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl<'a> Credentials<'a> {
    /// The bearer token: that of `Authorization` (RFC 6750, the scheme in any case) if there is
    /// one, else that of the subprotocol.
    fn token(self) -> Option<&'a [u8]> {
        self.authorization.and_then(bearer).or(self.subprotocol_token)
    }
}

/// The token of an `Authorization` value with the scheme `Bearer`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

//! Who may publish and who may read.
//!
//! Shards and the edge ask the same [`Access`], so that a request is answered alike wherever it is
//! handled. It knows credentials as bytes, not the requests that carried them, and never logs them.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelHash;
use fanfare_core::publication::Publisher;

#[cfg(test)]
mod tests;

/// Who may do what on this node.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Who may publish, remove and end channels.
    pub publishing: Publishing,
    /// Who may read them.
    pub subscribing: Subscribing,
}

/// Who may publish.
#[derive(Debug, Clone)]
pub(crate) enum Publishing {
    /// Whoever reaches the server: `dev`, which listens on loopback only.
    Anyone,
    /// Who holds one of these keys.
    Keys(Arc<[PublisherKey]>),
}

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribing {
    /// Everyone (`--anonymous-subscribe`).
    Anyone,
    /// Who may publish.
    Publishers,
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
    /// Everyone may do everything: for `dev`.
    pub(crate) fn open() -> Self {
        Self { publishing: Publishing::Anyone, subscribing: Subscribing::Anyone }
    }

    /// Holders of `keys` may publish, `subscribing` may read.
    pub(crate) fn keyed(
        keys: impl IntoIterator<Item = PublisherKey>,
        subscribing: Subscribing,
    ) -> Self {
        Self { publishing: Publishing::Keys(keys.into_iter().collect()), subscribing }
    }

    /// The name under which the request publishes, none for an anonymous publisher.
    ///
    /// # Errors
    /// [`Code::Unauthorized`] if it carries no key that is known.
    pub(crate) fn may_publish(&self, credentials: Credentials<'_>) -> Result<Publisher, Code> {
        let Publishing::Keys(keys) = &self.publishing else {
            return Ok(None);
        };
        let token = credentials.token().ok_or(Code::Unauthorized)?;
        // Every key is compared, so that the time taken does not say which one came close.
        let mut found = None;
        for key in keys.iter() {
            if key.matches(token) {
                found = Some(Arc::clone(&key.publisher));
            }
        }
        found.map(Some).ok_or(Code::Unauthorized)
    }

    /// Whether the request may read. A wrong key is refused even where none is needed, so that a
    /// mistyped one is noticed.
    ///
    /// # Errors
    /// [`Code::Unauthorized`] if it would need a key or carries one, and it is none that is known.
    pub(crate) fn may_subscribe(&self, credentials: Credentials<'_>) -> Result<(), Code> {
        match self.subscribing {
            Subscribing::Anyone if credentials.token().is_none() => Ok(()),
            Subscribing::Anyone | Subscribing::Publishers => {
                self.may_publish(credentials).map(drop)
            }
        }
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

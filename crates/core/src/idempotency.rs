//! Idempotency keys: the same key within its window gives the first answer.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::publication::{Content, Data, Detail, Draft, End, Lifetime, Published, Publisher};
use crate::shard::Origin;
use crate::time::Millis;

/// A key and its scope within a channel.
pub(crate) type KeyId = (Publisher, Box<str>);

/// What a publish said, so that a key that comes again can be told from a key used twice. The
/// condition (`expect`) and the session are no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DraftDigest([u8; 16]);

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum KeyState {
    /// Its publish is on its way; these wait for the same answer.
    Pending { digest: DraftDigest, joined: Vec<Origin> },
    /// Its publish was made.
    Done { digest: DraftDigest, published: Published },
}

/// The keys of one channel. They outlive its removal.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    keys: HashMap<KeyId, KeyState>,
    expiry: VecDeque<(Millis, KeyId)>,
}

impl KeyTable {
    /// What is known of a key.
    pub(crate) fn find(&mut self, key: &KeyId) -> Option<&mut KeyState> {
        self.keys.get_mut(key)
    }

    /// Remembers that a key's publish is on its way.
    pub(crate) fn begin(&mut self, key: KeyId, digest: DraftDigest) {
        self.keys.insert(key, KeyState::Pending { digest, joined: Vec::new() });
    }

    /// Remembers a key's answer until `expires`, and gives back who joined it.
    pub(crate) fn finish(
        &mut self,
        key: &KeyId,
        published: Published,
        expires: Millis,
    ) -> Vec<Origin> {
        let Some(state) = self.keys.get_mut(key) else {
            return Vec::new();
        };
        let KeyState::Pending { digest, joined } = state else {
            return Vec::new();
        };
        let joined = std::mem::take(joined);
        *state = KeyState::Done { digest: *digest, published };
        self.expiry.push_back((expires, key.clone()));
        joined
    }

    /// Remembers a key that an engine found at start, until `expires`.
    pub(crate) fn restore(
        &mut self,
        key: KeyId,
        digest: DraftDigest,
        published: Published,
        expires: Millis,
    ) {
        self.keys.insert(key.clone(), KeyState::Done { digest, published });
        let place = self.expiry.partition_point(|(at, _)| *at <= expires);
        self.expiry.insert(place, (expires, key));
    }

    /// Forgets a key whose publish was not made, and gives back who joined it.
    pub(crate) fn abandon(&mut self, key: &KeyId) -> Vec<Origin> {
        match self.keys.remove(key) {
            Some(KeyState::Pending { joined, .. }) => joined,
            Some(done @ KeyState::Done { .. }) => {
                self.keys.insert(key.clone(), done);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Takes away who joined a key whose outcome is in doubt; the key itself stays.
    pub(crate) fn take_joined(&mut self, key: &KeyId) -> Vec<Origin> {
        match self.keys.get_mut(key) {
            Some(KeyState::Pending { joined, .. }) => std::mem::take(joined),
            _ => Vec::new(),
        }
    }

    /// Forgets what has expired by `now`; says how many keys that were.
    pub(crate) fn expire(&mut self, now: Millis) -> usize {
        let before = self.keys.len();
        while let Some((at, _)) = self.expiry.front()
            && *at <= now
        {
            if let Some((_, key)) = self.expiry.pop_front() {
                self.keys.remove(&key);
            }
        }
        before - self.keys.len()
    }

    /// Until when the key that was remembered last is.
    pub(crate) fn remembered_until(&self) -> Option<Millis> {
        self.expiry.back().map(|(at, _)| *at)
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl DraftDigest {
    /// The digest that an engine stored.
    pub(crate) fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The digest as engines store it.
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Digests body, type, event, tags, conflation key, lifetime and end of a draft.
    pub(crate) fn of(draft: &Draft) -> Self {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(bytes);
        };
        match draft.lifetime {
            Lifetime::Retained => field(b"retained"),
            Lifetime::Live => field(b"live"),
            Lifetime::Expiring(ttl) => field(&ttl.as_millis().to_be_bytes()),
        }
        field(if draft.end == End::Close { b"close" } else { b"open" });
        if let Some(content) = &draft.content {
            digest_content(content, &mut field);
        }
        let digest = hasher.finalize();
        let mut head = [0; 16];
        head.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(head)
    }
}

fn digest_content(content: &Content, field: &mut impl FnMut(&[u8])) {
    field(match content.data {
        Data::Text(_) => b"text",
        Data::Json(_) => b"json",
        Data::Binary(_) => b"binary",
    });
    field(content.data.bytes());
    let none = Detail::default();
    let detail = content.detail.as_deref().unwrap_or(&none);
    for text in [&detail.event, &detail.content_type, &detail.conflate] {
        // An absent text and an empty one differ: the absent one has no field of its own.
        field(if text.is_some() { b"+" } else { b"-" });
        field(text.as_deref().unwrap_or_default().as_bytes());
    }
    for tag in &detail.tags {
        field(tag.as_bytes());
    }
}

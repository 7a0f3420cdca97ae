//! Presence: who reads a channel, and what others are told of it.

use std::borrow::Borrow;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::frame::{Format, Frame};
use crate::name::ChannelName;
use crate::publication::SessionId;

/// Bytes of a client's id, at most.
pub const CLIENT_BYTES_MAX: usize = 255;

/// Bytes of what a member says of itself, at most.
pub const INFO_BYTES_MAX: usize = 1024;

/// What a member of a channel is known by. However many connections a client has, it is one
/// member. Lists are ordered by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// Who is logged in there, if anyone.
    pub user: Option<Arc<str>>,
    /// The client's own id, 1 to [`CLIENT_BYTES_MAX`] bytes without controls.
    pub client: Arc<str>,
}

/// A member of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is known by.
    pub id: MemberId,
    /// What it says of itself: JSON of at most [`INFO_BYTES_MAX`] bytes.
    pub info: Option<Arc<str>>,
}

/// As what a reader takes part in the presence of the channels that it reads.
#[derive(Debug, Clone)]
pub enum Attendance {
    /// As a member that is known by its connection alone.
    Unnamed {
        /// Who is logged in there, if anyone.
        user: Option<Arc<str>>,
        /// What it says of itself.
        info: Option<Arc<str>>,
    },
    /// As this member.
    Named(Arc<Member>),
    /// It is no member: somebody else counts it.
    Absent,
}

/// Whether a reader is told who comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notices {
    /// It is not.
    #[default]
    Off,
    /// It is, wherever its format has words for it.
    On,
}

/// How long a member is kept when its last connection has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linger {
    /// As long as a page may take to be loaded again.
    Grace,
    /// As long as a poller may take to poll again.
    Lease,
}

/// What readers that asked are told of a channel's members.
#[derive(Debug, Clone)]
pub struct News {
    /// The channel.
    pub channel: ChannelName,
    /// What has happened.
    pub change: Change,
    /// Members after it.
    pub count: usize,
}

/// What has happened to a channel's members.
#[derive(Debug, Clone)]
pub enum Change {
    /// One has come, or says something else of itself than before.
    Joined(Arc<Member>),
    /// One has gone.
    Left(Arc<Member>),
    /// Only their number is told, because there are too many, or because the reader has missed who
    /// came and went. Whoever needs to know asks for the list.
    Counted,
}

/// A question for the members of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceQuery {
    /// Those after this one; from the first without it.
    pub after: Option<MemberId>,
    /// Members at most.
    pub limit: usize,
    /// Bytes of ids and infos at most; one member is always given.
    pub bytes: usize,
}

/// Some of the members of a channel, in the order of their ids.
#[derive(Debug, Clone)]
pub struct PresencePage {
    /// The members.
    pub members: Vec<Arc<Member>>,
    /// All members there are, those that are not listed included.
    pub count: usize,
    /// After which the next page begins; none at the end of the list.
    pub next: Option<MemberId>,
}

/// Encodes news. Gives an empty frame where a format has no words for it.
pub type EncodeNews = fn(&News, Format) -> Frame;

/// A member in a table that is ordered by ids.
#[derive(Debug, Clone)]
pub(crate) struct ById(pub(crate) Arc<Member>);

impl Member {
    /// The member that a connection is which gave no id: known by a hash of its session, from which
    /// nobody finds the session.
    #[must_use]
    pub fn unnamed(session: SessionId, info: Option<Arc<str>>) -> Self {
        let digest = Sha256::new().chain_update(b"client").chain_update(session.0.to_be_bytes());
        let mut client = String::with_capacity(2 * UNNAMED_BYTES);
        for byte in digest.finalize().iter().take(UNNAMED_BYTES) {
            // Writing to a string does not fail.
            let _written = write!(client, "{byte:02x}");
        }
        Self { id: MemberId { user: None, client: client.into() }, info }
    }
}

impl Default for Attendance {
    fn default() -> Self {
        Self::Unnamed { user: None, info: None }
    }
}

impl Attendance {
    /// The same where this user is logged in. Whatever id a client gives itself, it is then not the
    /// member that another user's client is.
    #[must_use]
    pub fn of_user(self, user: &Arc<str>) -> Self {
        match self {
            Self::Unnamed { info, .. } => Self::Unnamed { user: Some(Arc::clone(user)), info },
            Self::Named(member) => {
                let client = Arc::clone(&member.id.client);
                let id = MemberId { user: Some(Arc::clone(user)), client };
                Self::Named(Arc::new(Member { id, info: member.info.clone() }))
            }
            Self::Absent => Self::Absent,
        }
    }
}

impl Member {
    /// Bytes of all that is known of it.
    pub(crate) fn weight(&self) -> usize {
        let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        self.id.client.len() + optional(&self.id.user) + optional(&self.info)
    }
}

impl News {
    /// Who it is about, if it names anyone.
    #[must_use]
    pub fn subject(&self) -> Option<&MemberId> {
        match &self.change {
            Change::Joined(member) | Change::Left(member) => Some(&member.id),
            Change::Counted => None,
        }
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ById {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl Borrow<MemberId> for ById {
    fn borrow(&self) -> &MemberId {
        &self.0.id
    }
}

/// Bytes of the hash that an unnamed member is known by: too many for two to be the same by chance.
const UNNAMED_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::Member;
    use crate::publication::SessionId;

    #[test]
    fn the_id_of_an_unnamed_member_is_its_own_and_does_not_tell_the_session() {
        let unnamed = |bits| Member::unnamed(SessionId(bits), None);
        let (one, two) = (unnamed(1), unnamed(2));
        assert_eq!(one, unnamed(1));
        assert_ne!(one.id, two.id);
        assert_eq!(one.id.client.len(), 24);
        assert!(!one.id.client.contains("000000000001"), "{one:?}");
    }
}

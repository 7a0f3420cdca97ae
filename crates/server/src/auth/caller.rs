//! Who sent a request, as far as its credentials say.

use std::sync::Arc;
use std::time::Duration;

use fanfare_core::presence::Attendance;
use fanfare_core::publication::Publisher;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;

use super::admitted::with_info;
use super::again::Ground;
use super::grant::Grants;
use super::key::KeyHash;
use super::token::{Failure, Signed};

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(super) standing: Standing,
}

#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// Nobody is asked who they are.
    Unasked,
    /// Showed nothing.
    Anonymous,
    /// Showed what was found good.
    Holder(Arc<Holder>),
    /// Showed what was not. It is refused even where nothing is needed, so that a mistyped key is
    /// noticed.
    Mistaken(Mistake),
}

/// What is wrong with credentials.
#[derive(Debug, Clone)]
pub(super) enum Mistake {
    /// They are no key of this server.
    Key,
    /// They are a token that does not hold.
    Token(Arc<Failure>),
    /// The application's backend does not want them, or could not be asked.
    Refused(Arc<Problem>),
}

/// Who holds credentials that were found good. It is made once and shared, so that a request costs
/// no more than a look at it.
#[derive(Debug)]
pub(crate) struct Holder {
    /// What everything that they open and publish is kept under.
    publisher: Publisher,
    /// What the credentials are, for those who are told that they are not enough.
    pub(super) kind: HolderKind,
    user: Option<Arc<str>>,
    /// What the backend said of them for others to see.
    pub(super) info: Option<Arc<str>>,
    expires: Option<UnixMillis>,
    pub(super) grants: Arc<Grants>,
    /// Why they were found good.
    pub(super) ground: Ground,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum HolderKind {
    /// A publisher's key; those of a list have no name.
    Key(Option<Box<str>>),
    /// A token.
    Token,
    /// What the application's backend answered.
    Hook,
}

impl HolderKind {
    /// Whether the configuration has a name for it.
    pub(super) fn has_name(&self) -> bool {
        matches!(self, Self::Key(Some(_)))
    }
}

impl Holder {
    pub(super) fn of_key(
        publisher: Arc<str>,
        name: Option<Box<str>>,
        hash: KeyHash,
        grants: Grants,
    ) -> Self {
        let (publisher, kind) = (Some(publisher), HolderKind::Key(name));
        let (grants, ground) = (Arc::new(grants), Ground::Key(Box::new(hash)));
        Self { publisher, kind, user: None, info: None, expires: None, grants, ground }
    }

    pub(super) fn of_token(
        publisher: Arc<str>,
        user: Option<Arc<str>>,
        (expires, signed): (Option<UnixMillis>, Signed),
        grants: Arc<Grants>,
    ) -> Self {
        let (publisher, kind, ground) = (Some(publisher), HolderKind::Token, Ground::Token(signed));
        Self { publisher, kind, user, info: None, expires, grants, ground }
    }

    pub(super) fn of_hook(
        user: Option<Arc<str>>,
        info: Option<Arc<str>>,
        expires: Option<UnixMillis>,
        grants: Arc<Grants>,
    ) -> Self {
        let publisher = match &user {
            Some(user) => format!("hook:{user}"),
            None => "hook".to_owned(),
        };
        Self {
            publisher: Some(publisher.into()),
            kind: HolderKind::Hook,
            user,
            info,
            expires,
            grants,
            ground: Ground::Hook,
        }
    }

    /// Until when they are taken, in Unix milliseconds; none: for good.
    pub(super) fn expires(&self) -> Option<UnixMillis> {
        self.expires
    }

    /// Whether they are a user, for whom namespaces have rules of their own.
    pub(super) fn is_user(&self) -> bool {
        !matches!(self.kind, HolderKind::Key(_))
    }
}

impl Caller {
    pub(super) fn holding(holder: Arc<Holder>) -> Self {
        Self { standing: Standing::Holder(holder) }
    }

    /// The name under which they publish, none for anonymous ones.
    pub(crate) fn publisher(&self) -> &Publisher {
        match &self.standing {
            Standing::Holder(holder) => &holder.publisher,
            Standing::Unasked | Standing::Anonymous | Standing::Mistaken(_) => &NOBODY,
        }
    }

    /// The user that they are: the subject of their token. Two users of one server are never called
    /// the same, whoever issued their tokens.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        self.holder()?.user.as_ref()
    }

    /// As whom they take part in the presence of channels: as the user that they are, of whom others
    /// are told what the backend says, if it says anything.
    pub(crate) fn attends(&self, attendance: Attendance) -> Attendance {
        let attendance = match self.user() {
            Some(user) => attendance.of_user(user),
            None => attendance,
        };
        match self.info() {
            Some(info) => with_info(attendance, info),
            None => attendance,
        }
    }

    /// Whether limits for addresses and users do not hold for them: a key is the application's own,
    /// and in `dev` nobody is asked.
    pub(crate) fn is_unlimited(&self) -> bool {
        match &self.standing {
            Standing::Unasked => true,
            Standing::Anonymous | Standing::Mistaken(_) => false,
            Standing::Holder(holder) => !holder.is_user(),
        }
    }

    /// Until when their credentials are taken, in Unix milliseconds, the issuer's leeway included;
    /// none for those that do not expire.
    pub(crate) fn expires(&self) -> Option<UnixMillis> {
        self.holder()?.expires
    }

    /// Whether their token may hold in a moment, because its issuer's keys are being fetched.
    pub(crate) fn may_pass_soon(&self) -> bool {
        match &self.standing {
            Standing::Mistaken(Mistake::Token(failure)) => failure.may_pass(),
            _ => false,
        }
    }

    /// Whether their credentials were good once and are not any more.
    pub(crate) fn has_expired(&self, now: UnixMillis) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    /// How long their credentials are still good; none for those that do not expire.
    pub(crate) fn time_left(&self, now: UnixMillis) -> Option<Duration> {
        Some(Duration::from_millis(self.expires()?.saturating_sub(now)))
    }

    pub(super) fn holder(&self) -> Option<&Holder> {
        match &self.standing {
            Standing::Holder(holder) => Some(holder),
            Standing::Unasked | Standing::Anonymous | Standing::Mistaken(_) => None,
        }
    }
}

static NOBODY: Publisher = None;

//! Callers whom the application's backend knows, and those whom it does not want.

use std::sync::Arc;

use fanfare_core::presence::{Attendance, Member};
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;

use super::Caller;
use super::caller::{Holder, HolderKind, Mistake, Standing};
use super::grant::Grants;

/// What a backend says of somebody whom it lets in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission {
    /// Who they are; none: nobody in particular.
    pub user: Option<Arc<str>>,
    /// What others are told of them: JSON on one line, within the bounds of a member's info.
    pub info: Option<Arc<str>>,
    /// What they may do beside what everyone may.
    pub grants: Arc<Grants>,
    /// Until when, in Unix milliseconds; none: for good.
    pub expires: Option<UnixMillis>,
}

impl Caller {
    /// Somebody whom the backend lets in.
    pub(crate) fn admitted(admission: Admission) -> Self {
        let Admission { user, info, grants, expires } = admission;
        Self::holding(Arc::new(Holder::of_hook(user, info, expires, grants)))
    }

    /// Somebody who is refused for this, whatever they ask for.
    pub(crate) fn refused(problem: Problem) -> Self {
        Self { standing: Standing::Mistaken(Mistake::Refused(Arc::new(problem))) }
    }

    /// Whether they have shown nothing that says who they are.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.standing, Standing::Unasked | Standing::Anonymous)
    }

    /// Whether the backend is asked about what they do: not about programs of its own, which hold
    /// keys, and not about those who are refused anyway.
    pub(crate) fn is_asked_about(&self) -> bool {
        match &self.standing {
            Standing::Unasked | Standing::Anonymous => true,
            Standing::Holder(holder) => holder.is_user(),
            Standing::Mistaken(_) => false,
        }
    }

    /// Whether it was the backend who let them in.
    pub(crate) fn is_admitted(&self) -> bool {
        self.holder().is_some_and(|holder| holder.kind == HolderKind::Hook)
    }

    /// What they may do beside what everyone may; none where nothing was said.
    pub(crate) fn grants(&self) -> Option<&Arc<Grants>> {
        Some(&self.holder()?.grants)
    }

    /// The same caller, let in until then.
    pub(crate) fn until(&self, expires: UnixMillis) -> Self {
        Self::admitted(Admission {
            user: self.user().cloned(),
            info: self.info().cloned(),
            grants: self.grants().cloned().unwrap_or_default(),
            expires: Some(expires),
        })
    }

    /// What the backend said of them for others to see.
    pub(crate) fn info(&self) -> Option<&Arc<str>> {
        self.holder()?.info.as_ref()
    }
}

/// The same with this in place of what the reader says of itself.
pub(super) fn with_info(attendance: Attendance, info: &Arc<str>) -> Attendance {
    let info = Some(Arc::clone(info));
    match attendance {
        Attendance::Unnamed { user, .. } => Attendance::Unnamed { user, info },
        Attendance::Named(member) => {
            Attendance::Named(Arc::new(Member { id: member.id.clone(), info }))
        }
        Attendance::Absent => Attendance::Absent,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fanfare_core::code::Code;
    use fanfare_core::name::ChannelName;
    use fanfare_core::presence::Attendance;
    use fanfare_protocol::native::problem::Problem;

    use super::Admission;
    use crate::auth::Caller;
    use crate::auth::grant::{Grants, Pattern, Right};
    use crate::auth::tests::{Rules, everyone, keyed};

    #[test]
    fn whom_the_backend_lets_in_may_what_it_says_and_no_more() {
        let access = keyed(Rules::default(), []);
        let grants = Grants::default()
            .with(Right::Subscribe, vec![Pattern::new("user:{sub}:*", Some("ada")).unwrap()]);
        let caller = Caller::admitted(Admission {
            user: Some("ada".into()),
            info: Some("{\"name\":\"Ada\"}".into()),
            grants: Arc::new(grants),
            expires: Some(5_000),
        });
        let channel = |name| ChannelName::new(name).unwrap();
        access.may_subscribe(&caller, &channel("user:ada:inbox")).unwrap();
        let told = access.may_subscribe(&caller, &channel("user:bob:inbox")).unwrap_err();
        assert!(told.detail().contains("session does not grant"), "{}", told.detail());
        assert_eq!(caller.publisher().as_deref(), Some("hook:ada"));
        assert!(caller.has_expired(5_000) && !caller.is_unlimited() && caller.is_admitted());
        let Attendance::Unnamed { user, info } = caller.attends(Attendance::default()) else {
            panic!("it has given itself no id");
        };
        assert_eq!(user.as_deref(), Some("ada"));
        assert_eq!(info.as_deref(), Some("{\"name\":\"Ada\"}"));
    }

    #[test]
    fn whom_it_refuses_is_told_its_words_everywhere() {
        let problem = Problem::new(Code::Forbidden, "Not today.", "Come back tomorrow.");
        let caller = Caller::refused(problem.clone());
        for access in [keyed(Rules::default(), []), everyone()] {
            let channel = ChannelName::new("a").unwrap();
            for told in [
                access.may_subscribe(&caller, &channel),
                access.may_open(&caller, &[]),
                access.may_send_somewhere(&caller),
                access.may_publish_somewhere(&caller),
                access.may_remove(&caller, &channel),
            ] {
                assert_eq!(told.unwrap_err().detail(), "Not today.");
            }
        }
        assert!(!caller.is_asked_about() && !caller.is_unknown() && !caller.is_admitted());
    }
}

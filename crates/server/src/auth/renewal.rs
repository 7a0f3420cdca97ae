//! New credentials for a connection that goes on.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Notices;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;

use super::caller::Standing;
use super::grant::Right;
use super::token::Rounds;
use super::{Access, Caller, Credentials, Identity};

/// Why somebody's new credentials are not taken.
#[derive(Debug)]
pub(crate) struct NotRenewed {
    /// What to tell them: 401 where the token is not good, 403 where it is of somebody else.
    pub problem: Problem,
    /// What to wait for before it is looked at once more, if that may help: its issuer's keys are
    /// being fetched.
    pub rounds: Option<Rounds>,
}

impl Access {
    /// Who shows this token to stay connected as who they were.
    ///
    /// # Errors
    /// Why they are not.
    pub(crate) fn renewed(
        &self,
        was: &Identity,
        token: &[u8],
        now: UnixMillis,
    ) -> Result<Caller, NotRenewed> {
        let credentials = Credentials { subprotocol_token: Some(token), ..Credentials::default() };
        // Before the look, so that no round is missed in between.
        let rounds = self.tokens.as_ref().map(|tokens| tokens.rounds());
        let caller = self.caller(credentials, now);
        if let Standing::Mistaken(_) = caller.standing {
            let rounds = rounds.filter(|_| caller.may_pass_soon());
            let problem = self.refusal(&caller, Right::Subscribe, None, &self.rest);
            return Err(NotRenewed { problem, rounds });
        }
        if caller.is(was) {
            return Ok(caller);
        }
        let problem = Problem::new(
            Code::Forbidden,
            "The token is of somebody else than the connection.",
            "Refresh with a token of the same issuer and subject; open a new connection for another.",
        );
        Err(NotRenewed { problem: self.keeping(problem, None), rounds: None })
    }

    /// What is told whose credentials have expired while they were connected.
    pub(crate) fn expired() -> Problem {
        Problem::new(
            Code::Unauthorized,
            "The credentials of this connection have expired.",
            "Come back with new ones; `fanfare.v1` can `refresh` before that, a stream by \
             `POST /sessions/{id}`.",
        )
    }

    /// Whether who shows new credentials may go on with what they read.
    ///
    /// # Errors
    /// What to tell them, about the first channel that they may not.
    pub(crate) fn may_go_on<'a>(
        &self,
        caller: &Caller,
        channels: impl IntoIterator<Item = (&'a ChannelName, Notices)>,
    ) -> Result<(), Problem> {
        let mut channels = channels.into_iter();
        channels.try_for_each(|(channel, notices)| self.may_attach(caller, channel, notices))
    }
}

//! Asking is a state: requests that wait for an answer from elsewhere.

use crate::code::Code;
use crate::settings::Authority;
use crate::shard::{Answer, ConnectionId, Effect, Input, Origin, Refusal, Shard, Verdict};
use crate::time::{Millis, Now};

/// A request that waits for the authority.
#[derive(Debug)]
pub(super) struct Parked {
    connection: ConnectionId,
    question: u64,
    pub(super) deadline: Millis,
    input: Input,
}

impl Shard {
    /// Gives back an input that may go on at once; parks one that has to be asked about.
    pub(super) fn authorise(
        &mut self,
        input: Input,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Option<Input> {
        let asks = self.settings.authority == Authority::Asks;
        let connection = match &input {
            Input::Open { connection, .. } | Input::Subscribe { connection, .. } => *connection,
            Input::Ask { origin: Origin::Connection { connection, .. }, .. } => *connection,
            _ => return Some(input),
        };
        if !asks {
            return Some(input);
        }
        self.next_question += 1;
        let question = self.next_question;
        let timeout = u64::try_from(self.settings.authority_timeout.as_millis());
        let deadline = now.millis + timeout.unwrap_or(u64::MAX / 2);
        self.parked.push_back(Parked { connection, question, deadline, input });
        effects.push(Effect::Authorise { connection, question });
        None
    }

    /// Goes on with a request, or refuses it.
    pub(super) fn authorised(
        &mut self,
        connection: ConnectionId,
        question: u64,
        verdict: Verdict,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let asked =
            |parked: &Parked| parked.question == question && parked.connection == connection;
        let Some(at) = self.parked.iter().position(asked) else {
            return;
        };
        let Some(parked) = self.parked.remove(at) else {
            return;
        };
        match verdict {
            Verdict::Allowed => self.proceed(parked.input, now, effects),
            Verdict::Refused(code) => refuse(parked.input, code, effects),
        }
    }

    /// Refuses what the authority did not answer in time.
    pub(super) fn expire_parked(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(parked) = self.parked.pop_front_if(|parked| parked.deadline <= now.millis) {
            refuse(parked.input, Code::AuthorityTimeout, effects);
        }
    }

    /// Forgets what a connection that is gone had asked for.
    pub(super) fn forget_parked(&mut self, connection: ConnectionId) {
        self.parked.retain(|parked| parked.connection != connection);
    }
}

fn refuse(input: Input, code: Code, effects: &mut Vec<Effect>) {
    match input {
        Input::Open { connection, .. } => {
            effects.push(Effect::Refused { connection, request: None, code });
        }
        Input::Subscribe { connection, request, .. } => {
            effects.push(Effect::Refused { connection, request: Some(request), code });
        }
        Input::Ask { origin, channel, .. } => {
            let answer = Answer::Refused(Refusal { code, head: None });
            effects.push(Effect::Answer { origin, channel, answer });
        }
        _ => {}
    }
}

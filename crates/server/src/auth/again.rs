//! Who was let in by other rules, held against those of now.
//!
//! A connection outlives the configuration that it began under. What its holder showed is not kept,
//! so it is told by what is known of it whether it would be found good again.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_protocol::native::problem::Problem;

use super::caller::Standing;
use super::key::KeyHash;
use super::token::{Signed, Still};
use super::{Access, Asked, Caller};

/// By what somebody's credentials were found good.
#[derive(Debug)]
pub(super) enum Ground {
    /// The key with this hash.
    Key(Box<KeyHash>),
    /// A signature.
    Token(Signed),
    /// An answer of the application's backend.
    Hook,
}

/// What becomes of somebody who was let in by rules that hold no more.
#[derive(Debug)]
pub(crate) enum Again {
    /// They are who they were; what they may do is another question.
    Known(Caller),
    /// What they showed is good no more.
    Refused(Problem),
    /// It cannot be said without what they showed, so that they have to come again.
    Unsure,
}

impl Access {
    /// What becomes of a caller who is connected.
    pub(crate) fn again(&self, was: &Caller) -> Again {
        let Standing::Holder(holder) = &was.standing else {
            return Again::Known(was.clone());
        };
        match &holder.ground {
            Ground::Key(hash) => match &self.asked {
                Asked::Nobody => Again::Known(was.clone()),
                // What the key grants may be something else than before.
                Asked::Everyone(keys) => match keys.of_hash(**hash) {
                    Some(holder) => Again::Known(Caller::holding(Arc::clone(holder))),
                    None => Again::Refused(self.gone("The key of this connection is no more.")),
                },
            },
            // It is asked when they come, and before its answer expires.
            Ground::Hook => Again::Known(was.clone()),
            Ground::Token(signed) => {
                let still = self.tokens.as_ref().map(|tokens| tokens.still(*signed));
                match still.unwrap_or(Still::Bad) {
                    Still::Good => Again::Known(was.clone()),
                    Still::Bad => Again::Refused(self.gone(
                        "The token of this connection is signed with a key that is no more.",
                    )),
                    Still::Unsure => Again::Unsure,
                }
            }
        }
    }

    fn gone(&self, detail: &'static str) -> Problem {
        let hint = "Come back with other credentials.";
        self.keeping(Problem::new(Code::Unauthorized, detail, hint), None)
    }
}

//! Hooks: what the application's own backend is asked, and what it is told.
//!
//! A **question** ([`question`]) waits for its answer, and somebody's connection or command waits with
//! it; an **event** waits for nobody. Both are a signed `POST` ([`sign`]) by one bounded client
//! ([`client`]) on the edge's runtime. No shard ever waits here.

mod client;
mod endpoint;
pub(crate) mod events;
mod question;
mod sign;

pub(crate) use client::{Client, Failure, Message};
pub(crate) use endpoint::Endpoint;
pub(crate) use question::{
    AT_ONCE, Asked, AskedAbout, Facts, Figures, Hook, Outcome, QuestionParts, Questions, Reply,
    Tell, unanswered,
};
pub(crate) use sign::{Secret, Signer};

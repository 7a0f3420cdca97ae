//! Hooks: what the application's own backend is asked, and what it is told.
//!
//! A **question** waits for its answer, and somebody's connection or command waits with it; an
//! **event** waits for nobody. Both are a signed `POST` ([`sign`]) by one bounded client ([`client`])
//! on the edge's runtime. No shard ever waits here.
#![allow(unused_imports, reason = "questions and events use all of it")]

mod client;
mod endpoint;
pub(crate) mod events;
mod sign;

pub(crate) use client::{Client, Failure, Message};
pub(crate) use endpoint::Endpoint;
pub(crate) use sign::{Secret, Signer};

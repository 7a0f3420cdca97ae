//! The edge: everything that a shard does not answer itself, on tokio and hyper.

mod intake;
mod pace;
mod poll;
mod rewound;

pub(crate) use intake::{Handoff, Intake};

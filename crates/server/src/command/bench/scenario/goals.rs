//! `goals`: everything that Fanfare has set itself, one scenario after the other; without the soak and what is stored.

use anyhow::Result;
use clap::Parser;

use super::{accept, audiences, delivery, fairness, idle, publish, reconnect};
use crate::command::bench::run::Bench;

/// What `goals` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Goals {}

/// The flags of a scenario, as they are when nobody sets any.
#[derive(Debug, Parser)]
struct Standard<T: clap::Args> {
    #[command(flatten)]
    flags: T,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, _flags: &Goals) -> Result<()> {
    delivery::run(bench, &standard(&["--per-connection", "1,8,64"])?)?;
    audiences::run(bench, &standard(&[])?)?;
    publish::run(bench, &standard(&[])?)?;
    idle::run(bench, &standard(&[])?)?;
    idle::run(bench, &standard(&["--per-connection", "3", "--presence"])?)?;
    accept::run(bench, &standard(&[])?)?;
    reconnect::run(bench, &standard(&[])?)?;
    fairness::run(bench, &standard(&[])?)
}

fn standard<T: clap::Args>(words: &[&str]) -> Result<T> {
    let words = std::iter::once("bench").chain(words.iter().copied());
    Ok(Standard::<T>::try_parse_from(words)?.flags)
}

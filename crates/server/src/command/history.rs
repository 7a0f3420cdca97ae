//! `fanfare history`: prints what a channel has kept.

use anyhow::Result;

use super::client::failure::Failure;
use super::client::http::{Connection, Question, whole};
use super::client::poll::Answer;
use super::client::target::{Target, TargetFlags};
use super::line::{LookFlags, render};
use super::{output, runtime, subscribe};
use crate::exit::Exit;

/// The most publications the server gives at once.
const PAGE_MAX: u64 = 1_000;

/// What `history` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The channel.
    channel: String,
    /// From here on, exclusive: all, last:20, 10m, a time, a cursor or offset.epoch.
    #[arg(long, value_name = "WHERE")]
    since: Option<String>,
    /// Up to here, inclusive.
    #[arg(long, value_name = "WHERE")]
    until: Option<String>,
    /// At most so many messages.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// The oldest first, or the newest.
    #[arg(long, value_enum, default_value_t = Order::Asc)]
    order: Order,
    #[command(flatten)]
    look: LookFlags,
    #[command(flatten)]
    target: TargetFlags,
}

/// Which message comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// The oldest.
    Asc,
    /// The newest.
    Desc,
}

/// Prints the messages, page by page; gaps go to stderr.
///
/// # Errors
///
/// The server cannot be reached or refuses.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let target = flags.target.target()?;
    runtime()?.block_on(print(flags, &target))
}

async fn print(flags: &Flags, target: &Target) -> Result<Exit> {
    let look = flags.look.look(1);
    let mut connection = Connection::open(target).await?;
    let mut page = Page { since: flags.since.clone(), until: flags.until.clone() };
    let mut left = flags.limit;
    while left > 0 {
        let answer = ask(&mut connection, flags, target, &page, left.min(PAGE_MAX)).await?;
        for gap in &answer.gaps {
            output::note(&subscribe::told(gap));
        }
        let messages = answer.messages()?;
        for message in &messages {
            output::data(&render(message, look)?)?;
        }
        left = left.saturating_sub(u64::try_from(messages.len()).unwrap_or(u64::MAX));
        let Some(next) = answer.next else {
            return Ok(Exit::Success);
        };
        if left == 0 || messages.is_empty() {
            let flag = if flags.order == Order::Asc { "--since" } else { "--until" };
            output::note(&format!("there is more: {flag} '{next}'"));
            return Ok(Exit::Success);
        }
        match flags.order {
            Order::Asc => page.since = Some(next),
            Order::Desc => page.until = Some(next),
        }
    }
    Ok(Exit::Success)
}

struct Page {
    since: Option<String>,
    until: Option<String>,
}

async fn ask(
    connection: &mut Connection,
    flags: &Flags,
    target: &Target,
    page: &Page,
    limit: u64,
) -> Result<Answer, Failure> {
    let order = if flags.order == Order::Asc { "asc" } else { "desc" };
    let mut query = vec![
        ("history", "1".to_owned()),
        ("limit", limit.to_string()),
        ("order", order.to_owned()),
    ];
    query.extend(page.since.clone().map(|since| ("since", since)));
    query.extend(page.until.clone().map(|until| ("until", until)));
    let channels = [flags.channel.clone()];
    let answer = connection.ask(Question::get(target.path(&channels, &query))).await?;
    Answer::read(&whole(answer).await?)
}

//! `fanfare presence`: prints who reads a channel.

use anyhow::Result;

use super::client::failure::Failure;
use super::client::frame;
use super::client::http::{Connection, Question, whole};
use super::client::presence::{Change, Member, News, Page};
use super::client::target::{Target, TargetFlags};
use super::line::escaped;
use super::{output, runtime};
use crate::exit::Exit;

/// The most members the server gives at once.
const PAGE_MAX: u64 = 1_000;

/// What `presence` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The channel.
    channel: String,
    /// At most so many members.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetFlags,
}

/// Prints the members, page by page; their number goes to stderr.
///
/// # Errors
///
/// The server cannot be reached or refuses.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let target = flags.target.target()?;
    runtime()?.block_on(print(flags, &target))
}

async fn print(flags: &Flags, target: &Target) -> Result<Exit> {
    let mut connection = Connection::open(target).await?;
    let (mut after, mut left) = (None, flags.limit);
    loop {
        let limit = left.clamp(1, PAGE_MAX);
        let page = ask(&mut connection, flags, target, after.as_deref(), limit).await?;
        if after.is_none() && !flags.json && !page.members.is_empty() && left > 0 {
            output::line(HEADER)?;
        }
        for member in page.members.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            output::line(&if flags.json { serde_json::to_string(member)? } else { row(member) })?;
        }
        left = left.saturating_sub(u64::try_from(page.members.len()).unwrap_or(u64::MAX));
        match page.next {
            Some(next) if left > 0 => after = Some(next),
            more => {
                let there = plural(page.count);
                let rest = if more.is_some() { "; --limit shows more of them" } else { "" };
                output::note(&format!("{there}{rest}"));
                return Ok(Exit::Success);
            }
        }
    }
}

async fn ask(
    connection: &mut Connection,
    flags: &Flags,
    target: &Target,
    after: Option<&str>,
    limit: u64,
) -> Result<Page, Failure> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(after.map(|after| ("after", after.to_owned())));
    let path = target.presence(&flags.channel, &query);
    let body = whole(connection.ask(Question::get(path)).await?).await?;
    frame::read("a list of members", &String::from_utf8_lossy(&body))
}

/// What `sub` says of news, on one line.
pub(super) fn told(news: &News) -> String {
    let channel = escaped(&news.channel);
    match &news.change {
        Change::Join(member) => format!("join: {channel} {}", words(member)),
        Change::Leave(member) => format!("leave: {channel} {}", words(member)),
        Change::Count(count) => format!("presence: {channel} {}", plural(*count)),
    }
}

/// The same as a JSON object on one line.
pub(super) fn told_json(news: &News) -> Result<String> {
    let (kind, member) = match &news.change {
        Change::Join(member) => ("join", member),
        Change::Leave(member) => ("leave", member),
        Change::Count(count) => {
            let channel = serde_json::to_string(&news.channel)?;
            return Ok(format!(
                "{{\"type\":\"presence\",\"channel\":{channel},\"count\":{count}}}"
            ));
        }
    };
    let (channel, member) = (serde_json::to_string(&news.channel)?, serde_json::to_string(member)?);
    let members = member.trim_start_matches('{');
    Ok(format!("{{\"type\":\"{kind}\",\"channel\":{channel},{members}"))
}

fn words(member: &Member) -> String {
    let user = member.user.as_deref().map(|user| format!(" ({})", escaped(user)));
    let info = member.info.as_ref().map(|info| format!(" {}", escaped(info.get())));
    format!("{}{}{}", escaped(&member.client), user.unwrap_or_default(), info.unwrap_or_default())
}

/// A row of the table: columns as wide as most ids are, and wider where one is.
fn row(member: &Member) -> String {
    let user = member.user.as_deref().map_or_else(|| "-".to_owned(), escaped);
    let info = member.info.as_ref().map_or_else(|| "-".to_owned(), |info| escaped(info.get()));
    format!("{:<24} {user:<12} {info}", escaped(&member.client))
}

fn plural(count: u64) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

/// The table's first line.
const HEADER: &str = "CLIENT                   USER         INFO";

#[cfg(test)]
mod tests {
    use super::{News, row, told, told_json};
    use crate::command::client::presence::Member;

    #[test]
    fn news_are_one_line_that_no_member_can_break() {
        let json = r#"{"channel":"a","client":"x\ny","user":null,"info":{"name":"Ada"}}"#;
        let news = News::read("join", json).unwrap().unwrap();
        assert_eq!(told(&news), r#"join: a x\ny {"name":"Ada"}"#);
        let line =
            r#"{"type":"join","channel":"a","client":"x\ny","user":null,"info":{"name":"Ada"}}"#;
        assert_eq!(told_json(&news).unwrap(), line);
        let json = r#"{"channel":"a","client":"x","user":"ada","info":null}"#;
        let news = News::read("leave", json).unwrap().unwrap();
        assert_eq!(told(&news), "leave: a x (ada)");
        let news = News::read("presence", r#"{"channel":"a","count":1}"#).unwrap().unwrap();
        assert_eq!(told(&news), "presence: a 1 member");
        assert_eq!(told_json(&news).unwrap(), r#"{"type":"presence","channel":"a","count":1}"#);
        assert!(News::read("keepalive", "{}").unwrap().is_none());
        assert!(News::read("join", "{}").is_err());
    }

    #[test]
    fn a_table_has_columns() {
        let member = |json| serde_json::from_str::<Member>(json).unwrap();
        let ada = member(r#"{"client":"ada","user":null,"info":null}"#);
        assert_eq!(row(&ada), "ada                      -            -");
    }
}

//! `fanfare token inspect`: explains a token check by check.

use std::io::Read;

use anyhow::{Context, Result};
use fanfare_core::name::ChannelName;
use fanfare_core::publication::End;
use fanfare_protocol::native::problem::Problem;

use super::ConfigFlag;
use crate::auth::token::{Examined, Tokens, fetch};
use crate::auth::{Access, Caller, Credentials};
use crate::command::client::failure::Failure;
use crate::command::{output, runtime};
use crate::config::settings::Settings;
use crate::edge::unix_millis;
use crate::exit::Exit;
use crate::serve;

/// What `token inspect` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The token [default: what stdin has].
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// A channel: whether the token may do what with it, and why not.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    #[command(flatten)]
    config: ConfigFlag,
}

/// Bytes of stdin that are read at most; no longer token is taken.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// Prints a line for each check, those behind a failed one too, and ends with 4 if one failed.
///
/// # Errors
///
/// There is no issuer, or its files cannot be read.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let settings = flags.config.settings()?;
    let Some(tokens) = serve::tokens(&settings.auth)? else {
        let why = "no issuer is configured, so that no token is taken; see docs/auth.md";
        return Err(Failure::Usage(why.to_owned()).into());
    };
    let channel = flags.channel.as_deref().map(ChannelName::new).transpose();
    let channel = channel.map_err(|error| Failure::Usage(error.to_string()))?;
    let token = token(flags.token.as_deref())?;
    for trouble in runtime()?.block_on(fetch::once(&tokens)) {
        output::note(&trouble);
    }
    let now = unix_millis();
    let examined = tokens.examine(token.as_bytes(), now);
    show(&examined)?;
    if let Some(failure) = examined.failure() {
        output::note(&format!("the token does not hold: {failure}. {}", failure.change()));
        return Ok(Exit::Refused);
    }
    if let Some(channel) = channel {
        show_channel(&settings, tokens, &token, &channel)?;
    }
    Ok(Exit::Success)
}

/// The token of the command line or of stdin, without the words that a header has around it.
fn token(given: Option<&str>) -> Result<String> {
    let text = match given {
        Some(text) => text.to_owned(),
        None => {
            let mut text = String::new();
            let mut stdin = std::io::stdin().lock().take(TOKEN_BYTES_MAX + 1);
            stdin.read_to_string(&mut text).context("cannot read the token from stdin")?;
            text
        }
    };
    let text = text.trim();
    let text = text.strip_prefix("Authorization:").unwrap_or(text).trim();
    Ok(text.strip_prefix("Bearer ").unwrap_or(text).trim().to_owned())
}

fn show(examined: &Examined) -> Result<()> {
    for (name, outcome) in &examined.checks {
        match outcome {
            Ok(words) => output::line(&format!("{name:9}  ok      {words}"))?,
            Err(failure) => output::line(&format!("{name:9}  failed  {failure}"))?,
        }
    }
    for (right, patterns) in examined.granted() {
        output::line(&format!("{right:9}  grants  {patterns}"))?;
    }
    Ok(())
}

fn show_channel(
    settings: &Settings,
    tokens: std::sync::Arc<Tokens>,
    token: &str,
    channel: &ChannelName,
) -> Result<()> {
    let access = serve::access(settings, Some(tokens));
    let authorization = format!("Bearer {token}");
    let credentials =
        Credentials { authorization: Some(authorization.as_bytes()), ..Credentials::default() };
    let caller = access.caller(credentials, unix_millis());
    for (what, verdict) in verdicts(&access, &caller, channel) {
        let name = channel.as_str();
        match verdict {
            None => output::line(&format!("{what:9}  may     {name}"))?,
            Some(why) => output::line(&format!("{what:9}  may not {name}: {why}"))?,
        }
    }
    Ok(())
}

/// What is known of a refusal, also where a server would keep it for its log.
fn known(mut problem: Problem) -> String {
    let untold = problem.take_untold().map(|untold| untold.why.into_string());
    untold.unwrap_or_else(|| problem.detail().to_owned())
}

/// Whether each thing may be done with a channel, or why not.
fn verdicts(
    access: &Access,
    caller: &Caller,
    channel: &ChannelName,
) -> [(&'static str, Option<String>); 6] {
    let verdicts = [
        ("subscribe", access.may_subscribe(caller, channel)),
        ("publish", access.may_publish(caller, channel, End::Open)),
        ("presence", access.may_list(caller, channel)),
        ("history", access.may_look_back(caller, channel)),
        ("remove", access.may_remove(caller, channel)),
        ("end", access.may_publish(caller, channel, End::Close)),
    ];
    verdicts.map(|(what, verdict)| (what, verdict.err().map(known)))
}

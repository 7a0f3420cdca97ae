//! `fanfare serve`: a server for others. It does not start until it is said who may publish and
//! that anyone may read, everywhere or in a namespace.

use std::ffi::OsString;

use anyhow::{Result, bail};

use super::output;
use super::server_flags::ServerFlags;
use crate::auth::grant::Right;
use crate::config::place::NAMESPACES;
use crate::config::settings::{Auth, ChannelRules, Mode, Settings};
use crate::exit::Exit;
use crate::serve::Reload;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Starts a server that lets in who shows a token or a key.
///
/// # Errors
///
/// Wrong settings, or a server that cannot start.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let (standing, settings) = flags.server.standing(Mode::Serve)?;
    if let Some(refusal) = refusal(&settings, std::env::args_os()) {
        output::note(&refusal);
        return Ok(Exit::Usage);
    }
    crate::serve::run(settings, Some(Reload { standing, suffices }))
}

/// Whether a running server may go on with these settings.
fn suffices(settings: &Settings) -> Result<()> {
    match Lacks::of(settings) {
        Some(lacks) => bail!("{}; set {}", lacks.words(), lacks.keys()),
        None => Ok(()),
    }
}

/// What settings lack for a server to be of use, in words; at least one of them is there.
pub(super) struct Lacks {
    key: Option<String>,
    readers: Option<&'static str>,
}

impl Lacks {
    /// What these lack; none if a server may start with them.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let Auth { publisher_keys, keys, issuers, .. } = &settings.auth;
        let asked = settings.hooks.connect.is_some();
        let granted =
            |right| keys.iter().any(|key| key.grants.give(right)) || !issuers.is_empty() || asked;
        let closed = groups(settings).all(|(_, rules)| !rules.anonymous_subscribe);
        let readers = (closed && !granted(Right::Subscribe))
            .then_some("it is not said that anyone may read (--anonymous-subscribe)");
        let has_key = !publisher_keys.is_empty() || granted(Right::Publish);
        let key = if has_key { None } else { use_of_key(settings) };
        (key.is_some() || readers.is_some()).then_some(Self { key, readers })
    }

    /// What is lacking, in words.
    pub(super) fn words(&self) -> String {
        let words = self.key.as_deref().into_iter().chain(self.readers);
        words.collect::<Vec<_>>().join(", and ")
    }

    /// The keys of the configuration that put it right.
    pub(super) fn keys(&self) -> String {
        let key = self.key.is_some().then_some("`auth.publisher_keys`");
        let readers = self.readers.map(|_| "`auth.anonymous_subscribe` (or a namespace's own)");
        let keys = key.into_iter().chain(readers).collect::<Vec<_>>().join(" and ");
        format!("{keys}, or an issuer of tokens under `[issuers]`,")
    }
}

/// What could not be done without a publisher key; none if anyone may do everything.
fn use_of_key(settings: &Settings) -> Option<String> {
    let publishing = locked(settings, |rules| rules.anonymous_publish);
    let reading = || locked(settings, |rules| rules.anonymous_subscribe);
    let what = match publishing {
        Some(None) => "publish".to_owned(),
        Some(Some(channels)) => format!("publish to {channels}"),
        None => reading()?.map_or("read".to_owned(), |channels| format!("read {channels}")),
    };
    Some(format!("there is no publisher key, so nobody could {what}"))
}

/// The channels that are not open, the first group of them; `None` within stands for all there are.
fn locked(settings: &Settings, is_open: fn(&ChannelRules) -> bool) -> Option<Option<String>> {
    let locked: Vec<_> = groups(settings).filter(|(_, rules)| !is_open(rules)).collect();
    let (first, _) = locked.first()?;
    let all = locked.len() == groups(settings).count();
    Some((!all).then(|| format!("the channels of {first}")))
}

/// What holds for channels, and for which.
fn groups(settings: &Settings) -> impl Iterator<Item = (String, &ChannelRules)> {
    let namespaces = settings.namespaces.iter();
    let namespaces = namespaces.map(|it| (format!("`{NAMESPACES}.{}`", it.name), &it.rules));
    std::iter::once(("no namespace".to_owned(), &settings.rest)).chain(namespaces)
}

/// Why a server with these settings does not start, and the commands that fix it.
fn refusal(settings: &Settings, line: impl Iterator<Item = OsString>) -> Option<String> {
    let lacks = Lacks::of(settings)?;
    let (words, keys) = (lacks.words(), lacks.keys());
    let typed: Vec<_> = line.collect();
    let Corrected { line, takes_key } = corrected(&lacks, typed.clone().into_iter());
    let fix = if takes_key {
        "These two commands fix it:\n\n  export FANFARE_KEY=\"${FANFARE_KEY:-$(openssl rand -hex 24)}\""
    } else {
        "This command fixes it:\n"
    };
    let key = if takes_key { "`fanfare pub` takes its key from FANFARE_KEY. " } else { "" };
    let tokens = with_tokens(typed).unwrap_or_default();
    Some(format!(
        "fanfare serve does not start: {words}. {fix}\n  {line}\n\n{key}{tokens}For good, set {keys} in \
         fanfare.toml (`fanfare init` writes one)."
    ))
}

/// The commands that admit holders of tokens instead; none for a line with a key, which stays.
fn with_tokens(typed: Vec<OsString>) -> Option<String> {
    let nothing = Lacks { key: None, readers: None };
    let Corrected { line, takes_key } = corrected(&nothing, typed.into_iter());
    (!takes_key).then(|| {
        format!(
            "Or these two admit who holds a token, and the third makes one:\n\n  \
             export FANFARE_ISSUERS__APP__SECRET=\"${{FANFARE_ISSUERS__APP__SECRET:-$(openssl rand \
             -hex 32)}}\"\n  {line}\n  fanfare token new --sub ada --subscribe '**' --publish '**'\n\n"
        )
    })
}

/// A command line put right.
struct Corrected {
    line: String,
    /// Whether it takes a key from the environment.
    takes_key: bool,
}

/// The command line as typed, with the flags it lacked and without any key in clear.
fn corrected(lacks: &Lacks, line: impl Iterator<Item = OsString>) -> Corrected {
    let mut words = vec!["fanfare".to_owned()];
    let (mut takes_key, mut readers) = (lacks.key.is_some(), lacks.readers.is_some());
    let mut rest = line.skip(1).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = rest.next() {
        if word == "--publisher-key" {
            rest.next();
            takes_key = true;
        } else if word.starts_with("--publisher-key=") {
            takes_key = true;
        } else if word == "--anonymous-subscribe" {
            readers = true;
        } else {
            words.push(quoted(&word));
        }
    }
    words.extend(takes_key.then(|| "--publisher-key \"$FANFARE_KEY\"".to_owned()));
    words.extend(readers.then(|| "--anonymous-subscribe".to_owned()));
    Corrected { line: words.join(" "), takes_key }
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+[]".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "serve_test.rs"]
mod tests;

//! `fanfare pub`: publishes messages, from the command line, a file or stdin.

use std::io::{BufRead, stdin};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use tokio::time::sleep;

use super::client::failure::Failure;
use super::client::frame;
use super::client::http::{Connection, Question, whole};
use super::client::target::{Target, TargetFlags};
use super::{duration, output, runtime};
use crate::exit::Exit;

/// What stands for the running number, which begins at 1.
const NUMBER: &str = "{{n}}";

/// What `pub` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The channel.
    channel: String,
    /// The payload; the letter n in double braces becomes the running number. Without it and
    /// --file: one message a line from stdin.
    #[arg(conflicts_with = "file")]
    data: Option<String>,
    /// Publish the bytes of this file as they are.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The event's name.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Publish so many times [default: 1, or without end if --every is given].
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// The pause between two messages, such as 1s.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    every: Option<Duration>,
    /// Tags, as a,b.
    #[arg(long, value_name = "TAGS")]
    tags: Option<String>,
    /// How long it is kept, such as 30s; 0 for live only.
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Conflation key: of one value only the newest matters to readers of what is newest.
    #[arg(long, value_name = "KEY")]
    conflate: Option<String>,
    /// Idempotency key; the letter n in double braces becomes the running number.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Close the channel when everything is published.
    #[arg(long)]
    end: bool,
    /// The payload's content type.
    #[arg(long, value_name = "TYPE", conflicts_with = "json")]
    content_type: Option<String>,
    /// The payload is JSON: short for --content-type application/json.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetFlags,
}

/// Publishes, and prints the position of each message as `offset.epoch`.
///
/// # Errors
///
/// The server cannot be reached or refuses, the file or stdin cannot be read.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let target = flags.target.target()?;
    if flags.count.is_some() && flags.data.is_none() && flags.file.is_none() {
        let what = "--count repeats a payload: give one, or --file".to_owned();
        return Err(Failure::Usage(what).into());
    }
    runtime()?.block_on(async {
        tokio::select! {
            outcome = publish_all(flags, target) => outcome,
            pressed = tokio::signal::ctrl_c() => {
                pressed.context("cannot listen for Ctrl-C")?;
                Ok(Exit::Success)
            }
        }
    })
}

async fn publish_all(flags: &Flags, target: Target) -> Result<Exit> {
    let mut publisher = Publisher { flags, target, connection: None };
    match repeated(flags)? {
        Some(payload) => publish_repeatedly(flags, &mut publisher, payload).await?,
        None => publish_lines(flags, &mut publisher).await?,
    }
    if flags.end {
        publisher.end().await?;
    }
    Ok(Exit::Success)
}

async fn publish_repeatedly(
    flags: &Flags,
    publisher: &mut Publisher<'_>,
    payload: Bytes,
) -> Result<()> {
    let count = match (flags.count, flags.every) {
        (Some(count), _) => count,
        (None, Some(_)) => u64::MAX,
        (None, None) => 1,
    };
    for number in 1..=count {
        pause(flags, number).await;
        let payload = match (&payload, flags.data.as_deref()) {
            (_, Some(text)) => numbered(text, number).into(),
            (bytes, None) => bytes.clone(),
        };
        publisher.publish(payload, number).await?;
    }
    Ok(())
}

async fn publish_lines(flags: &Flags, publisher: &mut Publisher<'_>) -> Result<()> {
    // A blocking read would keep Ctrl-C and the connection waiting.
    let (lines, mut reading) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lock().lines() {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut number = 0;
    while let Some(line) = reading.recv().await {
        number += 1;
        let line = line.with_context(|| {
            format!(
                "line {number} of stdin cannot be read; send bytes that are no text with --file"
            )
        })?;
        pause(flags, number).await;
        publisher.publish(numbered(&line, number).into(), number).await?;
    }
    Ok(())
}

fn repeated(flags: &Flags) -> Result<Option<Bytes>> {
    if let Some(path) = &flags.file {
        let bytes = std::fs::read(path);
        let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Some(bytes.into()));
    }
    Ok(flags.data.as_ref().map(|data| Bytes::from(data.clone())))
}

async fn pause(flags: &Flags, number: u64) {
    if let Some(every) = flags.every.filter(|_| number > 1) {
        sleep(every).await;
    }
}

fn numbered(text: &str, number: u64) -> String {
    text.replace(NUMBER, &number.to_string())
}

struct Publisher<'a> {
    flags: &'a Flags,
    target: Target,
    connection: Option<Connection>,
}

/// The answer to a publication.
#[derive(Deserialize)]
struct Published {
    offset: Option<u64>,
    epoch: Option<String>,
    #[serde(default)]
    duplicate: bool,
}

impl Publisher<'_> {
    /// Publishes one message. With an idempotency key, a connection that breaks before the answer
    /// is no failure: the same is sent once more, and counts once.
    async fn publish(&mut self, payload: Bytes, number: u64) -> Result<()> {
        let question = self.question(payload, number);
        let answer = match self.ask(question.clone()).await {
            Err(Failure::Lost(_)) if self.flags.key.is_some() => self.ask(question).await?,
            Err(Failure::Lost(why)) => {
                let what = "it is unknown whether the message was published; with --key it could \
                            be sent again safely";
                return Err(Failure::Lost(format!("{why}; {what}")).into());
            }
            answer => answer?,
        };
        let place = match (answer.offset, answer.epoch) {
            (Some(offset), Some(epoch)) => format!("{offset}.{epoch}"),
            // Live only: it has no position.
            _ => "-".to_owned(),
        };
        if answer.duplicate {
            output::note(&format!("{place} was published before with the same key"));
        }
        output::line(&place)
    }

    /// Closes the channel, in a request of its own: nobody knows of a line that it is the last one
    /// before the next does not come.
    async fn end(&mut self) -> Result<()> {
        let channel = std::slice::from_ref(&self.flags.channel);
        let question = Question {
            method: Method::POST,
            path: self.target.path(channel, &[("end", "1".to_owned())]),
            headers: Vec::new(),
            body: Bytes::new(),
            patience: Duration::ZERO,
        };
        match self.ask(question).await {
            Err(Failure::Lost(why)) => {
                let what = "it is unknown whether the channel was closed";
                Err(Failure::Lost(format!("{why}; {what}")).into())
            }
            answer => answer.map(|_ended| ()).map_err(Into::into),
        }
    }

    async fn ask(&mut self, question: Question) -> Result<Published, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        if !connection.is_open().await {
            connection = Connection::open(&self.target).await?;
        }
        let answer = whole(connection.ask(question).await?).await?;
        self.connection = Some(connection);
        frame::read("the answer", &String::from_utf8_lossy(&answer))
    }

    fn question(&self, payload: Bytes, number: u64) -> Question {
        let flags = self.flags;
        let key = flags.key.as_deref().map(|key| numbered(key, number));
        let mut query = Vec::new();
        for (name, value) in [
            ("event", &flags.event),
            ("tags", &flags.tags),
            ("ttl", &flags.ttl),
            ("conflate", &flags.conflate),
            ("key", &key),
        ] {
            query.extend(value.clone().map(|value| (name, value)));
        }
        let content_type = match (&flags.content_type, flags.json) {
            (Some(content_type), _) => Some(content_type.clone()),
            (None, true) => Some("application/json".to_owned()),
            (None, false) if str::from_utf8(&payload).is_err() => {
                Some("application/octet-stream".to_owned())
            }
            (None, false) => None,
        };
        Question {
            method: Method::POST,
            path: self.target.path(std::slice::from_ref(&flags.channel), &query),
            headers: content_type.map(|value| ("content-type", value)).into_iter().collect(),
            body: payload,
            patience: Duration::ZERO,
        }
    }
}

//! Reads channels by long-polling: one question after another, each from the cursor of the last
//! answer.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::CONNECTION;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use super::frame::{self, Frame, Gap, Open};
use super::http::{Connection, Question, whole};
use super::message::Message;
use super::stream::Plan;
use super::target::Target;

/// How long the server may keep a question open, in seconds.
const WAIT_SECONDS: u64 = 25;

/// Channels that are being polled.
#[derive(Debug)]
pub(crate) struct PollReader {
    connection: Connection,
    target: Target,
    channels: Vec<String>,
    since: Option<String>,
    presence: Vec<(&'static str, String)>,
    cursor: Option<String>,
    frames: VecDeque<Frame>,
    answered: bool,
    /// The server said that it closes after its last answer, which is no cut.
    closed_in_order: bool,
}

/// An answer to a poll or a question about history.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// Where the next question begins.
    pub(crate) cursor: Option<String>,
    /// What there is, in the order asked for.
    #[serde(default)]
    pub(crate) publications: Vec<Box<RawValue>>,
    /// What cannot be had any more.
    #[serde(default)]
    pub(crate) gaps: Vec<Gap>,
    /// Whether all channels have ended and everything was read.
    #[serde(default)]
    pub(crate) end: bool,
    /// History only: where the next page begins.
    pub(crate) next: Option<String>,
}

impl Answer {
    /// Reads an answer's body.
    ///
    /// # Errors
    ///
    /// [`Failure::Garbled`].
    pub(crate) fn read(body: &Bytes) -> Result<Self, Failure> {
        serde_json::from_slice(body).map_err(|error| Failure::Garbled(format!("a poll: {error}")))
    }

    /// The publications, read.
    ///
    /// # Errors
    ///
    /// [`Failure::Garbled`].
    pub(crate) fn messages(&self) -> Result<Vec<Message>, Failure> {
        self.publications.iter().map(|raw| frame::read("a message", raw.get())).collect()
    }
}

impl PollReader {
    /// Connects; the first question is asked by [`PollReader::next`].
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`].
    pub(crate) async fn open(target: &Target, plan: &Plan<'_>) -> Result<Self, Failure> {
        Ok(Self {
            connection: Connection::open(target).await?,
            target: target.clone(),
            channels: plan.channels.to_vec(),
            since: plan.since.map(str::to_owned),
            presence: plan.presence.to_vec(),
            cursor: plan.cursor.clone(),
            frames: VecDeque::new(),
            answered: false,
            closed_in_order: false,
        })
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// The connection breaks, the server refuses, or what comes is not the protocol.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Some(frame));
            }
            // The first answer comes at once: it says whether anything was missed.
            let wait = if self.answered { WAIT_SECONDS } else { 0 };
            let answer = self.ask(wait).await?;
            self.take(answer)?;
        }
    }

    async fn ask(&mut self, wait: u64) -> Result<Answer, Failure> {
        let mut query = vec![("wait", wait.to_string())];
        query.extend(self.since.clone().map(|since| ("since", since)));
        query.extend(self.presence.iter().cloned());
        let mut question = Question::get(self.target.path(&self.channels, &query));
        question.headers.extend(self.cursor.clone().map(|cursor| ("last-event-id", cursor)));
        question.patience = Duration::from_secs(wait);
        if self.closed_in_order {
            self.connection = Connection::open(&self.target).await?;
        } else if !self.connection.is_open().await {
            return Err(Failure::Lost("closed between two polls".to_owned()));
        }
        let answer = self.connection.ask(question).await?;
        self.closed_in_order =
            answer.headers().get(CONNECTION).is_some_and(|value| value.as_bytes() == b"close");
        Answer::read(&whole(answer).await?)
    }

    fn take(&mut self, answer: Answer) -> Result<(), Failure> {
        let messages = answer.messages()?;
        if !self.answered {
            self.answered = true;
            self.frames.push_back(Frame::Open(Open::default()));
        }
        self.frames.extend(answer.gaps.into_iter().map(Frame::Gap));
        self.frames.extend(messages.into_iter().map(|message| Frame::Message(Box::new(message))));
        if let Some(cursor) = answer.cursor {
            self.cursor = Some(cursor.clone());
            self.frames.push_back(Frame::Cursor(cursor));
        }
        // An answer without news proves that there was none to miss.
        self.frames.push_back(if answer.end { Frame::Finished } else { Frame::Current });
        Ok(())
    }
}

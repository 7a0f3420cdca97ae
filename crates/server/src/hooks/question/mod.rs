//! Questions: what the backend is asked about somebody, and what becomes of its answers.
//!
//! Whoever waits for an answer waits on the edge's runtime, or has a task of it wait in its place
//! ([`Questions::spawn`]). A question that has no answer in time, or none that is understood, is
//! answered by what the configuration says.

mod answer;
mod facts;
mod figures;
mod told;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::prefix::Prefixes;
use fanfare_core::publication::Draft;
use fanfare_core::start::Subscription;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::amend::amend;
use fanfare_protocol::native::head::Head;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::route::Rules;
use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::{Client, Failure, Message};
use crate::auth::{Access, Caller};
use crate::config::settings::{Asking, OnFailure};
use crate::edge::unix_millis;
use crate::limit::ClientAddress;

pub(crate) use facts::Facts;
pub(crate) use figures::{Figures, Hook, Outcome};
pub(crate) use told::{Asked, Reply, Tell};

use answer::{Answered, Verdict};

/// What may be asked, and how. Another configuration is another one of it.
#[derive(Debug)]
pub(crate) struct Questions {
    parts: QuestionParts,
    places: Semaphore,
}

/// What questions are made of.
#[derive(Debug)]
pub(crate) struct QuestionParts {
    /// What is asked of each kind, by number.
    pub asking: [Option<Asking>; Hook::ALL.len()],
    /// Which channels it is asked about: those of namespaces, by prefix, and all others.
    pub namespaces: Prefixes<AskedAbout>,
    /// See `namespaces`.
    pub rest: AskedAbout,
    /// Headers of a request that the backend is shown, in lower case.
    pub forwarded: Box<[String]>,
    /// Questions on their way at most.
    pub max: usize,
    /// How changed publications are read.
    pub rules: Rules,
    /// Sends them.
    pub client: Client,
    /// What is counted.
    pub figures: Arc<Figures>,
    /// Where they wait.
    pub runtime: Handle,
    /// Every task that waits.
    pub tracker: TaskTracker,
}

/// What it is asked about the channels of one namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedAbout {
    /// Who may read them.
    pub subscribe: bool,
    /// What becomes of publications.
    pub publish: bool,
}

impl Questions {
    /// Asks so.
    pub(crate) fn new(parts: QuestionParts) -> Arc<Self> {
        let places = Semaphore::new(parts.max.min(Semaphore::MAX_PERMITS));
        Arc::new(Self { parts, places })
    }

    /// How many are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.parts.max.saturating_sub(self.places.available_permits())
    }

    /// What the backend is shown of a request.
    pub(crate) fn facts(
        &self,
        head: &Head<'_>,
        address: ClientAddress,
        transport: &'static str,
    ) -> Facts {
        Facts::of(head, address, transport, &self.parts.forwarded)
    }

    /// Whether it is asked who this is.
    pub(crate) fn asks_who(&self, caller: &Caller) -> bool {
        caller.is_unknown() && self.asking(Hook::Connect).is_some()
    }

    /// Whether it is asked if they may read this channel.
    pub(crate) fn asks_to_read(&self, caller: &Caller, channel: &ChannelName) -> bool {
        self.asking(Hook::Subscribe).is_some()
            && caller.is_asked_about()
            && self.about(channel).subscribe
    }

    /// Whether it is asked what becomes of what they publish to this channel.
    pub(crate) fn asks_to_publish(&self, caller: &Caller, channel: &ChannelName) -> bool {
        self.asking(Hook::Publish).is_some()
            && caller.is_asked_about()
            && self.about(channel).publish
    }

    /// Whether it is asked anything when they begin to read these channels.
    pub(crate) fn asks_to_open(&self, caller: &Caller, subscriptions: &[Subscription]) -> bool {
        let asks = |it: &Subscription| self.asks_to_read(caller, &it.channel);
        self.asks_who(caller) || subscriptions.iter().any(asks)
    }

    /// Whether it is asked if those may stay whom it let in.
    pub(crate) fn asks_to_stay(&self, caller: &Caller) -> bool {
        caller.is_admitted() && self.asking(Hook::Refresh).is_some()
    }

    /// Who begins to read these channels: asks who they are, and then about each channel that they
    /// may read so far. Who may not is a caller who is refused.
    pub(crate) async fn admit(
        &self,
        access: &Access,
        caller: Caller,
        facts: &Facts,
        subscriptions: &[Subscription],
    ) -> Caller {
        let names = subscriptions.iter().map(|it| it.channel.as_str()).collect();
        let caller = self.introduce(caller, facts, names).await;
        if access.may_open(&caller, subscriptions).is_err() {
            return caller;
        }
        let asked = subscriptions.iter().filter(|it| self.asks_to_read(&caller, &it.channel));
        let asked: Vec<_> = asked.map(|it| self.may_read(&caller, facts, &it.channel)).collect();
        let mut answers = std::pin::pin!(stream::iter(asked).buffered(AT_ONCE));
        let mut refused = None;
        while let Some(answer) = answers.next().await {
            if let Err(problem) = answer {
                refused = Some(problem);
                break;
            }
        }
        refused.map_or_else(|| caller.clone(), Caller::refused)
    }

    /// Who somebody is that has shown nothing; anyone else is who they were.
    pub(crate) async fn introduce(
        &self,
        caller: Caller,
        facts: &Facts,
        channels: Vec<&str>,
    ) -> Caller {
        let hook = Hook::Connect;
        let Some(asking) = self.asking(hook).filter(|_| caller.is_unknown()) else {
            return caller;
        };
        let body = facts.connect(&channels);
        let read = |answered: Answered| answered.admission(unix_millis());
        match self.ask(hook, asking, body, SMALL_BYTES, read).await {
            Ok(Verdict::Allowed(admission)) => Caller::admitted(admission),
            Ok(Verdict::Refused(problem)) => Caller::refused(problem),
            Err(()) => match asking.on_failure {
                OnFailure::Refuse => Caller::refused(unanswered()),
                OnFailure::Allow => caller,
            },
        }
    }

    /// Whether somebody may read a channel, as far as the backend is asked.
    ///
    /// # Errors
    /// What to tell them.
    pub(crate) async fn may_read(
        &self,
        caller: &Caller,
        facts: &Facts,
        channel: &ChannelName,
    ) -> Result<(), Problem> {
        let hook = Hook::Subscribe;
        let Some(asking) = self.asking(hook).filter(|_| self.asks_to_read(caller, channel)) else {
            return Ok(());
        };
        let body = facts.subscribe(caller, channel);
        match self.ask(hook, asking, body, SMALL_BYTES, |_| Ok(())).await {
            Ok(Verdict::Allowed(())) => Ok(()),
            Ok(Verdict::Refused(problem)) => Err(problem.about(channel, None)),
            Err(()) => match asking.on_failure {
                OnFailure::Refuse => Err(unanswered().about(channel, None)),
                OnFailure::Allow => Ok(()),
            },
        }
    }

    /// What becomes of what somebody publishes, as far as the backend is asked, and answers by then.
    ///
    /// # Errors
    /// What to tell them.
    pub(crate) async fn publication(
        &self,
        caller: &Caller,
        facts: &Facts,
        channel: &ChannelName,
        draft: Box<Draft>,
        until: Option<Instant>,
    ) -> Result<Box<Draft>, Problem> {
        let hook = Hook::Publish;
        let asked = self.asks_to_publish(caller, channel);
        let Some(asking) = self.asking(hook).filter(|_| asked) else {
            return Ok(draft);
        };
        let body = facts.publish(caller, channel, &draft);
        let rules = &self.parts.rules;
        let bytes_max = rules.payload_bytes_max.saturating_mul(2).saturating_add(SMALL_BYTES);
        let read = |answered: Answered| match answered.message() {
            None => Ok(None),
            Some(message) => amend((*draft).clone(), message, rules)
                .map(|amended| Some(Box::new(amended)))
                .map_err(|problem| format!("`message` is none: {}", problem.detail())),
        };
        let asked = self.ask(hook, asking, body, bytes_max, read);
        let verdict = match until {
            None => asked.await,
            Some(until) => match timeout_at(until, asked).await {
                Ok(verdict) => verdict,
                Err(_elapsed) => {
                    self.give_up(hook, asking);
                    Err(())
                }
            },
        };
        match verdict {
            Ok(Verdict::Allowed(amended)) => Ok(amended.unwrap_or(draft)),
            Ok(Verdict::Refused(problem)) => Err(problem.about(channel, None)),
            Err(()) => match asking.on_failure {
                OnFailure::Refuse => Err(unanswered().about(channel, None)),
                OnFailure::Allow => Ok(draft),
            },
        }
    }

    /// Whether somebody may stay whom the backend let in: who they are from now on, or what to tell
    /// them; none if nobody says, and the configuration does not either.
    pub(crate) async fn stay(
        &self,
        caller: &Caller,
        now: UnixMillis,
    ) -> Option<Result<Caller, Problem>> {
        let hook = Hook::Refresh;
        let asking = self.asking(hook).filter(|_| caller.is_admitted())?;
        let body = Facts::default().refresh(caller);
        let read = |answered: Answered| answered.prolonged(caller, now);
        match self.ask(hook, asking, body, SMALL_BYTES, read).await {
            Ok(Verdict::Allowed(caller)) => Some(Ok(caller)),
            Ok(Verdict::Refused(problem)) => Some(Err(problem)),
            Err(()) => match asking.on_failure {
                OnFailure::Refuse => None,
                OnFailure::Allow => Some(Ok(caller.until(now.saturating_add(STAYS_MILLIS)))),
            },
        }
    }

    /// Has a task wait in the place of somebody who cannot.
    pub(crate) fn spawn(
        &self,
        tell: Tell,
        answer: impl Future<Output = Reply> + Send + 'static,
    ) -> Asked {
        let waiting = async move { tell.tell(answer.await) };
        Asked::new(self.parts.tracker.spawn_on(waiting, &self.parts.runtime).abort_handle())
    }

    /// Asks, and reads the answer; what goes wrong is counted and told in the log.
    async fn ask<T>(
        &self,
        hook: Hook,
        asking: &Asking,
        body: Vec<u8>,
        bytes_max: usize,
        read: impl FnOnce(Answered) -> Result<T, String>,
    ) -> Result<Verdict<T>, ()> {
        let began = Instant::now();
        let message = Message::new(Bytes::from(body));
        let answered = match self.places.try_acquire() {
            Err(_full) => Err(Failure::Full),
            Ok(_place) => {
                let posted = self.parts.client.post(&asking.endpoint, &message, bytes_max).await;
                posted.and_then(|answer| {
                    Answered::read(&answer)
                        .and_then(|answered| answered.verdict(hook, read))
                        .map_err(Failure::NotUnderstood)
                })
            }
        };
        let outcome = match &answered {
            Ok(Verdict::Allowed(_)) => Outcome::Allowed,
            Ok(Verdict::Refused(_)) => Outcome::Refused,
            Err(_) => Outcome::Failed,
        };
        self.parts.figures.count(hook, outcome, began.elapsed());
        answered.map_err(|failure| self.parts.figures.tell(hook, &failure, asking.on_failure))
    }

    /// There is no time left for a question.
    fn give_up(&self, hook: Hook, asking: &Asking) {
        let why = Failure::Late(Duration::ZERO);
        self.parts.figures.count(hook, Outcome::Failed, Duration::ZERO);
        self.parts.figures.tell(hook, &why, asking.on_failure);
    }

    fn asking(&self, hook: Hook) -> Option<&Asking> {
        self.parts.asking.get(hook as usize)?.as_ref()
    }

    fn about(&self, channel: &ChannelName) -> AskedAbout {
        *self.parts.namespaces.of(channel.as_str()).unwrap_or(&self.parts.rest)
    }
}

/// What is told whose question nobody has answered.
pub(crate) fn unanswered() -> Problem {
    Problem::of(Code::AuthorityTimeout)
}

/// Questions of one request that are on their way at one time.
pub(crate) const AT_ONCE: usize = 8;

/// Bytes of an answer at most in which nothing is published.
const SMALL_BYTES: usize = 64 * 1024;

/// How long somebody stays when nobody answers whether they may, and that is to let them.
const STAYS_MILLIS: UnixMillis = 60_000;

#[cfg(test)]
mod tests;

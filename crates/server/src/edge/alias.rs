//! What an alias needs beside being applied: randomness, a greeting, and a body that says nothing.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::Data;
use fanfare_core::shard::Answer;
use fanfare_protocol::native::alias::{Alias, Aliased, Posting};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::publish::plain_draft;
use fanfare_protocol::native::reading::{BodyWanted, Reading};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::answer::Answered;
use super::body::{self, BodyRules};
use super::{Shared, page};
use crate::auth::Caller;

/// Where it is told that a channel was made for one reader, so that whoever is to publish there can
/// begin.
pub(crate) type Arrivals = mpsc::Sender<ChannelName>;

impl Shared {
    /// What a request to an alias asks for.
    pub(super) fn resolve(&self, alias: &Alias, query: Option<&str>) -> Result<Aliased, Problem> {
        let bits = if alias.is_unique() { super::random::bits()? } else { 0 };
        Ok(alias.resolve(query, bits))
    }

    /// What comes before a reader that an alias leads to. Nothing does for `HEAD`, and for who
    /// is refused.
    pub(super) async fn prepare(
        &self,
        alias: &Alias,
        (reading, caller): (&Reading, &Caller),
        incoming: &mut Incoming,
    ) -> Result<(), Problem> {
        let refused = reading.refusal.is_some()
            || self.access.may_open(caller, &reading.subscriptions).is_err()
            || self.check_presence(reading).is_err();
        if reading.body == BodyWanted::No || refused {
            return Ok(());
        }
        if alias.post() == Posting::Reads {
            self.read_away(incoming).await?;
        }
        match reading.subscriptions.as_slice() {
            [reader] => self.receive(alias, &reader.channel).await,
            _ => Ok(()),
        }
    }

    /// Leads a person on to the page of an alias's channels, which finds them in its own address.
    pub(super) async fn lead_on(
        &self,
        alias: &Alias,
        aliased: &Aliased,
        (channels, caller): (&[ChannelName], &Caller),
        allowed: &AllowedOrigin,
    ) -> Answered {
        if let [channel] = channels
            && self.access.may_subscribe(caller, channel).is_ok()
            && let Err(problem) = self.receive(alias, channel).await
        {
            return self.refused(&problem, allowed);
        }
        page::elsewhere(&aliased.target(), allowed)
    }

    /// Does what comes before a reader of an alias's one channel: publishes the greeting, and tells
    /// that the channel is there.
    async fn receive(&self, alias: &Alias, channel: &ChannelName) -> Result<(), Problem> {
        if self.draining() {
            return Ok(());
        }
        if let Some(greeting) = alias.greeting() {
            self.greet(channel, Data::Text(greeting.clone())).await?;
        }
        let Some(arrivals) = self.arrivals.as_ref().filter(|_| alias.is_unique()) else {
            return Ok(());
        };
        match arrivals.try_send(channel.clone()) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Problem::of(Code::Overloaded)),
            // Whoever has ended waits for nobody any more.
            Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) => Ok(()),
        }
    }

    /// Reads away the body of a `POST` that reads, which says nothing to this server.
    async fn read_away(&self, body: &mut Incoming) -> Result<(), Problem> {
        let stake = &mut self.limiter.stake(&self.terms);
        let outcome = body::read(body, self.payload_rules(), stake).await;
        if outcome.is_err() {
            body::discard(body).await;
        }
        outcome.map(drop)
    }

    /// The server itself publishes this, whoever may publish otherwise.
    async fn greet(&self, channel: &ChannelName, greeting: Data) -> Result<(), Problem> {
        let draft = plain_draft(greeting, &None);
        match super::publish(&self.node, channel.clone(), draft).await {
            // Its reader is told the end, and has no need of a greeting.
            Answer::Refused(refusal) if refusal.code != Code::ChannelEnded => {
                Err(Problem::refused(channel, refusal))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn payload_rules(&self) -> BodyRules {
        BodyRules {
            bytes_max: self.rules.payload_bytes_max,
            too_large: (Code::PayloadTooLarge, "Send less, or raise `limits.payload_bytes_max`."),
            progress_bytes: self.options.body_progress_bytes,
            progress_within: self.options.body_progress_within,
        }
    }
}

//! Messages that take long to read. Clerks read them, while the session waits as it does for an answer:
//! nothing more of its client is decoded, and nothing more is read.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::Publisher;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::route::Rules;
use fanfare_protocol::native::v1::{self, BadCommand, Command, Speaker};
use fanfare_protocol::websocket::{CloseCode, Decoder, MessageKind, Role, Violation};

use super::{Arriving, Language, Session, Stage};
use crate::clerk::LARGE_BYTES;
use crate::coding::{self, Passage};
use crate::limit::Stake;
use crate::shard::http::Judge;
use crate::shard::step::Step;

/// A message on its way to a clerk.
#[derive(Debug)]
pub(in crate::shard) struct Large {
    kind: MessageKind,
    data: Bytes,
    form: Form,
    speech: Speech,
    /// What it holds until it has been read.
    stake: Option<Stake>,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// Deflated, and it may inflate to so many bytes.
    Deflated(u32),
}

/// What a clerk has to know of who says it.
#[derive(Debug)]
enum Speech {
    Raw,
    V1 { publisher: Publisher, last: Option<ChannelName>, rules: Rules, now: UnixMillis },
}

/// What a clerk has made of a message.
#[derive(Debug)]
pub(crate) struct Read {
    pub(super) outcome: Outcome,
    /// What inflating it took and gave.
    inflated: Option<Passage>,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// The payload of a raw frame.
    Payload(MessageKind, Bytes),
    Command(Result<Command, BadCommand>),
    Violation(Violation),
}

impl Large {
    /// Reads it; a clerk does.
    pub(in crate::shard) fn read(self) -> Read {
        let (data, inflated) = match self.form {
            Form::Plain => (self.data, None),
            Form::Deflated(bytes_max) => {
                let decoder = Decoder::new(Role::Server, bytes_max);
                match coding::inflate(&decoder, self.kind, &self.data) {
                    Ok(data) => {
                        let passage =
                            Passage { taken: self.data.len() as u64, given: data.len() as u64 };
                        (data, Some(passage))
                    }
                    Err(violation) => {
                        return Read { outcome: Outcome::Violation(violation), inflated: None };
                    }
                }
            }
        };
        let outcome = match &self.speech {
            Speech::Raw => Outcome::Payload(self.kind, data),
            Speech::V1 { publisher, last, rules, now } => {
                let speaker = Speaker { publisher, last: last.as_ref() };
                // The decoder, or the inflater, has checked that it is UTF-8.
                let text = str::from_utf8(&data).unwrap_or_default();
                Outcome::Command(v1::parse(text, speaker, rules, *now))
            }
        };
        Read { outcome, inflated }
    }
}

impl Session {
    /// Has a clerk read a message.
    pub(super) fn hand_in(
        &mut self,
        (kind, data): (MessageKind, Bytes),
        form: Form,
        judge: &Judge,
        now: UnixMillis,
    ) -> Step {
        let speech = match &self.language {
            Language::Raw(_) => Speech::Raw,
            Language::V1(known) => Speech::V1 {
                publisher: self.caller.publisher().clone(),
                last: known.as_ref().and_then(|known| known.last.clone()),
                rules: judge.rules,
                now,
            },
        };
        let large = Box::new(Large { kind, data, form, speech, stake: None });
        Step::HandIn { request: self.wait_for(None), large }
    }

    /// Goes on with a message that a clerk has read; with nothing, if it is not the one that is
    /// waited for.
    pub(in crate::shard) fn take_read(
        &mut self,
        request: u64,
        read: Read,
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        match &self.stage {
            Stage::Busy(busy) if busy.request == request => self.stage = Stage::Open,
            _ => return Step::Wait,
        }
        if let Some(passage) = read.inflated {
            coding::count_inflated(passage);
        }
        match read.outcome {
            Outcome::Payload(kind, data) => self.publish_raw(kind, data, judge, now, out),
            Outcome::Command(command) => self.obey(command, judge, now, out),
            Outcome::Violation(violation) => self.violated(violation, judge, out),
        }
    }

    /// Inflates a message here if it stays small, which is not known before; else a clerk does.
    pub(super) fn inflate(
        &mut self,
        (kind, data): (MessageKind, Bytes),
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        let bytes_max = self.decoder.payload_bytes_max();
        let here = u32::try_from(LARGE_BYTES).unwrap_or(u32::MAX).min(bytes_max);
        match coding::inflate(&Decoder::new(Role::Server, here), kind, &data) {
            Ok(message) => {
                self.count_inflated(message.len());
                self.hear(kind, message, judge, now, out)
            }
            Err(Violation::MessageTooBig { .. }) if here < bytes_max => {
                self.count_inflated(LARGE_BYTES);
                self.hand_in((kind, data), Form::Deflated(bytes_max), judge, now)
            }
            Err(violation) => {
                self.count_inflated(LARGE_BYTES);
                self.violated(violation, judge, out)
            }
        }
    }

    /// Bytes that came of inflating since this was last asked: they take their time as those that are
    /// read do.
    pub(in crate::shard) fn take_inflated(&mut self) -> usize {
        std::mem::take(&mut self.inflated) as usize
    }

    fn count_inflated(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.inflated = self.inflated.saturating_add(bytes);
    }

    /// Whether more is taken of a message that is becoming large: it holds what it announces, so that
    /// who is refused is refused before the most of it has come.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn admit_large(&mut self, judge: &Judge) -> Result<(), Problem> {
        let expected = self.decoder.expected_bytes();
        if expected <= LARGE_BYTES {
            return Ok(());
        }
        let begun = self.decoder.begun();
        if matches!(self.language, Language::V1(_)) && begun.is_some_and(is_vain) {
            return Err(vain());
        }
        let arriving = self.arriving.get_or_insert_default();
        let stake = arriving.stake.get_or_insert_with(|| judge.limiter.stake(&judge.terms));
        stake.grow_to(expected)
    }

    /// Closes over a message that is not taken; nothing of it is kept.
    pub(super) fn turn_away(&mut self, problem: &Problem, out: &mut Vec<u8>) -> Step {
        self.arriving = None;
        self.decoder.discard();
        let code = match problem.code() {
            Code::Overloaded => CloseCode::TRY_AGAIN_LATER,
            _ => CloseCode::POLICY_VIOLATION,
        };
        self.close_for(problem.code(), (code, &*problem.close_reason()), out)
    }

    /// What comes behind a close is read away, so that its reason is not overtaken by a reset, but not
    /// without end.
    pub(super) fn discard(&mut self, step: Step, came: usize) -> Step {
        let Stage::Closing { discarded } = &mut self.stage else { return step };
        *discarded = discarded.saturating_add(u32::try_from(came).unwrap_or(u32::MAX));
        match step {
            Step::Wait if *discarded > DISCARDED_BYTES_MAX => Step::Gone,
            step => step,
        }
    }
}

/// What a message holds it holds until it has been read.
pub(super) fn keep(mut step: Step, arrived: Option<Box<Arriving>>) -> Step {
    if let Step::HandIn { large, .. } = &mut step {
        large.stake = arrived.and_then(|arrived| arrived.stake);
    }
    step
}

/// Whether a large message is no command for certain. There is no need to take it to its end.
pub(super) fn is_vain(data: &[u8]) -> bool {
    let mut first = data.iter().take(LOOK_BYTES);
    first
        .find(|byte| !byte.is_ascii_whitespace())
        .map_or(data.len() >= LOOK_BYTES, |byte| *byte != b'{')
}

pub(super) fn vain() -> Problem {
    Problem::new(
        Code::CommandInvalid,
        "a large frame does not begin as a command",
        "send a JSON object in each text frame, without white space in front of it",
    )
}

/// Bytes in which a large command has to begin.
const LOOK_BYTES: usize = 64;

/// Bytes that are read away behind a close.
const DISCARDED_BYTES_MAX: u32 = 1024 * 1024;

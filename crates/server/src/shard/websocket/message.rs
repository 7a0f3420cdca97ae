//! What a client's messages ask for.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Content, Data, Detail, Draft, End, Lifetime};
use fanfare_core::shard::{Echo, Request};
use fanfare_core::start::Subscription;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::starts::start_later;
use fanfare_protocol::native::v1::{self, Ask, BadCommand, Command, CommandId, Speaker, Token};
use fanfare_protocol::websocket::{CloseCode, Frame, MessageKind, append_frame};

use super::large::{Form, is_vain, vain};
use super::{Language, Session};
use crate::auth::{Access, NotRenewed, told};
use crate::clerk::LARGE_BYTES;
use crate::hooks::Questions;
use crate::limit::What;
use crate::shard::http::Judge;
use crate::shard::inquiry::Inquiry;
use crate::shard::step::Step;

impl Session {
    pub(super) fn hear(
        &mut self,
        kind: MessageKind,
        data: Bytes,
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        match (&self.language, kind) {
            (Language::Raw(raw), MessageKind::Text) if data == "ping" => match raw.pong.text() {
                None => self.publish_raw(kind, data, judge, now, out),
                Some(pong) => {
                    append_text(out, pong.as_bytes());
                    Step::Wait
                }
            },
            (Language::Raw(_), _) => self.publish_raw(kind, data, judge, now, out),
            (Language::V1(_), MessageKind::Text) => self.command(data, judge, now, out),
            (Language::V1(_), MessageKind::Binary) => {
                let told = (CloseCode::UNSUPPORTED_DATA, "fanfare.v1 speaks JSON in text frames");
                self.close_for(Code::CommandInvalid, told, out)
            }
        }
    }

    pub(super) fn publish_raw(
        &mut self,
        kind: MessageKind,
        data: Bytes,
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        let Language::Raw(raw) = &self.language else {
            return Step::Wait;
        };
        let Some(channel) = raw.channel.clone() else {
            let reason = "a raw socket of several channels only reads; use fanfare.v1 to publish";
            let told = (CloseCode::POLICY_VIOLATION, reason);
            return self.close_for(Code::CommandInvalid, told, out);
        };
        let may = match self.caller.has_expired(now) {
            true => Err(Access::expired()),
            false => judge.access.may_send(&self.caller, &channel, End::Open).map_err(told),
        };
        if let Err(problem) = may {
            let told = (CloseCode::POLICY_VIOLATION, &*problem.close_reason());
            return self.close_for(problem.code(), told, out);
        }
        if let Err(problem) = self.within_limits(What::Publish, &channel, judge) {
            let told = (CloseCode::POLICY_VIOLATION, &*problem.close_reason());
            return self.close_for(problem.code(), told, out);
        }
        let data = match kind {
            MessageKind::Text => Data::Text(data),
            MessageKind::Binary => Data::Binary(data),
        };
        let draft = Draft {
            content: Some(Content::plain(data)),
            lifetime: Lifetime::Retained,
            key: None,
            publisher: self.caller.publisher().clone(),
            expect: None,
            end: End::Open,
        };
        self.publish(None, channel, Box::new(draft), judge)
    }

    fn command(&mut self, data: Bytes, judge: &Judge, now: UnixMillis, out: &mut Vec<u8>) -> Step {
        if data.len() > LARGE_BYTES {
            if is_vain(&data) {
                return self.turn_away(&vain(), out);
            }
            return self.hand_in((MessageKind::Text, data), Form::Plain, judge, now);
        }
        // The decoder has checked that it is UTF-8, so this loses nothing.
        let text = str::from_utf8(&data).unwrap_or_default();
        let last = match &self.language {
            Language::V1(Some(known)) => known.last.as_ref(),
            Language::V1(None) | Language::Raw(_) => None,
        };
        let speaker = Speaker { publisher: self.caller.publisher(), last };
        let command = v1::parse(text, speaker, &judge.rules, now);
        self.obey(command, judge, now, out)
    }

    /// Does what a command asks for, if it may be asked for.
    pub(super) fn obey(
        &mut self,
        command: Result<Command, BadCommand>,
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        let command = match command {
            Ok(command) => command,
            Err(bad) => {
                append_error(out, bad.id.as_ref(), &bad.problem);
                return Step::Told(bad.problem.code());
            }
        };
        let may = self.may(&command.ask, &judge.access, now).map_err(told);
        if let Err(problem) = may.and_then(|()| self.not_too_often(&command.ask, judge)) {
            append_error(out, Some(&command.id), &problem);
            return Step::Told(problem.code());
        }
        match command.ask {
            Ask::Ping => {
                let mut payload = Vec::new();
                v1::append_ponged(&mut payload, &command.id);
                append_text(out, &payload);
                Step::Wait
            }
            Ask::Subscribe { channel, since, notices } => {
                let start = match &self.language {
                    Language::V1(Some(known)) => {
                        start_later(&channel, since.as_ref(), &known.carried)
                    }
                    Language::V1(None) => start_later(&channel, since.as_ref(), &Cursor::new()),
                    Language::Raw(_) => fanfare_core::start::Start::Now,
                };
                let subscription = Subscription { channel, start, notices };
                self.subscribe(command.id, subscription, judge)
            }
            Ask::Unsubscribe(channel) => {
                Step::Unsubscribe { request: self.wait_for(Some(command.id)), channel }
            }
            Ask::History(channel, query) => Step::Ask {
                request: self.wait_for(Some(command.id)),
                channel,
                question: Request::History(*query),
                bytes: 0,
            },
            Ask::Presence(channel, query) => Step::Ask {
                request: self.wait_for(Some(command.id)),
                channel,
                question: Request::Presence(*query),
                bytes: 0,
            },
            Ask::Publish(channel, draft) => {
                self.remember(&channel);
                self.publish(Some(command.id), channel, draft, judge)
            }
            Ask::Refresh(token) => self.refresh(command.id, &token, judge, now, out),
        }
    }

    fn subscribe(&mut self, id: CommandId, subscription: Subscription, judge: &Judge) -> Step {
        let asks = |hooks: &Arc<Questions>| hooks.asks_to_read(&self.caller, &subscription.channel);
        let asks = judge.hooks.as_ref().is_some_and(asks);
        let request = self.wait_for(Some(id));
        if asks {
            let caller = self.caller.clone();
            return Step::Inquire(Box::new(Inquiry::Subscribe { request, caller, subscription }));
        }
        Step::Subscribe { request, subscription }
    }

    /// Looks at new credentials; whether they cover what the client reads, the loop knows.
    fn refresh(
        &mut self,
        id: CommandId,
        token: &Token,
        judge: &Judge,
        now: UnixMillis,
        out: &mut Vec<u8>,
    ) -> Step {
        match judge.access.renewed(&self.caller.identity(), token.as_bytes(), now) {
            Ok(caller) => {
                Step::Refresh { request: self.wait_for(Some(id)), caller: Box::new(caller) }
            }
            Err(NotRenewed { rounds: Some(rounds), .. }) => {
                let token = token.clone();
                Step::AwaitKeys { request: self.wait_for(Some(id)), token, rounds }
            }
            Err(NotRenewed { problem, .. }) => {
                let problem = told(problem);
                append_error(out, Some(&id), &problem);
                Step::Told(problem.code())
            }
        }
    }

    /// Keeps the name of a channel that was published to.
    fn remember(&mut self, channel: &ChannelName) {
        if let Language::V1(known) = &mut self.language {
            let known = known.get_or_insert_default();
            if known.last.as_ref() != Some(channel) {
                known.last = Some(channel.clone());
            }
        }
    }

    /// Whether the client has not asked for it too often.
    fn not_too_often(&self, ask: &Ask, judge: &Judge) -> Result<(), Problem> {
        match ask {
            Ask::Subscribe { channel, .. } => self.within_limits(What::Subscribe, channel, judge),
            Ask::Publish(channel, _) => self.within_limits(What::Publish, channel, judge),
            _ => Ok(()),
        }
    }

    fn within_limits(
        &self,
        what: What,
        channel: &ChannelName,
        judge: &Judge,
    ) -> Result<(), Problem> {
        match &self.sender {
            Some(sender) => judge.limiter.take(&judge.terms, what, sender, [channel]),
            None => Ok(()),
        }
    }

    /// Whether the client may have what it asks for.
    fn may(&self, ask: &Ask, access: &Access, now: UnixMillis) -> Result<(), Problem> {
        match ask {
            // Whoever has subscribed may leave.
            Ask::Unsubscribe(_) | Ask::Ping | Ask::Refresh(_) => Ok(()),
            _ if self.caller.has_expired(now) => Err(Access::expired()),
            Ask::Subscribe { channel, notices, .. } => {
                access.may_attach(&self.caller, channel, *notices)
            }
            Ask::History(channel, _) => access.may_look_back(&self.caller, channel),
            Ask::Presence(channel, _) => access.may_list(&self.caller, channel),
            Ask::Publish(channel, draft) => access.may_send(&self.caller, channel, draft.end),
        }
    }

    fn publish(
        &mut self,
        command: Option<CommandId>,
        channel: ChannelName,
        mut draft: Box<Draft>,
        judge: &Judge,
    ) -> Step {
        if let (Echo::Off, Some(content)) = (self.echo, &mut draft.content) {
            let detail = content.detail.get_or_insert_with(Box::<Detail>::default);
            detail.exclude = Some(self.id);
        }
        let asks = |hooks: &Arc<Questions>| hooks.asks_to_publish(&self.caller, &channel);
        if judge.hooks.as_ref().is_some_and(asks) {
            let (request, caller) = (self.wait_for(command), self.caller.clone());
            let inquiry = Inquiry::Publish { request, caller, channel, draft };
            return Step::Inquire(Box::new(inquiry));
        }
        Step::Ask {
            request: self.wait_for(command),
            channel,
            bytes: draft.content.as_ref().map_or(0, Content::weight),
            question: Request::Publish(draft),
        }
    }
}

/// Appends a text frame.
pub(super) fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    let kind = MessageKind::Text;
    append_frame(out, &Frame::Message { kind, payload }, None);
}

/// Appends the reply to a command that cannot be carried out.
pub(super) fn append_error(out: &mut Vec<u8>, id: Option<&CommandId>, problem: &Problem) {
    let mut payload = Vec::new();
    v1::append_error(&mut payload, id, problem);
    append_text(out, &payload);
}

/// The close code that a refusal is told with: those that may pass later bring a client back.
pub(crate) fn close_code_of(code: Code) -> CloseCode {
    let number = match code {
        Code::Unauthorized => 4001,
        Code::SinceInvalid => 4002,
        Code::Forbidden => 4003,
        _ if code.row().retry == fanfare_core::code::Retry::Never => 4004,
        _ => return CloseCode::TRY_AGAIN_LATER,
    };
    CloseCode::new(number).unwrap_or(CloseCode::POLICY_VIOLATION)
}

//! What a WebSocket is told beside its publications: the answer to its handshake, the opening,
//! replies, gaps, ends and why it is closed.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{Answer, Disconnect, Opened};
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::cursor::entry_text;
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::{Media, ResponseHead, append_header, append_status_line};
use fanfare_protocol::native::v1::{self, CommandId};
use fanfare_protocol::websocket::{CloseCode, REASON_BYTES_MAX};

use super::message::{append_error, append_text, close_code_of};
use super::{Language, Session, Stage, Upgrade};
use crate::auth::Caller;
use crate::shard::step::Step;

/// What came of a command.
#[derive(Debug)]
pub(in crate::shard) enum Reply<'a> {
    Subscribed(&'a Opened),
    Unsubscribed(&'a ChannelName),
    Answer(&'a ChannelName, &'a Answer),
    Refused(Code),
    /// New credentials were taken, which are good for so long.
    Refreshed(Option<Duration>),
    /// It was refused, in words.
    Problem(&'a Problem),
}

impl Session {
    /// Answers the handshake, if the edge has not, and tells where each channel stands.
    pub(in crate::shard) fn open(&mut self, open: &Open<'_>, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.stage, Stage::Open) {
            Stage::Upgrading(upgrade) => append_switch(out, &upgrade, Some(open.cursor)),
            Stage::Adopted => {}
            other => {
                self.stage = other;
                return;
            }
        }
        match &mut self.language {
            Language::V1(_) => {
                let mut payload = Vec::new();
                v1::append_open(&mut payload, open);
                append_text(out, &payload);
            }
            // The shard's own name of the channel, which all its readers share, in place of the
            // request's.
            Language::Raw(raw) => {
                if let (Some(name), [opened]) = (&mut raw.channel, open.channels) {
                    name.clone_from(&opened.channel);
                }
            }
        }
    }

    /// Answers the handshake and closes at once for the reason that the session was made with.
    pub(in crate::shard) fn tell_refusal(&mut self, out: &mut Vec<u8>) -> Option<Code> {
        let Stage::Refused(refused) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return None;
        };
        let (upgrade, problem) = *refused;
        append_switch(out, &upgrade, None);
        self.close(close_code_of(problem.code()), &problem.close_reason(), out);
        Some(problem.code())
    }

    /// Tells why the core did not open it.
    pub(in crate::shard) fn refuse(&mut self, problem: &Problem, out: &mut Vec<u8>) -> Step {
        if let Stage::Upgrading(upgrade) = &self.stage {
            append_switch(out, upgrade, None);
        }
        self.close(close_code_of(problem.code()), &problem.close_reason(), out)
    }

    /// Tells what came of the command with this number; nothing if it is not the one that waits.
    pub(in crate::shard) fn reply(
        &mut self,
        request: u64,
        reply: &Reply<'_>,
        out: &mut Vec<u8>,
    ) -> Step {
        match &self.stage {
            Stage::Busy(busy) if busy.request == request => {}
            _ => return Step::Wait,
        }
        let Stage::Busy(busy) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return Step::Wait;
        };
        match (&busy.command, reply) {
            (Some(id), reply) => {
                append_reply(out, id, reply);
                Step::Wait
            }
            (None, Reply::Answer(channel, Answer::Refused(refusal))) => {
                let reason = Problem::refused(channel, *refusal).close_reason();
                self.close(CloseCode::POLICY_VIOLATION, &reason, out)
            }
            (None, Reply::Refused(code)) => {
                let reason = Problem::of(*code).close_reason();
                self.close(CloseCode::POLICY_VIOLATION, &reason, out)
            }
            (None, Reply::Problem(problem)) => {
                self.close(CloseCode::POLICY_VIOLATION, &problem.close_reason(), out)
            }
            (None, _) => Step::Wait,
        }
    }

    /// From now on the client is who its new credentials say.
    pub(in crate::shard) fn trust(&mut self, caller: Caller) {
        self.caller = caller;
    }

    /// When the client's credentials expire.
    pub(in crate::shard) fn expires(&self) -> Option<UnixMillis> {
        self.caller.expires()
    }

    /// Tells that its credentials expire; a raw socket has no words for it.
    pub(in crate::shard) fn tell_expiring(&self, left: Duration, out: &mut Vec<u8>) {
        let open = matches!(self.stage, Stage::Open | Stage::Busy(_));
        if open && matches!(self.language, Language::V1(_)) {
            let mut payload = Vec::new();
            v1::append_expiring(&mut payload, left);
            append_text(out, &payload);
        }
    }

    /// Who the client is.
    pub(in crate::shard) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether it can lose a channel and go on with others; a raw socket has no words for it.
    pub(in crate::shard) fn goes_without(&self) -> bool {
        let open = matches!(self.stage, Stage::Open | Stage::Busy(_));
        open && matches!(self.language, Language::V1(_))
    }

    /// Tells that it reads a channel no more, and why.
    pub(in crate::shard) fn tell_loss(&self, problem: &Problem, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        v1::append_loss(&mut payload, problem);
        append_text(out, &payload);
    }

    /// Closes because the client may not go on: its credentials have expired, or are good no more.
    pub(in crate::shard) fn send_away(&mut self, problem: &Problem, out: &mut Vec<u8>) -> Step {
        if let Stage::Upgrading(upgrade) = &self.stage {
            append_switch(out, upgrade, None);
        }
        self.close(close_code_of(problem.code()), &problem.close_reason(), out)
    }

    /// Tells a gap; a raw socket has no words for it.
    pub(in crate::shard) fn tell_gap(&self, gap: &Gap, out: &mut Vec<u8>) {
        if matches!(self.language, Language::V1(_)) {
            let mut payload = Vec::new();
            v1::append_gap(&mut payload, gap);
            append_text(out, &payload);
        }
    }

    /// Tells that a channel has ended; a raw socket is closed when its last one has.
    pub(in crate::shard) fn tell_end(
        &self,
        channel: &ChannelName,
        entry: CursorEntry,
        out: &mut Vec<u8>,
    ) {
        if matches!(self.language, Language::V1(_)) {
            let mut payload = Vec::new();
            v1::append_end(&mut payload, channel, entry);
            append_text(out, &payload);
        }
    }

    /// Closes because all channels have ended.
    pub(in crate::shard) fn finish(&mut self, out: &mut Vec<u8>) -> Step {
        self.close(CloseCode::NORMAL, "", out)
    }

    /// Closes because the reader cannot go on, and says from where it can.
    pub(in crate::shard) fn disconnect(&mut self, why: &Disconnect, out: &mut Vec<u8>) -> Step {
        let reason = match why {
            Disconnect::Slow => "slow".to_owned(),
            Disconnect::Gap(gap) => {
                let entry =
                    CursorEntry { hash: gap.channel.hash48(), position: gap.to, ended: false };
                let reason = format!("since={}", entry_text(entry));
                if reason.len() > REASON_BYTES_MAX { "since=all".to_owned() } else { reason }
            }
        };
        self.close(CloseCode::TRY_AGAIN_LATER, &reason, out)
    }

    /// Closes because the server restarts.
    pub(in crate::shard) fn drain(&mut self, out: &mut Vec<u8>) -> Step {
        if let Stage::Upgrading(upgrade) = &self.stage {
            append_switch(out, upgrade, None);
        }
        self.close(CloseCode::SERVICE_RESTART, "come back", out)
    }
}

fn append_reply(out: &mut Vec<u8>, id: &CommandId, reply: &Reply<'_>) {
    let mut payload = Vec::with_capacity(REPLY_BYTES);
    match reply {
        Reply::Subscribed(opened) => v1::append_subscribed(&mut payload, id, opened),
        Reply::Unsubscribed(channel) => v1::append_unsubscribed(&mut payload, id, channel),
        Reply::Answer(channel, answer) => v1::append_answer(&mut payload, id, channel, answer),
        Reply::Refused(code) => return append_error(out, Some(id), &Problem::of(*code)),
        Reply::Refreshed(left) => v1::append_refreshed(&mut payload, id, *left),
        Reply::Problem(problem) => return append_error(out, Some(id), problem),
    }
    append_text(out, &payload);
}

fn append_switch(out: &mut Vec<u8>, upgrade: &Upgrade, cursor: Option<&Cursor>) {
    append_status_line(out, 101);
    append_header(out, "Upgrade", "websocket");
    append_header(out, "Connection", "Upgrade");
    append_header(out, "Sec-WebSocket-Accept", &upgrade.accept);
    if let Some(answer) = upgrade.deflate {
        append_header(out, "Sec-WebSocket-Extensions", answer.header());
    }
    if let Some(name) = upgrade.subprotocol {
        append_header(out, "Sec-WebSocket-Protocol", name);
    }
    let mut head = ResponseHead::new(101, Media::None, &upgrade.origin);
    head.cursor = cursor;
    for (name, value) in head.headers() {
        append_header(out, name, &value);
    }
    out.extend_from_slice(b"\r\n");
}

/// Room for a reply to a publish, so that it need not grow while it is written.
const REPLY_BYTES: usize = 256;

//! Engines that do not answer: what is on its way has a deadline, after which its outcome counts as
//! unknown and the engine is asked again.

use std::cmp::Reverse;

use crate::code::Code;
use crate::name::ChannelName;
use crate::owner::channel::{Barrier, Channel};
use crate::owner::publish::millis;
use crate::owner::{Outlet, Owner};
use crate::shard::EngineCommand;
use crate::time::{Millis, Now};

impl Owner {
    /// Has a channel looked at when what it waits for should have come. A channel has one entry
    /// among the deadlines however much it has on its way, because an engine that answers at once
    /// would otherwise leave one behind for every publish.
    pub(super) fn watch(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if let (false, Some(deadline)) = (channel.watched, channel.deadline()) {
            channel.watched = true;
            self.deadlines.push(Reverse((deadline, name.clone())));
        }
    }

    /// Looks after what the engine should have answered by now.
    pub(crate) fn overdue(&mut self, out: &mut Outlet<'_>) {
        let now = out.now.millis;
        while self.deadlines.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, name))) = self.deadlines.pop() else { return };
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            channel.watched = false;
            while let Some(waiting) = channel.waiting.pop_front_if(|next| next.deadline <= now) {
                out.refuse(waiting.origin, &name, Code::NotApplied, None);
            }
            if channel.answer_due().is_some_and(|deadline| deadline <= now) {
                self.ask_again(&name, out);
            }
            self.watch(&name);
        }
        self.read_again(out);
    }

    /// When the engine has to have answered what it is asked now.
    pub(super) fn deadline(&self, now: Now) -> Millis {
        now.millis + millis(self.settings.engine_timeout)
    }

    fn ask_again(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        let retry = self.deadline(out.now);
        let Some(channel) = self.channels.get_mut(name) else { return };
        let after = channel.position();
        match &mut channel.barrier {
            Barrier::Resync { resync, deadline } => {
                *deadline = retry;
                let (resync, channel) = (*resync, name.clone());
                out.engine(EngineCommand::Resync { resync, channel, after });
            }
            Barrier::Removal(removal) => {
                removal.deadline = retry;
                let (epoch, mark) = (removal.epoch, removal.mark);
                if let Some(origin) = removal.origin.take() {
                    out.refuse(origin, name, Code::OutcomeUnknown, None);
                }
                out.engine(EngineCommand::Remove { channel: name.clone(), epoch, mark });
            }
            Barrier::None | Barrier::End => {
                if let Some(append) = channel.pending.front().map(|pending| pending.append) {
                    self.unknown(name, append, out);
                }
            }
        }
    }
}

impl Channel {
    /// When something of the channel is overdue.
    fn deadline(&self) -> Option<Millis> {
        let waiting = self.waiting.front().map(|waiting| waiting.deadline);
        self.answer_due().into_iter().chain(waiting).min()
    }

    /// When the engine should have answered.
    fn answer_due(&self) -> Option<Millis> {
        match &self.barrier {
            Barrier::Resync { deadline, .. } => Some(*deadline),
            Barrier::Removal(removal) => Some(removal.deadline),
            Barrier::None | Barrier::End => self.pending.front().map(|pending| pending.deadline),
        }
    }
}

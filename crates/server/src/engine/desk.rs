//! What one shard has for the log, gathered on its way: the more of it comes together, the fewer
//! times the disk has to be waited for, and threads be woken.

use fanfare_core::settings::ShardId;
use fanfare_core::shard::EngineCommand;

use super::log::LogHandle;

/// Where one shard hands over its commands.
#[derive(Debug)]
pub(crate) struct Desk {
    log: LogHandle,
    shard: ShardId,
    /// Commands that change something, in their order.
    gathered: Vec<(ShardId, EngineCommand)>,
}

impl Desk {
    /// The desk of a shard.
    pub(crate) fn new(log: LogHandle, shard: ShardId) -> Self {
        Self { log, shard, gathered: Vec::new() }
    }

    /// Takes a command. It is handed over with others, or by [`Self::hand_over`].
    pub(super) fn submit(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Read { .. }
            | EngineCommand::Locate { .. }
            | EngineCommand::History { .. } => self.log.ask(self.shard, command),
            EngineCommand::Append(_)
            | EngineCommand::Resync { .. }
            | EngineCommand::Remove { .. }
            | EngineCommand::RaiseMark { .. }
            | EngineCommand::Forget(_) => {
                self.gathered.push((self.shard, command));
                if self.gathered.len() >= GATHERED_MAX {
                    self.hand_over();
                }
            }
        }
    }

    /// Hands over what was gathered.
    pub(super) fn hand_over(&mut self) {
        if !self.gathered.is_empty() {
            self.log.submit(&mut self.gathered);
        }
    }
}

/// Commands that are gathered at most: the log stores these while the shard reads on.
const GATHERED_MAX: usize = 64;

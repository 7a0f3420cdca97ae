//! Engines: where history is stored beneath the rings of the owners.
//!
//! An engine takes the commands of one shard's owners and answers with completions, at once or
//! later through the shard's mailbox.

mod desk;
pub(crate) mod log;
mod memory;
mod store;

use fanfare_core::shard::{Completion, EngineCommand};

pub(crate) use desk::Desk;
pub(crate) use memory::Memory;
pub(crate) use store::{Health, Store, log_options};

/// The engines there are.
#[derive(Debug)]
pub(crate) enum Engine {
    /// Nothing outlives the process.
    Memory(Memory),
    /// The log, which answers through the shard's mailbox.
    Log(Desk),
}

impl Engine {
    /// Takes a command. A completion that is ready at once is given back; any other comes through
    /// the mailbox.
    pub(crate) fn submit(&mut self, command: EngineCommand) -> Option<Completion> {
        match self {
            Self::Memory(memory) => memory.complete(command),
            Self::Log(desk) => {
                desk.submit(command);
                None
            }
        }
    }

    /// To be called when the shard has no more commands for now.
    pub(crate) fn hand_over(&mut self) {
        if let Self::Log(desk) = self {
            desk.hand_over();
        }
    }
}

//! The memory engine: the owners' rings are all the history there is.
//!
//! Every command completes in the same step. What the ring no longer holds is nowhere, so a page
//! is never found, and nothing is ever in doubt.

use fanfare_core::shard::{Completion, EngineCommand, NoPage};

/// An engine that stores nothing.
#[derive(Debug, Default)]
pub(crate) struct Memory;

impl Memory {
    /// The completion of a command.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        clippy::unused_self,
        reason = "engines with a state have this signature"
    )]
    pub(crate) fn complete(&mut self, command: EngineCommand) -> Option<Completion> {
        Some(match command {
            EngineCommand::Append(append) => {
                Completion::Committed { channel: append.channel, append: append.append }
            }
            EngineCommand::Resync { resync, channel, after } => {
                Completion::Resynced { resync, channel, head: after.offset, ended: false }
            }
            EngineCommand::Remove { channel, epoch, .. } => {
                Completion::Removed { channel, epoch, outcome: Ok(()) }
            }
            EngineCommand::RaiseMark { channel, mark } => Completion::MarkRaised { channel, mark },
            EngineCommand::Forget(_) => return None,
            EngineCommand::Read { read, channel, .. } => {
                Completion::Page { read, channel, page: Ok(Vec::new()) }
            }
            EngineCommand::Locate { read, channel, head, .. } => {
                Completion::Located { read, channel, after: Ok(head) }
            }
            EngineCommand::History { read, channel, .. } => {
                Completion::History { read, channel, page: Err(NoPage::OtherHistory) }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::name::ChannelName;
    use fanfare_core::position::{Epoch, Position};
    use fanfare_core::publication::End;
    use fanfare_core::shard::{Append, Completion, EngineCommand};

    use super::Memory;

    #[test]
    fn what_is_appended_is_committed_and_nothing_can_be_read_back() {
        let channel = ChannelName::new("news").unwrap();
        let mut memory = Memory;
        let append = EngineCommand::Append(Append {
            append: 7,
            channel: channel.clone(),
            publication: None,
            end: End::Close,
            after: Position::new(0, Epoch::from_bits(9)),
            key: None,
        });
        let committed = memory.complete(append);
        assert!(matches!(committed, Some(Completion::Committed { append: 7, .. })));
        let read = EngineCommand::Read {
            read: 3,
            channel,
            after: Position::new(1, Epoch::from_bits(9)),
            bytes: 1,
        };
        let page = memory.complete(read);
        let Some(Completion::Page { read: 3, page: Ok(publications), .. }) = page else {
            panic!("{page:?}")
        };
        assert!(publications.is_empty());
    }
}

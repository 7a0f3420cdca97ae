//! Asking the owners of channels.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::permit::Permit;
use fanfare_core::publication::Draft;
use fanfare_core::shard::{Answer, Refusal, Request};
use tokio::sync::oneshot;

use crate::node::Node;

/// An answer that is on its way, or stands already.
#[derive(Debug)]
pub(super) enum Asked {
    /// On its way.
    Waiting(oneshot::Receiver<Answer>),
    /// It never left.
    Refused(Code),
}

/// Asks to publish, if there is a permit.
pub(super) fn publish(node: &Node, channel: ChannelName, draft: Draft) -> Asked {
    let bytes = draft.content.as_ref().map_or(0, |content| content.weight());
    match node.permits().take(bytes) {
        Some(permit) => {
            let request = Request::Publish(Box::new(draft));
            Asked::Waiting(node.ask(channel, request, permit))
        }
        None => Asked::Refused(Code::Overloaded),
    }
}

/// Asks anything else. A removal waits at its owner for what is on its way, so it takes a permit as
/// publishes do; what is only read takes no room.
pub(super) fn question(node: &Node, channel: ChannelName, request: Request) -> Asked {
    let permit = match request {
        Request::Remove => node.permits().take(0),
        _ => Some(Permit::free()),
    };
    match permit {
        Some(permit) => Asked::Waiting(node.ask(channel, request, permit)),
        None => Asked::Refused(Code::Overloaded),
    }
}

impl Asked {
    /// Waits for the answer. If the node ends before it comes, nobody knows.
    pub(super) async fn answer(self) -> Answer {
        let code = match self {
            Self::Waiting(receiver) => match receiver.await {
                Ok(answer) => return answer,
                Err(_ended) => Code::OutcomeUnknown,
            },
            Self::Refused(code) => code,
        };
        Answer::Refused(Refusal { code, head: None })
    }
}

//! The queue through which shards hand connections to the edge.

use tokio::sync::mpsc;

use crate::node::Handover;

/// The shards' end. Never blocks.
#[derive(Debug, Clone)]
pub(crate) struct Handoff {
    queue: mpsc::Sender<Handover>,
}

/// The edge's end.
#[derive(Debug)]
pub(crate) struct Intake {
    queue: mpsc::Receiver<Handover>,
}

impl Handoff {
    /// A queue that holds at most `bound` connections, at least one.
    pub(crate) fn channel(bound: usize) -> (Self, Intake) {
        let (sender, receiver) = mpsc::channel(bound.max(1));
        (Self { queue: sender }, Intake { queue: receiver })
    }

    /// Hands a connection over; gives it back when the queue is full or the edge has ended.
    pub(crate) fn hand_over(&self, handover: Handover) -> Result<(), Handover> {
        self.queue.try_send(handover).map_err(|error| match error {
            mpsc::error::TrySendError::Full(handover)
            | mpsc::error::TrySendError::Closed(handover) => handover,
        })
    }
}

impl Intake {
    /// The next connection; none when every shard has ended.
    pub(crate) async fn next(&mut self) -> Option<Handover> {
        self.queue.recv().await
    }
}

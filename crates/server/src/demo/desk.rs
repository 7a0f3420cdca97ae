//! Where the sources publish: the way that every publisher inside of the process takes, from the
//! permit to the owner's answer. Knows nothing of what is published.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Content, Data, Detail, Draft, End, Lifetime};
use fanfare_core::shard::Answer;
use tokio_util::task::TaskTracker;

use crate::edge::{self, Drain};
use crate::node::Node;

/// A place to publish from, until the server drains.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    node: Arc<Node>,
    drain: Drain,
    tracker: TaskTracker,
}

/// What is published.
#[derive(Debug)]
pub(super) struct Message {
    data: Data,
    detail: Detail,
    end: End,
}

impl Desk {
    pub(super) fn new(node: Arc<Node>, drain: Drain, tracker: TaskTracker) -> Self {
        Self { node, drain, tracker }
    }

    /// Runs a source until it is done, or the server drains.
    pub(super) fn run(&self, source: impl Future<Output = ()> + Send + 'static) {
        let mut drain = self.drain.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = drain.begun() => {}
                () = source => {}
            }
        });
    }

    /// Publishes. A message that is refused is left out: the next one is newer.
    pub(super) async fn publish(&self, channel: &ChannelName, message: Message) {
        let Message { data, detail, end } = message;
        let detail = (detail != Detail::default()).then(|| Box::new(detail));
        let draft = Draft {
            content: Some(Content { data, detail }),
            lifetime: Lifetime::Retained,
            key: None,
            publisher: None,
            expect: None,
            end,
        };
        if let Answer::Refused(refusal) = edge::publish(&self.node, channel.clone(), draft).await {
            // A server that is overloaded has better things to write than this a thousand times.
            tracing::debug!(%channel, code = ?refusal.code, "a message of the demo was refused");
        }
    }
}

impl Message {
    /// A text.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self { data: Data::Text(text.into()), detail: Detail::default(), end: End::Open }
    }

    /// A value as JSON.
    pub(super) fn json(value: &serde_json::Value) -> Self {
        let data = Data::Json(value.to_string().into());
        let content_type = Some("application/json".into());
        Self { data, detail: Detail { content_type, ..Detail::default() }, end: End::Open }
    }

    /// The same as its channel's last.
    pub(super) fn last(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// The same under the name of an event.
    pub(super) fn named(mut self, event: &str) -> Self {
        self.detail.event = Some(event.into());
        self
    }

    /// The same, superseding whatever else has this key for those who want the newest only.
    pub(super) fn superseding(mut self, key: &str) -> Self {
        self.detail.conflate = Some(key.into());
        self
    }
}

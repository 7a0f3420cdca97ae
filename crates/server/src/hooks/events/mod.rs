//! Events: what the application's backend is told, and nobody waits for.
//!
//! A shard hands what has happened to its [`Teller`], which never blocks: what there is no room for is
//! lost, and the backend is told how much. One task ([`post`]) silences what a page that is loaded
//! again has caused ([`grace`]), makes batches of the rest and sends one after another, in order, until
//! each is taken or has been tried for long enough ([`outgoing`], which knows neither clock nor
//! network).

mod event;
mod figures;
mod grace;
mod outgoing;
mod post;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanfare_core::happening::Happening;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use event::{Departure, Parting};
pub(crate) use figures::Figures;

use super::{Client, Endpoint};
use event::Event;
use figures::Charge;
use post::Post;

/// What is on its way to the task.
type Told = (Event, Charge);

/// How long what waits may still be sent when the server has left.
const FAREWELL: Duration = Duration::from_secs(5);

/// The events of one server.
#[derive(Debug)]
pub(crate) struct Events {
    figures: Arc<Figures>,
    told: mpsc::UnboundedSender<Told>,
    delivery: watch::Sender<Delivery>,
    ending: CancellationToken,
    /// What the task needs, until it is started.
    post: Mutex<Option<Post>>,
}

/// Where events go, and how.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// What sends them.
    pub client: Arc<Client>,
    /// Where they go; none: there are none.
    pub endpoint: Option<Endpoint>,
    /// Whether the end of each stream and WebSocket is one.
    pub disconnects: bool,
    /// How they are held back, gathered and repeated.
    pub terms: Terms,
}

/// How events are held back, gathered and repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// How long somebody who has gone may take to come back unnoticed.
    pub grace: Duration,
    /// Events of one batch at most.
    pub batch_max: usize,
    /// How long a batch is tried.
    pub retry_for: Duration,
    /// Bytes of events that wait.
    pub bytes_max: usize,
}

/// What shards tell events to.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    figures: Arc<Figures>,
    told: mpsc::UnboundedSender<Told>,
    disconnects: bool,
}

impl Events {
    /// The events of a server; nothing is sent before [`Self::start`].
    #[expect(
        clippy::disallowed_methods,
        reason = "bounded by the bytes that `Figures` admits, so that shards never wait"
    )]
    pub(crate) fn new(delivery: Delivery) -> Arc<Self> {
        let figures = Figures::new(delivery.terms.bytes_max);
        let (told, receiver) = mpsc::unbounded_channel();
        let (delivery, deliveries) = watch::channel(delivery);
        let ending = CancellationToken::new();
        let post = Post::new((receiver, deliveries), Arc::clone(&figures), ending.clone());
        Arc::new(Self { figures, told, delivery, ending, post: Mutex::new(Some(post)) })
    }

    /// Begins to send, with the word that the server has started.
    pub(crate) fn start(&self, tracker: &TaskTracker) {
        let post = self.post.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(post) = post {
            tracker.spawn(post.run());
        }
    }

    /// What shards tell events to; none if there is nobody who is told.
    pub(crate) fn teller(&self) -> Option<Teller> {
        let delivery = self.delivery.borrow();
        delivery.endpoint.as_ref()?;
        let (figures, told) = (Arc::clone(&self.figures), self.told.clone());
        Some(Teller { figures, told, disconnects: delivery.disconnects })
    }

    /// From now on events go there and so.
    pub(crate) fn exchange(&self, delivery: Delivery) {
        self.figures.set_bytes_max(delivery.terms.bytes_max);
        self.delivery.send_replace(delivery);
    }

    /// How long the end takes at most.
    pub(crate) fn farewell(&self) -> Duration {
        if self.delivery.borrow().endpoint.is_some() { FAREWELL } else { Duration::ZERO }
    }

    /// The shards have ended: what waits is sent within [`FAREWELL`], and behind it that the server has
    /// stopped.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    /// What is counted.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }
}

impl Teller {
    /// Something has happened to a channel.
    pub(crate) fn happened(&self, happening: Happening) {
        self.tell(Event::Channel(happening));
    }

    /// Whether it is told who goes.
    pub(crate) fn wants_departures(&self) -> bool {
        self.disconnects
    }

    /// A stream or a WebSocket has ended.
    pub(crate) fn departed(&self, departure: Departure) {
        self.tell(Event::Disconnected(Box::new(departure)));
    }

    fn tell(&self, event: Event) {
        if let Some(charge) = self.figures.admit(event.weight()) {
            // When the task has ended, nothing is told any more.
            let _ended = self.told.send((event, charge));
        }
    }
}

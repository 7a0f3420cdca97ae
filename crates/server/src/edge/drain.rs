//! The drain: told once, heard by everyone.

use tokio::sync::watch;

/// How far the server is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It serves.
    Serving,
    /// It still serves, but `/ready` says that it wants no more.
    Leaving,
    /// What is here ends, and nothing new begins.
    Draining,
}

/// Tells that the drain begins. Dropping it tells nothing.
#[derive(Debug)]
pub(crate) struct DrainSwitch {
    sender: watch::Sender<Stage>,
}

/// Hears of the drain.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    receiver: watch::Receiver<Stage>,
}

/// A switch and its first hearer.
pub(crate) fn drain() -> (DrainSwitch, Drain) {
    let (sender, receiver) = watch::channel(Stage::Serving);
    (DrainSwitch { sender }, Drain { receiver })
}

impl DrainSwitch {
    /// `/ready` fails from now on, so that balancers look elsewhere.
    pub(crate) fn announce(&self) {
        self.sender.send_replace(Stage::Leaving);
    }

    /// The drain begins.
    pub(crate) fn begin(&self) {
        self.sender.send_replace(Stage::Draining);
    }
}

impl Drain {
    /// Whether `/ready` is to fail.
    pub(crate) fn is_announced(&self) -> bool {
        *self.receiver.borrow() >= Stage::Leaving
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.receiver.borrow() >= Stage::Draining
    }

    /// Returns when it has begun.
    pub(crate) async fn begun(&mut self) {
        if self.receiver.wait_for(|stage| *stage >= Stage::Draining).await.is_err() {
            // The switch is gone without having been used: there will be no drain.
            std::future::pending::<()>().await;
        }
    }
}

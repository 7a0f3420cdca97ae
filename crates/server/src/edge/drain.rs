//! The drain: told once, heard by everyone.

use tokio::sync::watch;

/// Tells that the drain begins. Dropping it tells nothing.
#[derive(Debug)]
pub(crate) struct DrainSwitch {
    sender: watch::Sender<bool>,
}

/// Hears of the drain.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    receiver: watch::Receiver<bool>,
}

/// A switch and its first hearer.
pub(crate) fn drain() -> (DrainSwitch, Drain) {
    let (sender, receiver) = watch::channel(false);
    (DrainSwitch { sender }, Drain { receiver })
}

impl DrainSwitch {
    /// The drain begins.
    pub(crate) fn begin(&self) {
        self.sender.send_replace(true);
    }
}

impl Drain {
    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Returns when it has begun.
    pub(crate) async fn begun(&mut self) {
        if self.receiver.wait_for(|begun| *begun).await.is_err() {
            // The switch is gone without having been used: there will be no drain.
            std::future::pending::<()>().await;
        }
    }
}

//! A text that comes slowly, word by word, as a language model's answer does: one for each reader,
//! beginning when that reader comes.

use std::sync::Arc;
use std::time::Duration;

use fanfare_core::name::ChannelName;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::demo::desk::{Desk, Message};

/// What channels are called that a story is told in; the routes of `demo.toml` make them.
const PREFIX: &str = "story-";

/// Stories that are told at one time.
const TOLD_MAX: usize = 256;

/// How long a word may take.
const PAUSE: std::ops::Range<u64> = 30..110;

const STORY: &str = "A message is published once, and everyone who listens to its channel gets it: \
    a page over Server-Sent Events, an app over a WebSocket, a script over plain HTTP. Whoever \
    loses the connection comes back with the last cursor and reads on where it was, so that \
    nothing is missed and nothing comes twice.";

/// What a client takes for the end, as it does from the interfaces of language models.
const DONE: &str = "[DONE]";

/// Tells a story to everyone who comes for one.
pub(in crate::demo) async fn tell_each(desk: Desk, mut coming: mpsc::Receiver<ChannelName>) {
    let places = Arc::new(Semaphore::new(TOLD_MAX));
    while let Some(channel) = coming.recv().await {
        if !channel.as_str().starts_with(PREFIX) {
            continue;
        }
        // While all are taken, arrivals wait, and are refused when too many do.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let teller = desk.clone();
        desk.run(async move {
            tell(&teller, &channel).await;
            drop(place);
        });
    }
}

async fn tell(desk: &Desk, channel: &ChannelName) {
    for word in STORY.split_inclusive(' ') {
        desk.publish(channel, Message::text(word)).await;
        sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
    }
    desk.publish(channel, Message::text(DONE).last()).await;
}

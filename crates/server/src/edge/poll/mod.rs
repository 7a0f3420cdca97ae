//! Long-poll: what there is at once, or the next thing within the wait.
//!
//! What there is comes from the channels' owners as pages of history, which end exactly where the
//! waiting subscriber then begins: nothing can fall between them.

mod collector;
#[cfg(test)]
mod collector_tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::cursor::CursorEntry;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{Answer, HistoryPage, HistoryQuery, Order, Request};
use fanfare_core::start::{Start, Subscription};
use fanfare_protocol::native::chunk::Framing;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::encode::{append_composed, append_frame, encode};
use fanfare_protocol::native::poll::{self, PollAnswer, PollEnd};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::Reading;
use fanfare_protocol::native::response::Media;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::answer::{self, Answered};
use super::ask;
use super::connection::Origin;
use crate::auth::Caller;
use crate::metrics;
use crate::node::Changes;
use crate::pipe::Common;
use collector::{Collector, Room, Step};

/// How long a poll that has got something waits for what comes right behind it.
const COALESCE: Duration = Duration::from_millis(5);

impl Shared {
    /// Answers a poll that waits up to `wait`.
    pub(super) async fn poll(
        &self,
        mut reading: Reading,
        (wait, caller): (Duration, &Caller),
        from: &Origin,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let until = Instant::now() + wait;
        let _attending = self.attend(&mut reading);
        let mut turn = from.turn().await;
        let standing = self.standing(&reading).await?;
        let mut collector = Collector::new(standing.entries, reading.carried.clone());
        for (place, subscription) in standing.subscriptions.iter().enumerate() {
            match collector.room() {
                Some(room) => self.page(&mut collector, (place, subscription), room).await?,
                None => collector.skipped(),
            }
        }
        if collector.is_empty() && !collector.ended() && !wait.is_zero() && !self.draining() {
            from.leave_with_client();
            // What it gathers while it waits is shared with all who read it.
            drop(turn);
            self.wait(&mut collector, (reading, caller), until, from.common()).await?;
            turn = from.turn().await;
        }
        let end = if collector.ended() { PollEnd::Ended } else { PollEnd::Open };
        collector.conclude();
        let body = poll::answer(&PollAnswer {
            cursor: &collector.cursor,
            publications: &collector.publications,
            gaps: &collector.gaps,
            end,
        });
        let mut answered = answer::whole(Media::Json, body, Some(&collector.cursor), origin);
        answered.body_mut().take_turn(turn);
        Ok(answered)
    }

    /// Gathers what one channel's history holds.
    async fn page(
        &self,
        collector: &mut Collector,
        (place, subscription): (usize, &Subscription),
        room: Room,
    ) -> Result<(), Problem> {
        let channel = subscription.channel.clone();
        let query = HistoryQuery {
            since: subscription.start,
            until: None,
            limit: room.publications,
            bytes: room.bytes,
            order: Order::Ascending,
        };
        let asked = ask::question(&self.node, channel.clone(), Request::History(query));
        match asked.answer().await {
            Answer::History(page) => gather(collector, &channel, place, &page),
            Answer::Refused(refusal) => return Err(Problem::refused(&channel, refusal)),
            other => return Err(super::unexpected(&other)),
        }
        Ok(())
    }

    /// Waits for the first thing that comes, then briefly for what comes with it.
    async fn wait(
        &self,
        collector: &mut Collector,
        (mut reading, caller): (Reading, &Caller),
        mut until: Instant,
        common: Option<Arc<Common>>,
    ) -> Result<(), Problem> {
        let subscriptions = std::mem::take(&mut reading.subscriptions);
        for (place, mut subscription) in subscriptions.into_iter().enumerate() {
            let entry = collector.cursor.entry(subscription.channel.hash48());
            match entry {
                // One that has ended would be told again; its place is carried instead.
                Some(entry) if !collector.is_open(place) => reading.carried.set(entry),
                Some(entry) => {
                    subscription.start = Start::of_entry(entry);
                    reading.subscriptions.push(subscription);
                }
                None => reading.subscriptions.push(subscription),
            }
        }
        let _counted = self.cells.enter(metrics::Transport::Poll);
        let mut drain = self.drain.clone();
        // A poll never learns its session, so nobody changes it.
        let asker = (caller.clone(), Changes::Brief);
        let pipe = self.subscribe(reading, asker, None, common)?.pipe;
        let mut waiting = true;
        loop {
            let item = tokio::select! {
                item = timeout_at(until, pipe.next()) => item,
                () = drain.begun() => return Ok(()),
            };
            let Ok(item) = item else { return Ok(()) };
            match collector.take(item) {
                Step::Answer => return Ok(()),
                Step::Refuse(code) => return Err(Problem::of(code)),
                Step::More if waiting && !collector.is_empty() => {
                    waiting = false;
                    until = until.min(Instant::now() + COALESCE);
                }
                Step::More => {}
            }
        }
    }
}

/// Encodes a page's publications, each with the whole cursor as it stands after it.
fn gather(collector: &mut Collector, channel: &ChannelName, place: usize, page: &HistoryPage) {
    for served in &page.publications {
        let publication = &served.publication;
        let frame = encode(publication, served.prev, Format::Ndjson);
        let mut line = Vec::with_capacity(frame.bytes().len());
        match publication.position {
            Some(position) => {
                let entry = CursorEntry { hash: channel.hash48(), position, ended: false };
                collector.reach(place, entry);
                let cursor = &collector.cursor;
                append_composed(&mut line, &frame, Format::Ndjson, cursor, Framing::Bare);
            }
            None => append_frame(&mut line, &frame, Framing::Bare),
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        collector.push(Bytes::from(line));
    }
    collector.page(place, page);
}

//! Many subscribers that stay, come back from where they were when they are cut, and keep books.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::books::{Books, Entries};
use super::line::{Door, Line, Loss, Traffic};
use super::reader::Event;
use crate::command::bench::connect::Clock;

/// Subscribers, who leave with this value.
#[derive(Debug)]
pub(super) struct Crowd {
    room: Arc<Room>,
    members: JoinSet<Result<()>>,
}

/// What members share.
#[derive(Debug)]
struct Room {
    door: Door,
    books: Books,
    changed: Notify,
    /// How many may be on their way at a time.
    coming: Semaphore,
}

impl Crowd {
    /// Has so many subscribe, and waits until all subscriptions stand.
    ///
    /// # Errors
    /// If one is refused, or nothing happens for too long.
    pub(super) async fn open(door: Door, subscribers: usize) -> Result<Self> {
        let room = Arc::new(Room {
            door,
            books: Books::new(subscribers),
            changed: Notify::new(),
            coming: Semaphore::new(AT_ONCE),
        });
        let mut members = JoinSet::new();
        for place in 0..subscribers {
            members.spawn(subscribe(Arc::clone(&room), place));
        }
        let mut crowd = Self { room, members };
        crowd.wait("subscribe", |books| books.standing() >= subscribers).await?;
        Ok(crowd)
    }

    /// What they have written down.
    pub(super) fn books(&self) -> &Books {
        &self.room.books
    }

    /// The clock by which they keep them.
    pub(super) fn clock(&self) -> Clock {
        self.room.door.clock
    }

    /// Waits until everything that is expected has come, or nothing has for a while.
    ///
    /// # Errors
    /// If a connection is refused.
    pub(super) async fn drain(&mut self) -> Result<()> {
        loop {
            let before = self.books().open().delivered();
            let until = Instant::now() + QUIET_MAX;
            if self.until(until, |books| books.is_complete()).await? {
                return Ok(());
            }
            if self.books().open().delivered() == before {
                return Ok(());
            }
        }
    }

    /// Waits for something that has to happen.
    ///
    /// # Errors
    /// If it does not, or a connection is refused.
    pub(super) async fn wait(&mut self, what: &str, done: impl Fn(&Entries) -> bool) -> Result<()> {
        let until = Instant::now() + WAIT_MAX;
        if !self.until(until, done).await? {
            let books = self.books().open();
            bail!(
                "not all subscribers {what} in {} s over {}: {} stand, {} have come back",
                WAIT_MAX.as_secs(),
                self.room.door.kind.name(),
                books.standing(),
                books.resumed()
            );
        }
        Ok(())
    }

    /// Waits until then at most; says whether it has happened.
    async fn until(&mut self, until: Instant, done: impl Fn(&Entries) -> bool) -> Result<bool> {
        loop {
            let room = Arc::clone(&self.room);
            let changed = room.changed.notified();
            if done(&room.books.open()) {
                return Ok(true);
            }
            tokio::select! {
                elapsed = timeout_at(until, changed) => if elapsed.is_err() {
                    return Ok(false);
                },
                Some(ended) = self.members.join_next() => {
                    ended.context("a subscriber panicked")??;
                }
            }
        }
    }
}

/// Subscribes, and comes back at once whenever the connection is lost.
async fn subscribe(room: Arc<Room>, place: usize) -> Result<()> {
    let mut cursor = String::new();
    // Only at first they come in order; after a cut everyone comes back at once.
    let mut permit = Some(room.coming.acquire().await?);
    loop {
        let mut stands = false;
        let loss = read(&room, place, &mut cursor, || {
            stands = true;
            permit = None;
        });
        if let Loss::Wrong(error) = loss.await {
            return Err(error);
        }
        room.books.open().losses += 1;
        room.changed.notify_one();
        if !stands {
            sleep(AGAIN).await;
        }
    }
}

/// Reads one connection to its end, and says why it ended.
async fn read(room: &Room, place: usize, cursor: &mut String, mut stands: impl FnMut()) -> Loss {
    let mut line = match Line::open(&room.door, cursor.clone()).await {
        Ok(line) => line,
        Err(loss) => return loss,
    };
    loop {
        let events = match line.next().await {
            Ok(events) => events,
            Err(loss) => return loss,
        };
        if events.contains(&Event::Stands) {
            stands();
        }
        let ends = room.take(place, events, line.take_traffic());
        line.cursor().clone_into(cursor);
        room.changed.notify_one();
        if ends {
            return Loss::Cut;
        }
    }
}

impl Room {
    /// Writes down what came to a place; says whether the server ends the connection.
    fn take(&self, place: usize, events: Vec<Event>, traffic: Traffic) -> bool {
        let mut books = self.books.open();
        books.traffic.add(traffic);
        let mut ends = false;
        for event in events {
            match event {
                Event::Stands => books.stand(place),
                Event::Publication(came) => books.enter(place, came),
                Event::Gap => books.gaps += 1,
                Event::End => ends = true,
                Event::Reply(_) | Event::Answered => {}
            }
        }
        ends
    }
}

/// Subscriptions on their way at a time.
const AT_ONCE: usize = 64;

/// How long something that has to happen may take.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long nothing may come before what is missing is given up as lost.
const QUIET_MAX: Duration = Duration::from_secs(3);

/// How long someone waits who was cut before the subscription stood.
const AGAIN: Duration = Duration::from_millis(20);

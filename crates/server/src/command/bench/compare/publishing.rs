//! Who publishes: a thread with a connection of its own straight to the server, which sends what is
//! due when it is due, whether or not the last ones have arrived.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;

use crate::command::bench::connect::Clock;
use crate::command::bench::histogram::Latencies;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;

/// What is published, and how often.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Each of them gets `rate` publications a second.
    pub(super) channels: Vec<u32>,
    pub(super) rate: u32,
    pub(super) clock: Clock,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Publishing<'scope> {
    orders: SyncSender<Order>,
    thread: ScopedJoinHandle<'scope, Result<Latencies>>,
}

/// What it is told.
#[derive(Debug)]
enum Order {
    /// So many to each channel; who asked is told when all are sent.
    Send(u64, oneshot::Sender<u64>),
    /// One after the other until something else is said.
    GoOn,
    /// One to this channel, at once; who asked is told when it is sent.
    Now(u32, oneshot::Sender<u64>),
    /// No more; who asked is told how many each channel has had.
    Halt(oneshot::Sender<u64>),
}

/// What the thread has to do.
#[derive(Debug)]
struct Work<'a> {
    plan: Plan,
    publisher: Publisher<'a>,
    numbers: Numbers,
    /// Rounds over all channels that are still to be sent.
    left: u64,
    due: u64,
    /// When the last answer was there.
    free: u64,
    /// Who waits for the last round.
    waits: Option<oneshot::Sender<u64>>,
    late: Latencies,
    sent: u64,
}

impl<'scope> Publishing<'scope> {
    /// Starts the thread, which waits for orders.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        publisher: Publisher<'env>,
        plan: Plan,
    ) -> Result<Self> {
        let (orders, receiver) = sync_channel(ORDERS_MAX);
        let numbers = Numbers::new(plan.clock);
        let late = Latencies::new()?;
        let (left, due, free, sent) = (0, 0, 0, 0);
        let mut work = Work { plan, publisher, numbers, left, due, free, waits: None, late, sent };
        let thread = scope.spawn(move || {
            work.run(&receiver)?;
            Ok(work.late)
        });
        Ok(Self { orders, thread })
    }

    /// Sends so many to each channel at the rate, and waits until they are sent; gives how many
    /// publications there were since it was asked last.
    ///
    /// # Errors
    /// If one was refused.
    pub(super) async fn send(&self, rounds: u64) -> Result<u64> {
        self.ask(|reply| Order::Send(rounds, reply)).await
    }

    /// Sends at the rate until it is halted.
    ///
    /// # Errors
    /// If one was refused.
    pub(super) fn go_on(&self) -> Result<()> {
        self.orders.send(Order::GoOn).context(ENDED)
    }

    /// Sends one to this channel at once and waits until it is sent.
    ///
    /// # Errors
    /// If it was refused.
    pub(super) async fn now(&self, channel: u32) -> Result<()> {
        self.ask(|reply| Order::Now(channel, reply)).await.map(drop)
    }

    /// Sends no more; gives how many publications there were since it was asked last.
    ///
    /// # Errors
    /// If one was refused.
    pub(super) async fn halt(&self) -> Result<u64> {
        self.ask(Order::Halt).await
    }

    /// Ends the thread; gives how late it was with what was due, where the server was not the
    /// reason.
    ///
    /// # Errors
    /// The first publication's that was refused.
    pub(super) fn end(self) -> Result<Latencies> {
        drop(self.orders);
        self.thread.join().map_err(|_panic| anyhow!("the publisher panicked"))?
    }

    async fn ask(&self, order: impl FnOnce(oneshot::Sender<u64>) -> Order) -> Result<u64> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).context(ENDED)?;
        answer.await.context(ENDED)
    }
}

impl Work<'_> {
    /// Works until nobody can say anything any more.
    fn run(&mut self, orders: &Receiver<Order>) -> Result<()> {
        loop {
            let now = self.plan.clock.nanos();
            let order = if self.left == 0 {
                orders.recv().map_err(RecvTimeoutError::from)
            } else {
                orders.recv_timeout(Duration::from_nanos(self.due.saturating_sub(now)))
            };
            match order {
                Ok(order) => self.obey(order)?,
                Err(RecvTimeoutError::Timeout) => self.round()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn obey(&mut self, order: Order) -> Result<()> {
        let pause = self.pause();
        match order {
            Order::Send(rounds, reply) => {
                self.left = rounds;
                self.due = self.plan.clock.nanos() + pause;
                self.waits = Some(reply);
            }
            Order::GoOn => {
                self.left = u64::MAX;
                self.due = self.plan.clock.nanos() + pause;
            }
            Order::Now(channel, reply) => {
                self.publisher.publish(&[self.numbers.next(channel)])?;
                self.sent += 1;
                // Who has stopped waiting need not be told.
                let _heard = reply.send(1);
            }
            Order::Halt(reply) => {
                self.left = 0;
                self.tell(reply);
            }
        }
        Ok(())
    }

    /// Sends what is due to each channel.
    fn round(&mut self) -> Result<()> {
        let now = self.plan.clock.nanos();
        // What is late because the answer to the one before was is the server's delay.
        self.late.record(now.saturating_sub(self.due.max(self.free)));
        for channel in self.plan.channels.clone() {
            self.publisher.publish(&[self.numbers.next_at(channel, self.due)])?;
            self.sent += 1;
        }
        self.free = self.plan.clock.nanos();
        self.due += self.pause();
        self.left -= 1;
        if self.left == 0
            && let Some(reply) = self.waits.take()
        {
            self.tell(reply);
        }
        Ok(())
    }

    fn tell(&mut self, reply: oneshot::Sender<u64>) {
        // Who has stopped waiting learns the number elsewhere.
        let _heard = reply.send(std::mem::take(&mut self.sent));
    }

    fn pause(&self) -> u64 {
        1_000_000_000 / u64::from(self.plan.rate.max(1))
    }
}

const ENDED: &str = "the publisher has ended";

/// Orders that may wait.
const ORDERS_MAX: usize = 8;

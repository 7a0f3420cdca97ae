//! Cuts: a crowd of each transport stands on one server, each behind a proxy of its own, and all
//! connections of a crowd are cut at once while publications go on. In the end everyone has
//! everything, or it is told who lacks what.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::cell::{Resumed, Route};
use super::crowd::Crowd;
use super::figures::Times;
use super::kind::Kind;
use super::line::Door;
use super::proxy::{Cut, Proxy};
use super::publishing::Publishing;
use super::run::Run;

/// A crowd behind its proxy.
#[derive(Debug)]
struct Place<'a> {
    crowd: Crowd,
    proxy: &'a Proxy,
    channel: u32,
    subscribers: usize,
}

impl Run<'_> {
    /// Cuts crowds of all transports in each way; gives what came of it, in their order. Without
    /// conditions the proxy adds nothing: somebody has to stand in the middle to cut.
    ///
    /// # Errors
    /// If someone does not come back.
    pub(super) fn cuts(&mut self, route: Route) -> Result<Vec<Resumed>> {
        let subject = self.subject()?;
        let conditions = route.conditions.unwrap_or_default();
        let mut doors = Vec::new();
        for (kind, channel) in Kind::ALL.into_iter().zip(self.first_channel..) {
            let proxy = Proxy::start(subject.address, conditions)?;
            let door = self.door(&subject, Some(&proxy), (kind, channel))?;
            doors.push((door, proxy));
        }
        let channels = doors.iter().map(|(door, _)| door.channel).collect();
        let calm = self.settling(route) + CALM;
        self.while_publishing(&subject, channels, async |run, publishing| {
            let mut places = Vec::new();
            for (door, proxy) in &doors {
                let subscribers = run.flags.subscribers();
                places.push(Place::open(door.clone(), proxy, subscribers).await?);
            }
            publishing.go_on()?;
            sleep(calm).await;
            let mut all = vec![Resumed::default(); places.len()];
            for (place, resumed) in places.iter_mut().zip(&mut all) {
                place.cut(Cut::Fin, publishing).await?;
                resumed.fin = place.come_back().await?;
            }
            sleep(calm).await;
            for (place, resumed) in places.iter_mut().zip(&mut all) {
                place.cut(Cut::Reset, publishing).await?;
                resumed.reset = place.come_back().await?;
            }
            sleep(calm).await;
            // Noticing takes seconds, and nearly nothing else: all may do so at the same time.
            for place in &places {
                place.cut(Cut::Silence, publishing).await?;
            }
            for (place, resumed) in places.iter_mut().zip(&mut all) {
                resumed.silence = place.come_back().await?;
            }
            // Each channel has had the same number.
            let sent = publishing.halt().await? / places.len() as u64;
            for (place, resumed) in places.iter_mut().zip(&mut all) {
                place.close(sent, resumed).await?;
            }
            Ok(all)
        })
    }
}

impl<'a> Place<'a> {
    async fn open(door: Door, proxy: &'a Proxy, subscribers: usize) -> Result<Self> {
        let channel = door.channel;
        let crowd = Crowd::open(door, subscribers).await?;
        Ok(Self { crowd, proxy, channel, subscribers })
    }

    /// Cuts all connections, and has something published at once that everyone misses.
    async fn cut(&self, cut: Cut, publishing: &Publishing<'_>) -> Result<()> {
        let clock = self.crowd.clock();
        let at = clock.nanos();
        self.proxy.cut(cut, self.subscribers).await?;
        self.crowd.books().open().cut(at, clock.nanos());
        publishing.now(self.channel).await
    }

    /// Waits until everyone has what they missed; gives how long that took.
    async fn come_back(&mut self) -> Result<Times> {
        let subscribers = self.subscribers;
        self.crowd.wait("come back", |books| books.resumed() >= subscribers).await?;
        let took = self.crowd.books().open().resumptions();
        Times::of(&took).context("there are subscribers")
    }

    /// Waits for the rest of what was sent and closes the books.
    async fn close(&mut self, sent: u64, resumed: &mut Resumed) -> Result<()> {
        self.crowd.books().open().expect(sent);
        self.crowd.drain().await?;
        let books = self.crowd.books().open();
        (resumed.tally, resumed.gaps) = (books.tally(), books.gaps);
        // Those that were cut by us were to come back.
        let ours = CUTS * self.subscribers as u64;
        resumed.tally.disconnected += books.losses.saturating_sub(ours);
        Ok(())
    }
}

/// Cuts of each crowd.
const CUTS: u64 = 3;
/// How long everything goes its way between two kinds of cut.
const CALM: Duration = Duration::from_millis(300);

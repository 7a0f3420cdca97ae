//! Subscribers who come for one figure and leave. Each of the four times has newcomers of its own,
//! so that none is computed from another: they come in turn while a crowd is served.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::line::{Door, Line, Loss};
use super::reader::{Came, Event};

/// The times that were taken, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) connect: Vec<u64>,
    pub(super) push: Vec<u64>,
    pub(super) transfer: Vec<u64>,
    pub(super) total: Vec<u64>,
}

/// What a newcomer comes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    /// C: from before it connects until its subscription stands.
    Connect,
    /// P: from when a publication is due to the first byte of it. R: from there until it is whole.
    Push,
    /// T: from before it connects until a publication is whole, without the time in which there is
    /// nothing to wait for: from when the subscription stands until the publication is due.
    Total,
}

/// What one newcomer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Connect(u64),
    Push { push: u64, transfer: u64 },
    Total(u64),
}

/// Sends newcomers through a door, so many for each errand, and gives what they found. Something
/// has to be published meanwhile.
///
/// # Errors
/// If one of them is refused or cut, or has nothing to tell in time.
pub(super) async fn send(door: &Door, each: usize) -> Result<Taken> {
    let door = Arc::new(door.clone());
    let mut out = JoinSet::new();
    let begin = Instant::now();
    let errands = [Errand::Connect, Errand::Push, Errand::Total].into_iter().cycle();
    for (number, errand) in (0..).zip(errands.take(3 * each)) {
        sleep_until(begin + APART * number).await;
        let door = Arc::clone(&door);
        // Where a poll is answered with two publications at a time, the older one waits longer.
        let which = FIRST + number / 3 % 2;
        out.spawn(async move {
            timeout(ERRAND_MAX, run(&door, errand, which))
                .await
                .with_context(|| format!("a newcomer over {} waited in vain", door.kind.name()))?
        });
    }
    let mut taken = Taken::default();
    while let Some(found) = out.join_next().await {
        match found.context("a newcomer panicked")?? {
            Found::Connect(connect) => taken.connect.push(connect),
            Found::Push { push, transfer } => {
                taken.push.push(push);
                taken.transfer.push(transfer);
            }
            Found::Total(total) => taken.total.push(total),
        }
    }
    Ok(taken)
}

async fn run(door: &Door, errand: Errand, which: u32) -> Result<Found> {
    let began = door.clock.nanos();
    let mut line = Line::open(door, String::new()).await.map_err(cut)?;
    let stood = stand(&mut line, door).await?;
    if errand == Errand::Connect {
        return Ok(Found::Connect(stood - began));
    }
    let came = publication(&mut line, stood, which).await?;
    if errand == Errand::Push {
        let push = came.first.saturating_sub(came.mark.nanos);
        return Ok(Found::Push { push, transfer: came.whole.saturating_sub(came.first) });
    }
    // A watch of its own: what it shows when the newcomer has the publication in its hands.
    let all = door.clock.nanos() - began;
    Ok(Found::Total(all.saturating_sub(came.mark.nanos.saturating_sub(stood))))
}

/// Waits until the subscription stands, and says when that was.
async fn stand(line: &mut Line<'_>, door: &Door) -> Result<u64> {
    loop {
        let events = line.next().await.map_err(cut)?;
        let stands = events.contains(&Event::Stands);
        if events.contains(&Event::End) {
            bail!("a newcomer was sent away");
        }
        if stands {
            return Ok(door.clock.nanos());
        }
    }
}

/// Waits for a later publication of those that are due after then: by that time a poller is in its
/// usual round.
async fn publication(line: &mut Line<'_>, after: u64, which: u32) -> Result<Came> {
    let mut seen = 0;
    loop {
        for event in line.next().await.map_err(cut)? {
            let Event::Publication(came) = event else {
                continue;
            };
            seen += u32::from(came.mark.nanos >= after);
            if seen == which {
                return Ok(came);
            }
        }
    }
}

fn cut(loss: Loss) -> anyhow::Error {
    match loss {
        Loss::Cut => anyhow!("a newcomer was cut"),
        Loss::Wrong(error) => error,
    }
}

/// Time between two newcomers.
const APART: Duration = Duration::from_millis(20);
/// Which publication a newcomer waits for, or the one behind it.
const FIRST: u32 = 3;
/// How long an errand may take.
const ERRAND_MAX: Duration = Duration::from_secs(20);

//! One measurement of each kind, of Fanfare or of the floor.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::Plan;
use crate::audience::{Audience, Language};
use crate::publisher::{Burst, Publisher};
use crate::subject::{Kind, Subject, own_cpu};

/// Publications in a burst.
pub(crate) const BURST: u32 = 8;

/// Publications in a batch that nobody listens to.
pub(crate) const BATCH: u32 = 100;

/// Bytes that the floor sends in place of what Fanfare sends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    pub(crate) frame: usize,
    pub(crate) answer: usize,
}

/// What one audience cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fanned {
    pub(crate) kind: Kind,
    pub(crate) lengths: Lengths,
    /// Bytes of the child's own memory for an idle subscriber.
    pub(crate) memory: f64,
    /// CPU nanoseconds for accepting a subscriber.
    pub(crate) opening: f64,
    /// CPU nanoseconds for a delivery, one publication at a time.
    pub(crate) single: f64,
    /// The same in bursts.
    pub(crate) burst: f64,
    /// The same in bursts whose publications are sent each by itself; the floor's only.
    pub(crate) one_by_one: Option<f64>,
    /// The client's CPU time for a delivery, one publication at a time.
    pub(crate) client: f64,
}

/// What posting cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posted {
    pub(crate) kind: Kind,
    /// CPU nanoseconds for a request, with one at a time on one connection.
    pub(crate) alone: f64,
    /// The same with one at a time on each of many connections.
    pub(crate) together: f64,
    /// CPU nanoseconds for a publication that comes in a batch; Fanfare's only.
    pub(crate) batched: Option<f64>,
}

/// What a stretch of deliveries cost, for each of them.
struct Stretch {
    subject: f64,
    client: f64,
}

/// Opens an audience and publishes to it.
///
/// # Errors
/// If anything was lost or came twice, or the client was the bottleneck.
pub(crate) fn fan_out(
    kind: Kind,
    language: Language,
    plan: Plan,
    lengths: Lengths,
) -> Result<Fanned> {
    let subject = Subject::start(kind, lengths)?;
    let mut publisher = Publisher::connect(kind, &subject.address)?;
    // Buffers that every process needs once are not counted among those of its connections.
    drop(Audience::open(&subject.address, language, 10)?);
    let (cpu, memory) = (subject.cpu()?, subject.memory()?);
    let mut audience = Audience::open(&subject.address, language, plan.connections)?;
    let opening = per(subject.cpu()? - cpu, plan.connections);
    let memory = per(subject.memory()?.saturating_sub(memory), plan.connections);

    let mut next = 0;
    let mut answer = 0;
    for _ in 0..WARM_UP {
        answer = publish(&mut publisher, &mut audience, &mut next)?;
    }
    let bytes = audience.bytes;
    let single = stretch(&subject, &mut audience, |audience| {
        for _ in 0..plan.singles {
            publish(&mut publisher, audience, &mut next)?;
        }
        Ok(())
    })?;
    let frame = (audience.bytes - bytes).div_ceil((plan.singles * plan.connections) as u64);
    let mut bursts = |audience: &mut Audience, burst, count| {
        stretch(&subject, audience, |audience| {
            for _ in 0..count {
                publisher.publish_burst(next, BURST, burst)?;
                next += BURST;
                audience.wait_for(next)?;
            }
            Ok(())
        })
    };
    let burst = bursts(&mut audience, Burst::Joined, plan.bursts)?;
    let one_by_one = match kind {
        Kind::Fanfare => None,
        Kind::Floor => Some(bursts(&mut audience, Burst::OneByOne, plan.bursts.div_ceil(3))?),
    };
    audience.expect_silence(next)?;
    Ok(Fanned {
        kind,
        lengths: Lengths { frame: usize::try_from(frame)?, answer },
        memory,
        opening,
        single: single.subject,
        burst: burst.subject,
        one_by_one: one_by_one.map(|stretch| stretch.subject),
        client: single.client,
    })
}

fn publish(publisher: &mut Publisher, audience: &mut Audience, next: &mut u32) -> Result<usize> {
    let answer = publisher.publish(*next)?;
    *next += 1;
    audience.wait_for(*next)?;
    Ok(answer)
}

/// Measures what is published in `work` by the deliveries that the audience counts.
fn stretch(
    subject: &Subject,
    audience: &mut Audience,
    work: impl FnOnce(&mut Audience) -> Result<()>,
) -> Result<Stretch> {
    let (cpu, deliveries) = (subject.cpu()?, audience.deliveries);
    let (own, began) = (own_cpu()?, Instant::now());
    work(audience)?;
    let (own, wall) = (own_cpu()? - own, began.elapsed());
    let deliveries = usize::try_from(audience.deliveries - deliveries)?;
    // With a handful of subscribers the client polls for nearly each of them.
    let crowded = audience.len() >= 1_000;
    if crowded && own as f64 > CLIENT_SHARE_MAX * wall.as_nanos() as f64 {
        bail!("the client was the bottleneck: it had no time to spare");
    }
    let subject = per(subject.cpu()? - cpu, deliveries);
    Ok(Stretch { subject, client: per(own, deliveries) })
}

/// Posts to a channel that nobody reads.
///
/// # Errors
/// If anything is refused.
pub(crate) fn post(kind: Kind, plan: Plan, lengths: Lengths) -> Result<Posted> {
    let subject = Subject::start(kind, lengths)?;
    let mut publishers = (0..PUBLISHERS)
        .map(|_| Publisher::connect(kind, &subject.address))
        .collect::<Result<Vec<_>>>()?;
    let Some(first) = publishers.first_mut() else {
        bail!("nobody publishes");
    };
    let request = first.post_of("quiet", 0);
    for _ in 0..1_000 {
        first.ask(&request)?;
    }
    let cpu = subject.cpu()?;
    for _ in 0..plan.posts {
        first.ask(&request)?;
    }
    let alone = per(subject.cpu()? - cpu, plan.posts);

    let cpu = subject.cpu()?;
    let turns = plan.posts.div_ceil(PUBLISHERS);
    for _ in 0..turns {
        publishers.iter_mut().try_for_each(|publisher| publisher.send(&request))?;
        for publisher in &mut publishers {
            publisher.read_answer()?;
        }
    }
    let together = per(subject.cpu()? - cpu, turns * PUBLISHERS);
    let batched = match kind {
        Kind::Fanfare => Some(post_batches(&subject, &mut publishers, plan)?),
        Kind::Floor => None,
    };
    Ok(Posted { kind, alone, together, batched })
}

fn post_batches(subject: &Subject, publishers: &mut [Publisher], plan: Plan) -> Result<f64> {
    let Some(first) = publishers.first_mut() else {
        bail!("nobody publishes");
    };
    let request = first.batch_of("quiet", 0, BATCH);
    let batches = plan.posts.div_ceil(BATCH as usize);
    first.ask(&request)?;
    let cpu = subject.cpu()?;
    for _ in 0..batches {
        first.ask(&request)?;
    }
    Ok(per(subject.cpu()? - cpu, batches * BATCH as usize))
}

fn per(sum: u64, count: usize) -> f64 {
    sum as f64 / count.max(1) as f64
}

/// Publications before anything is measured.
const WARM_UP: usize = 2;

/// Connections that post together.
const PUBLISHERS: usize = 64;

/// The share of the time that the client may have been busy.
const CLIENT_SHARE_MAX: f64 = 0.9;

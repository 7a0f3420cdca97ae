//! The readers: a few threads that answer what only the segments know.
//!
//! A reader looks into the index for where publications stand, lets go of the lock, and reads. A
//! segment may be removed in between: then it looks again. What is not as it was written is never
//! given out; the channel's floor rises above it.

mod fetch;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fanfare_core::history::{Extent, Kept as _};
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Offset, Position};
use fanfare_core::publication::Publication;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{
    Completion, DeepStart, EngineCommand, HistoryPage, HistoryQuery, NoPage, Served,
};
use fanfare_core::start::Start;

use self::fetch::{Fetched, Place};
use super::index::{ChannelState, Index};
use super::outcome::{Damage, Report};
use super::shared::Shared;

/// A question of a shard that a reader answers: [`EngineCommand::Read`], [`EngineCommand::Locate`] or
/// [`EngineCommand::History`].
#[derive(Debug)]
pub(super) struct Job {
    pub shard: ShardId,
    pub command: EngineCommand,
}

/// Answers questions until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    while let Some(job) = shared.jobs.take() {
        answer(shared, job);
    }
}

/// Answers one question.
pub(super) fn answer(shared: &Shared, job: Job) {
    let Job { shard, command } = job;
    let completion = ask(shared, command);
    shared.cells.reads.fetch_add(1, Relaxed);
    if let Some(completion) = completion {
        shared.deliver(shard, vec![completion]);
    }
}

fn ask(shared: &Shared, command: EngineCommand) -> Option<Completion> {
    match command {
        EngineCommand::Read { read, channel, after, bytes } => {
            let page = page(shared, &channel, after, bytes);
            Some(Completion::Page { read, channel, page })
        }
        EngineCommand::Locate { read, channel, start, head } => {
            let after = locate(shared, &channel, start, head);
            Some(Completion::Located { read, channel, after })
        }
        EngineCommand::History { read, channel, query, head } => {
            let page = history(shared, &channel, &query, head);
            Some(Completion::History { read, channel, page })
        }
        _ => None,
    }
}

/// A page of what follows a position.
fn page(
    shared: &Shared,
    channel: &ChannelName,
    after: Position,
    bytes: usize,
) -> Result<Vec<Arc<Publication>>, NoPage> {
    let now = shared.options.clock.unix();
    for attempt in 0.. {
        let places = {
            let mut index = shared.index();
            if let Some(id) = index.id(channel) {
                index.age(id, now);
            }
            let found = found(&index, channel, after)?;
            if after.offset < found.floor {
                return Err(NoPage::Trimmed(found.floor));
            }
            after_offset(&index, found, after.offset, bytes)
        };
        let Fetched { publications, failed } = fetch::fetch(shared, channel, &places);
        let Some(failed) = failed else { return Ok(publications) };
        if failed.gone && attempt < ATTEMPTS {
            continue;
        }
        lose(shared, channel, after, failed);
        if !publications.is_empty() {
            return Ok(publications);
        }
    }
    Ok(Vec::new())
}

/// Where a start lies among all that is kept.
fn locate(
    shared: &Shared,
    channel: &ChannelName,
    start: DeepStart,
    head: Position,
) -> Result<Position, NoPage> {
    let now = shared.options.clock.unix();
    let mut index = shared.index();
    if let Some(id) = index.id(channel) {
        index.age(id, now);
    }
    let found = found(&index, channel, head)?;
    let start = match start {
        DeepStart::All => Start::All,
        DeepStart::Last(count) => Start::Last(count),
        DeepStart::Since(time) => Start::Since(time),
    };
    let (ended, kept) = (found.ended_at(head.offset), &found.view(head.offset));
    Ok(Extent { channel, head, ended, kept }.locate(start).from)
}

/// A part of all that is kept.
fn history(
    shared: &Shared,
    channel: &ChannelName,
    query: &HistoryQuery,
    head: Position,
) -> Result<Box<HistoryPage>, NoPage> {
    let now = shared.options.clock.unix();
    for attempt in 0.. {
        let (selection, places, before) = {
            let mut index = shared.index();
            if let Some(id) = index.id(channel) {
                index.age(id, now);
            }
            let found = found(&index, channel, head)?;
            let (ended, kept) = (found.ended_at(head.offset), &found.view(head.offset));
            let selection = Extent { channel, head, ended, kept }.select(query);
            let range = selection.places.clone();
            let before: Vec<Offset> =
                range.clone().map(|place| kept.offset_before(place)).collect();
            let places: Vec<Place> =
                range.filter_map(|place| Place::of(&index, found, place)).collect();
            (selection, places, before)
        };
        let Fetched { publications, failed } = fetch::fetch(shared, channel, &places);
        let Some(failed) = failed else {
            let served = publications.into_iter().zip(before);
            let served = served.map(|(publication, prev)| Served { publication, prev });
            return Ok(Box::new(selection.page(served.collect())));
        };
        if !(failed.gone && attempt < ATTEMPTS) {
            lose(shared, channel, head, failed);
        }
    }
    Err(NoPage::OtherHistory)
}

/// The channel, if it is of the history that somebody reads.
fn found<'a>(
    index: &'a Index,
    channel: &ChannelName,
    reads: Position,
) -> Result<&'a ChannelState, NoPage> {
    let found = index.find(channel).filter(|found| found.stored.epoch == reads.epoch);
    found.ok_or(NoPage::OtherHistory)
}

/// Where the publications after an offset stand, up to so many bytes; one at least.
fn after_offset(index: &Index, channel: &ChannelState, offset: Offset, bytes: usize) -> Vec<Place> {
    let kept = channel.view(Offset::MAX);
    let mut left = bytes;
    let mut places = Vec::new();
    for place in kept.place_after(offset)..kept.count() {
        let weight = kept.weight(place);
        if weight > left && !places.is_empty() {
            break;
        }
        left = left.saturating_sub(weight);
        places.extend(Place::of(index, channel, place));
    }
    places
}

/// Lets go of what cannot be read and of what lies before it, so that readers are told of a gap.
fn lose(shared: &Shared, channel: &ChannelName, reads: Position, failed: fetch::Failed) {
    let fetch::Failed { place, damage, .. } = failed;
    let offset = place.placed.offset;
    let mut index = shared.index();
    let Some(id) = index.id(channel) else { return };
    let Some((state, segments)) = index.parts(id) else { return };
    // It may stand elsewhere by now, or be gone.
    let there = state.at_offset(offset);
    let lost = state.stored.epoch == reads.epoch && there == Some(place.placed);
    if lost {
        state.remove_up_to(offset, segments);
        state.irregular = true;
    }
    drop(index);
    if lost {
        tell(shared, channel, offset, damage);
    }
}

fn tell(shared: &Shared, channel: &ChannelName, offset: Offset, damage: Damage) {
    shared.cells.reads_damaged.fetch_add(1, Relaxed);
    shared.report(Report::Damaged { damage, channel: channel.clone(), offset });
}

/// How often it is looked again for a segment that was removed.
const ATTEMPTS: u32 = 8;

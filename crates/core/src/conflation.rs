//! What a conflating feed keeps: of each key the newest publication.
//!
//! An entry is superseded by a later one of its key, and is gone at once: a reader that comes to
//! it, however late, finds only what is newest, in the order of offsets. Entries have numbers that
//! are never given twice, so that nobody has to be told of one that is gone.
//!
//! What is live only (`ttl=0`) is superseded like anything else, but itself supersedes only what is
//! live only too: it cannot be had again, so a reader that is cut off between the two would miss
//! what is stored for good.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque, vec_deque};
use std::hash::{Hash, Hasher};
use std::iter::Take;
use std::sync::Arc;

use crate::feed::{Entry, EntryBody, Eyes, FIRST, FeedMark, FeedReader, RUN_MAX, Sequence};
use crate::frame::{Encode, Format};
use crate::position::{Offset, Position};
use crate::publication::Publication;
use crate::rate::Rate;
use crate::settings::Retention;
use crate::shard::Served;
use crate::time::Millis;

/// See the module.
#[derive(Debug)]
pub(crate) struct Conflation {
    kept: BTreeMap<Sequence, Current>,
    keys: HashMap<Key, Places>,
    /// The numbers of news of the channel's members.
    news: VecDeque<Sequence>,
    bytes: usize,
    /// No entry has a lower number, and no reader waits for one.
    first: Sequence,
    /// The number that the next entry will have.
    end: Sequence,
    /// The position before the first entry: all that is retained after it stands here, or is
    /// superseded by what does.
    before: Position,
    /// The position of the newest entry that has a place.
    last: Position,
    /// Entries from this number on may have no frame yet.
    unencoded: Sequence,
    /// Readers that wait for a lower number than this have been passed.
    passed: Sequence,
    offer: Offer,
    pub(crate) moments: Moments,
}

/// When the readers of a feed with a rate are visited.
#[derive(Debug)]
pub(crate) struct Moments {
    /// None where they are visited as soon as something comes.
    pub(crate) rate: Option<Rate>,
    /// The earliest next moment.
    pub(crate) next: Millis,
    /// The moment at which the shard is to wake for it.
    pub(crate) wakes: Option<Millis>,
    /// Whether a reader came to want something after it was visited in the moment at hand.
    pub(crate) again: bool,
}

/// One entry, and what is known of it beside its bytes.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) entry: Entry,
    /// The offset before it as it is to be encoded; none once it is.
    prev: Option<Offset>,
    /// The position of a reader that waits for it.
    behind: Position,
}

/// Entries one after the other, as sinks take them, made once for all readers that wait for the
/// same one.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    numbers: Vec<Sequence>,
    entries: VecDeque<Entry>,
}

/// A publication by its conflation key. All without one share the same.
#[derive(Debug)]
struct Key(Arc<Publication>);

/// The entries of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    stored: Option<Sequence>,
    live: Option<Sequence>,
}

impl Conflation {
    /// Nothing yet, after `position`.
    pub(crate) fn new(position: Position, rate: Option<Rate>) -> Self {
        Self {
            kept: BTreeMap::new(),
            keys: HashMap::new(),
            news: VecDeque::new(),
            bytes: 0,
            first: FIRST,
            end: FIRST,
            before: position,
            last: position,
            unencoded: FIRST,
            passed: FIRST,
            offer: Offer::default(),
            moments: Moments { rate, next: 0, wakes: None, again: false },
        }
    }

    /// The number that the next entry will have.
    pub(crate) fn end(&self) -> Sequence {
        self.end
    }

    /// Bytes that the entries cost.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a reader waits for an entry that the feed's bounds have let go of.
    pub(crate) fn has_passed(&self, next: Sequence) -> bool {
        next < self.passed
    }

    /// Whether anything lies before a reader.
    pub(crate) fn has_after(&self, next: Sequence) -> bool {
        self.from(next).is_some()
    }

    /// The first entry with this number or a later one.
    pub(crate) fn from(&self, next: Sequence) -> Option<(Sequence, &Current)> {
        self.kept.range(next..).next().map(|(number, kept)| (*number, kept))
    }

    /// The entries from `number` on, which is that of one, at most [`RUN_MAX`].
    pub(crate) fn offer(&mut self, number: Sequence) -> &Offer {
        let Offer { numbers, entries } = &mut self.offer;
        if numbers.first() != Some(&number) {
            numbers.clear();
            entries.clear();
            for (number, kept) in self.kept.range(number..).take(RUN_MAX) {
                numbers.push(*number);
                entries.push_back(kept.entry.clone());
            }
        }
        &self.offer
    }

    /// Lets go of what was offered, which is not, or not for long, what stands here.
    pub(crate) fn withdraw(&mut self) {
        self.offer = Offer::default();
    }

    /// The position of a reader whose next entry is `next`.
    pub(crate) fn position_before(&self, next: Sequence) -> Position {
        self.from(next).map_or(self.last, |(_, kept)| kept.behind)
    }

    /// Appends the newest entry, which supersedes what stands here of its key; says how many entries
    /// that was. With a `prev` it has no frame yet, and is given one when a reader is near.
    pub(crate) fn push(&mut self, entry: Entry, prev: Option<Offset>) -> u64 {
        let (number, behind) = (self.end, self.last);
        self.end += 1;
        if let Some(after) = entry.after {
            self.last = after.position;
        }
        let superseded = match &entry.body {
            EntryBody::Publication(publication) => {
                self.supersede(Key(Arc::clone(publication)), number)
            }
            EntryBody::News(_) => {
                self.news.push_back(number);
                0
            }
            EntryBody::Mark(mark) => {
                if matches!(**mark, FeedMark::Removed(_)) {
                    // Another history begins: nothing of it stands for anything of the old one.
                    self.keys = HashMap::new();
                }
                0
            }
        };
        self.insert(number, Current { entry, prev, behind });
        superseded
    }

    /// Gives frames to entries that have none.
    pub(crate) fn encode_new(&mut self, encode: Encode, format: Format) {
        if self.unencoded == self.end {
            return;
        }
        self.withdraw();
        for kept in self.kept.range_mut(self.unencoded..).map(|(_, kept)| kept) {
            self.bytes -= kept.weight();
            if let (Some(prev), Some(publication)) = (kept.prev.take(), kept.entry.publication()) {
                kept.entry.frame = encode(publication, prev, format);
            }
            self.bytes += kept.weight();
        }
        self.unencoded = self.end;
    }

    /// Lets go of what is beyond `bounds`, the oldest first; readers that had not read it have been
    /// passed. The newest entry always fits. News of members go before any publication. Stops at news
    /// and at a mark, which those who wait for them must not miss, and gives back the number:
    /// [`Conflation::drop_told`] goes on.
    pub(crate) fn bound(&mut self, bounds: &Retention) -> Option<Sequence> {
        while self.kept.len() > 1 && (self.kept.len() > bounds.count || self.bytes > bounds.bytes) {
            if let Some(news) = self.news.front() {
                return Some(*news);
            }
            let (number, kept) = self.kept.first_key_value()?;
            if kept.entry.as_mark().is_some() {
                return Some(*number);
            }
            self.passed = number + 1;
            self.pop_first();
        }
        None
    }

    /// Lets go of what [`Conflation::bound`] has stopped at, once nobody waits for it any more.
    pub(crate) fn drop_told(&mut self, number: Sequence) {
        if self.news.pop_front_if(|news| *news == number).is_some() {
            self.take(Some(number));
        } else {
            self.pop_first();
        }
    }

    /// Lets go of the entries that every reader has had: none waits for a lower number than `needed`.
    pub(crate) fn consume(&mut self, needed: Sequence) {
        let needed = needed.min(self.end);
        while self.kept.first_key_value().is_some_and(|(number, _)| *number < needed) {
            self.pop_first();
        }
        self.first = self.first.max(needed);
        self.withdraw();
        if self.keys.is_empty() && self.keys.capacity() > IDLE_KEYS_MAX {
            self.keys = HashMap::new();
        }
    }

    /// The number of the first entry after `position`, if everything after it stands here or is
    /// superseded by what does.
    pub(crate) fn locate(&self, position: Position) -> Option<Sequence> {
        if position == self.last && covers(self.before, position) {
            return Some(self.end);
        }
        let mut known = self.before;
        for (number, kept) in &self.kept {
            let Some(after) = kept.entry.after else { continue };
            if covers(known, position) && !covers(after.position, position) {
                return Some(*number);
            }
            known = after.position;
        }
        covers(known, position).then_some(self.end)
    }

    /// Puts history before the first entry, so that the feed begins after `from`. `history` is what
    /// was published after it, in order; what is superseded is left out.
    pub(crate) fn extend_back(
        &mut self,
        from: Position,
        history: &[Served],
        encoded: impl Fn(&Served) -> Entry,
    ) {
        let begun = self.before;
        let missing = history.iter().filter(|served| served.publication.offset() <= begun.offset);
        for served in missing.rev() {
            let key = Key(Arc::clone(&served.publication));
            let places = self.keys.get(&key).copied().unwrap_or_default();
            if places.stored.is_some() {
                continue;
            }
            self.first -= 1;
            let behind = from.at(served.publication.prev.max(from.offset));
            self.insert(self.first, Current { entry: encoded(served), prev: None, behind });
            self.keys.insert(key, Places { stored: Some(self.first), ..places });
        }
        self.before = from;
    }

    /// Takes out what stands here of a key, in favour of the entry with this number.
    fn supersede(&mut self, key: Key, number: Sequence) -> u64 {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::Superseded) {
            return 0;
        }
        let stored_now = key.0.position.is_some();
        // Taken out and put in again, so that the table holds on to the newest publication alone.
        let places = self.keys.remove(&key).unwrap_or_default();
        let mut superseded = self.take(places.live);
        let places = if stored_now {
            superseded += self.take(places.stored);
            Places { stored: Some(number), live: None }
        } else {
            Places { live: Some(number), ..places }
        };
        self.keys.insert(key, places);
        superseded
    }

    fn take(&mut self, number: Option<Sequence>) -> u64 {
        let Some(kept) = number.and_then(|number| self.kept.remove(&number)) else { return 0 };
        self.withdraw();
        self.bytes -= kept.weight();
        1
    }

    fn insert(&mut self, number: Sequence, kept: Current) {
        self.withdraw();
        self.bytes += kept.weight();
        self.kept.insert(number, kept);
    }

    fn pop_first(&mut self) -> Option<Sequence> {
        let (number, kept) = self.kept.pop_first()?;
        self.withdraw();
        self.bytes -= kept.weight();
        self.news.pop_front_if(|news| *news == number);
        if let Some(after) = kept.entry.after {
            self.before = after.position;
        }
        if let Some(publication) = kept.entry.publication() {
            self.forget(&Key(Arc::clone(publication)), number);
        }
        Some(number)
    }

    /// Takes an entry that is gone out of the table of keys.
    fn forget(&mut self, key: &Key, number: Sequence) {
        let Some(places) = self.keys.get_mut(key) else { return };
        places.stored = places.stored.filter(|stored| *stored != number);
        places.live = places.live.filter(|live| *live != number);
        if places.stored.is_none() && places.live.is_none() {
            self.keys.remove(key);
        }
    }
}

impl Offer {
    /// How many entries a reader gets in one run: up to a mark or to one that it does not get.
    pub(crate) fn run_length(&self, reader: &FeedReader, eyes: Eyes<'_>) -> usize {
        let given = |(entry, number): &(&Entry, &Sequence)| {
            entry.as_mark().is_none() && !reader.passes(entry, **number, eyes)
        };
        self.entries.iter().zip(&self.numbers).take_while(given).count()
    }

    /// The first so many entries.
    pub(crate) fn entries(&self, count: usize) -> Take<vec_deque::Iter<'_, Entry>> {
        self.entries.iter().take(count)
    }

    /// The number behind the first so many entries; none if there are none.
    pub(crate) fn after(&self, count: usize) -> Option<Sequence> {
        self.numbers.get(count.checked_sub(1)?).map(|last| last + 1)
    }
}

impl Current {
    fn weight(&self) -> usize {
        let unencoded = self.entry.publication().filter(|_| self.prev.is_some());
        let bytes = unencoded.map_or(0, |publication| publication.weight());
        bytes + self.entry.frame.weight() + size_of::<Self>() + KEY_WEIGHT
    }
}

impl Key {
    fn text(&self) -> Option<&str> {
        self.0.content.conflate()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

/// Whether each of these publications, given in their order, is the newest of its key among them.
pub(crate) fn newest_of_each<'a>(
    publications: impl DoubleEndedIterator<Item = &'a Publication>,
) -> Vec<bool> {
    let mut seen = HashSet::new();
    let mut newest: Vec<bool> =
        publications.rev().map(|publication| seen.insert(publication.content.conflate())).collect();
    newest.reverse();
    newest
}

/// Whether everything up to `known` is also behind a reader at `position`.
fn covers(known: Position, position: Position) -> bool {
    known.epoch == position.epoch && known.offset <= position.offset
}

/// What an entry costs in the table of keys.
const KEY_WEIGHT: usize = 64;

/// Keys that an empty table keeps room for.
const IDLE_KEYS_MAX: usize = 128;

#[cfg(test)]
#[path = "conflation_tests.rs"]
mod tests;

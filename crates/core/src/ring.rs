//! The ring: the publications of one channel that its owner keeps in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::history::Kept;
use crate::position::Offset;
use crate::publication::Publication;
use crate::settings::Retention;
use crate::shard::Served;
use crate::time::UnixMillis;

/// A channel's retained publications, oldest first.
///
/// The floor is the offset up to which retention removed publications: a reader below it has missed
/// some. Expiry by a publisher's own `ttl` leaves the floor where it is, because nothing that is
/// still wanted was lost.
#[derive(Debug)]
pub(crate) struct Ring {
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
    floor: Offset,
    expires_next: Option<UnixMillis>,
}

impl Ring {
    /// An empty ring whose channel's offsets begin above `floor`.
    pub(crate) fn new(floor: Offset) -> Self {
        Self { publications: VecDeque::new(), bytes: 0, floor, expires_next: None }
    }

    /// Appends the newest publication and lets go of what `retention` no longer keeps. What has
    /// expired goes first, so that its going raises no floor.
    pub(crate) fn push(
        &mut self,
        publication: Arc<Publication>,
        now: UnixMillis,
        retention: &Retention,
    ) {
        self.expire(now);
        self.bytes += publication.weight();
        self.expires_next = earlier(self.expires_next, publication.expires_at);
        self.publications.push_back(publication);
        while self.publications.len() > 1
            && (self.publications.len() > retention.count || self.bytes > retention.bytes)
        {
            self.trim_oldest();
        }
    }

    /// Lets go of what is too old or has expired by `now`.
    pub(crate) fn age(&mut self, now: UnixMillis, retention: &Retention) {
        let age = u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX);
        while self.publications.front().is_some_and(|oldest| oldest.time.saturating_add(age) <= now)
        {
            self.trim_oldest();
        }
        self.expire(now);
    }

    /// Lets go of everything; the engine has it.
    pub(crate) fn give_up(&mut self) {
        while !self.publications.is_empty() {
            self.trim_oldest();
        }
        self.expires_next = None;
    }

    /// Bytes that the publications cost.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of publications.
    pub(crate) fn len(&self) -> usize {
        self.publications.len()
    }

    /// Whether nothing is retained.
    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }

    /// The publications at these places, as far as there are any.
    pub(crate) fn publications(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = &Publication> {
        let end = places.end.min(self.publications.len());
        let start = places.start.min(end);
        self.publications.range(start..end).map(|publication| &**publication)
    }

    /// The publication at `place` as it is served.
    pub(crate) fn served(&self, place: usize) -> Option<Served> {
        let publication = Arc::clone(self.publications.get(place)?);
        Some(Served { publication, prev: self.offset_before(place) })
    }

    /// Lets go of what has expired by its own lifetime.
    fn expire(&mut self, now: UnixMillis) {
        if self.expires_next.is_some_and(|at| at <= now) {
            self.publications.retain(|publication| !publication.expired(now));
            self.bytes = self.publications.iter().map(|kept| kept.weight()).sum();
            self.expires_next =
                self.publications.iter().fold(None, |next, kept| earlier(next, kept.expires_at));
        }
    }

    fn trim_oldest(&mut self) {
        if let Some(oldest) = self.publications.pop_front() {
            self.bytes -= oldest.weight();
            self.floor = self.floor.max(oldest.offset());
        }
    }
}

impl Kept for Ring {
    fn count(&self) -> usize {
        self.publications.len()
    }

    fn floor(&self) -> Offset {
        self.floor
    }

    fn offset(&self, place: usize) -> Option<Offset> {
        self.publications.get(place).map(|publication| publication.offset())
    }

    fn weight(&self, place: usize) -> usize {
        self.publications.get(place).map_or(0, |publication| publication.weight())
    }

    fn place_after(&self, offset: Offset) -> usize {
        self.publications.partition_point(|publication| publication.offset() <= offset)
    }

    fn place_since(&self, time: UnixMillis) -> usize {
        self.publications
            .iter()
            .position(|publication| publication.time >= time)
            .unwrap_or(self.publications.len())
    }
}

fn earlier(a: Option<UnixMillis>, b: Option<UnixMillis>) -> Option<UnixMillis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

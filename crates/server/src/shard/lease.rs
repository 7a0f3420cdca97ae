//! How long a reader may stay: as long as what it showed is good, and a little longer.
//!
//! Before credentials expire, their reader is told, so that it can show new ones without losing its
//! connection; when they have and the grace is over, it is sent away to come back with others. Of one
//! whom the application's backend let in, the backend is asked first. Only readers whose credentials
//! expire stand here, and all of a shard's wait in one queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::frame::Format;
use fanfare_core::shard::ConnectionId;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::{ndjson, sse};

use super::connection::State;
use super::event_loop::EventLoop;
use super::step::Step;
use crate::auth::{Access, Caller};
use crate::hooks::events::Parting;
use crate::hooks::{Asked, Reply};
use crate::pipe::PipeItem;

/// The leases of one shard's readers.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_reader: HashMap<ConnectionId, Lease>,
    /// Who is to be looked at, by when.
    moments: BTreeSet<(UnixMillis, u32, u32)>,
}

/// How long one reader may stay.
#[derive(Debug)]
struct Lease {
    expires: UnixMillis,
    next: UnixMillis,
    told: bool,
    /// The question that is on its way, and its number.
    asked: Option<(u64, Asked)>,
}

/// What is due for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It is to be told that so much is left.
    Told(Duration),
    /// It has to go.
    Over,
}

impl Leases {
    /// Sets how long a reader may stay, from `now` on; for ever if its credentials do not expire.
    fn set(
        &mut self,
        id: ConnectionId,
        expires: Option<UnixMillis>,
        now: UnixMillis,
        notice: Duration,
    ) {
        self.end(id);
        let Some(expires) = expires else {
            return;
        };
        // What lives shorter than two notices is told in the middle of its life.
        let left = expires.saturating_sub(now);
        let next = expires.saturating_sub(millis(notice).min(left / 2));
        let lease = Lease { expires, next, told: false, asked: None };
        self.by_reader.insert(id, lease);
        self.moments.insert((next, id.index, id.generation));
    }

    /// Forgets a reader.
    pub(super) fn end(&mut self, id: ConnectionId) {
        if let Some(lease) = self.by_reader.remove(&id) {
            self.moments.remove(&(lease.next, id.index, id.generation));
        }
    }

    /// Takes note of a question about a reader.
    fn ask(&mut self, id: ConnectionId, question: u64, asked: Asked) {
        if let Some(lease) = self.by_reader.get_mut(&id) {
            lease.asked = Some((question, asked));
        }
    }

    /// Whether the answer to this question is waited for.
    pub(super) fn awaits(&self, id: ConnectionId, question: u64) -> bool {
        let asked = self.by_reader.get(&id).and_then(|lease| lease.asked.as_ref());
        asked.is_some_and(|(number, _)| *number == question)
    }

    /// How much is left of a lease.
    fn left(&self, id: ConnectionId, now: UnixMillis) -> Duration {
        let expires = self.by_reader.get(&id).map_or(0, |lease| lease.expires);
        Duration::from_millis(expires.saturating_sub(now))
    }

    /// When somebody is due.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        self.moments.first().map(|(at, ..)| *at)
    }

    /// Somebody who is due by now.
    fn take_due(&mut self, now: UnixMillis, grace: Duration) -> Option<(ConnectionId, Due)> {
        let (at, index, generation) = *self.moments.first()?;
        if at > now {
            return None;
        }
        self.moments.pop_first();
        let id = ConnectionId { index, generation };
        let lease = self.by_reader.get_mut(&id)?;
        let over = lease.expires.saturating_add(millis(grace));
        if lease.told || over <= now {
            self.by_reader.remove(&id);
            return Some((id, Due::Over));
        }
        lease.told = true;
        lease.next = over;
        let left = lease.expires.saturating_sub(now);
        self.moments.insert((over, index, generation));
        Some((id, Due::Told(Duration::from_millis(left))))
    }
}

impl EventLoop {
    /// From now on the reader may stay until its credentials expire.
    pub(super) fn lease(&mut self, id: ConnectionId, expires: Option<UnixMillis>) {
        let notice = self.options().expiry_notice;
        self.leases.set(id, expires, self.sockets.now.unix, notice);
    }

    /// Tells those whose credentials expire soon, and sends away those whose have.
    pub(super) fn look_at_leases(&mut self) {
        let grace = self.options().expiry_grace;
        for _ in 0..LEASES_PER_TURN {
            match self.leases.take_due(self.sockets.now.unix, grace) {
                Some((id, Due::Told(left))) => {
                    if !self.ask_to_stay(id) {
                        self.tell_expiring(id, left);
                    }
                }
                Some((id, Due::Over)) => self.expire(id),
                None => return,
            }
        }
    }

    /// Asks the backend whether a reader may stay that it let in; says whether it is asked.
    fn ask_to_stay(&mut self, id: ConnectionId) -> bool {
        let question = self.inquiries.number();
        let Some(caller) = self.reader(id).cloned() else {
            return false;
        };
        let Some((hooks, tell)) = self.teller(id, question) else {
            return false;
        };
        if !hooks.asks_to_stay(&caller) {
            return false;
        }
        let (asking, now) = (Arc::clone(&hooks), self.sockets.now.unix);
        let asked =
            hooks.spawn(tell, async move { Reply::Refresh(asking.stay(&caller, now).await) });
        self.leases.ask(id, question, asked);
        true
    }

    /// The backend has answered whether a reader may stay. When nobody has, its time runs out.
    pub(super) fn stays(
        &mut self,
        id: ConnectionId,
        question: u64,
        answer: Option<Result<Caller, Problem>>,
    ) {
        if !self.leases.awaits(id, question) {
            return;
        }
        let renewed = match answer {
            None => {
                let left = self.leases.left(id, self.sockets.now.unix);
                return self.tell_expiring(id, left);
            }
            Some(answer) => answer.and_then(|caller| self.renew(id, &caller)),
        };
        if let Err(problem) = renewed {
            self.part(id, Parting::Revoked);
            self.send_away(id, &problem);
        }
    }

    fn tell_expiring(&mut self, id: ConnectionId, left: Duration) {
        let mut words = Vec::new();
        if let Some(State::Pipe(piped)) = self.sockets.slab.find(id).map(|place| &place.state) {
            match piped.format.plain() {
                Format::Sse | Format::SseChannel | Format::SseEnvelope => {
                    sse::append_expiring(&mut words, left);
                }
                Format::Ndjson => ndjson::append_expiring(&mut words, left),
                _ => {}
            }
        }
        if !words.is_empty() {
            return self.push(id, PipeItem::Notice(words.into()));
        }
        let step = self.converse(id, |place, out| {
            match &mut place.state {
                State::Stream(stream) => stream.tell_expiring(left, out),
                State::Socket(session) => session.tell_expiring(left, out),
                _ => {}
            }
            Step::Wait
        });
        self.take(id, step);
    }

    /// The reader's credentials have expired, and so has the grace. An `EventSource` comes back with
    /// the cookie of then.
    fn expire(&mut self, id: ConnectionId) {
        self.sockets.figures.expired += 1;
        self.part(id, Parting::Expired);
        self.send_away(id, &Access::expired());
    }
}

fn millis(duration: Duration) -> UnixMillis {
    UnixMillis::try_from(duration.as_millis()).unwrap_or(UnixMillis::MAX)
}

/// Readers looked at in one turn, so that a crowd whose credentials expire together does not hold
/// up everyone else.
const LEASES_PER_TURN: usize = 256;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_core::shard::ConnectionId;

    use super::{Due, Leases};

    const NOTICE: Duration = Duration::from_secs(30);
    const GRACE: Duration = Duration::from_secs(10);

    fn id(index: u32) -> ConnectionId {
        ConnectionId { index, generation: 1 }
    }

    fn left(seconds: u64) -> Due {
        Due::Told(Duration::from_secs(seconds))
    }

    #[test]
    fn a_reader_is_told_in_time_and_goes_after_the_grace() {
        let mut leases = Leases::default();
        leases.set(id(1), Some(100_000), 0, NOTICE);
        assert_eq!(leases.next(), Some(70_000));
        assert_eq!(leases.take_due(69_999, GRACE), None);
        assert_eq!(leases.take_due(71_000, GRACE), Some((id(1), left(29))));
        assert_eq!(leases.take_due(109_999, GRACE), None);
        assert_eq!(leases.take_due(110_000, GRACE), Some((id(1), Due::Over)));
        assert_eq!((leases.next(), leases.by_reader.len()), (None, 0));
    }

    #[test]
    fn who_shows_new_credentials_begins_anew_and_who_goes_is_forgotten() {
        let mut leases = Leases::default();
        leases.set(id(1), Some(100_000), 0, NOTICE);
        leases.set(id(2), Some(100_000), 0, NOTICE);
        assert_eq!(leases.take_due(70_000, GRACE), Some((id(1), left(30))));
        leases.set(id(1), Some(500_000), 71_000, NOTICE);
        leases.end(id(2));
        assert_eq!(leases.next(), Some(470_000));
        leases.set(id(1), None, 71_000, NOTICE);
        assert_eq!((leases.next(), leases.by_reader.len()), (None, 0));
    }

    #[test]
    fn a_short_life_is_told_in_its_middle_and_one_that_is_over_goes_at_once() {
        let mut leases = Leases::default();
        leases.set(id(1), Some(110_000), 100_000, NOTICE);
        assert_eq!(leases.next(), Some(105_000));
        assert_eq!(leases.take_due(105_000, GRACE), Some((id(1), left(5))));
        leases.set(id(2), Some(90_000), 100_000, NOTICE);
        assert_eq!(leases.take_due(100_000, GRACE), Some((id(2), Due::Over)));
    }
}

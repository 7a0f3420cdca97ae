//! Who has gone may come back unnoticed: what tells of leaving waits for a while, and is silenced
//! together with what tells of the return.

use std::collections::{BTreeMap, HashMap};

use fanfare_core::happening::{Happening, What};
use fanfare_core::name::ChannelName;
use fanfare_core::presence::MemberId;
use fanfare_core::time::Millis;

use super::figures::Charge;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_subject: HashMap<Subject, Place>,
    by_due: BTreeMap<Place, (Happening, Charge)>,
    next: u64,
    /// When the one is due that came last. None is due before those that came before it, however
    /// the grace changes: a member is told to have left before its channel is vacated.
    last: Millis,
}

/// Whom it is about: a channel, or one of its members.
type Subject = (ChannelName, Option<MemberId>);

/// When something is due, and its number among those.
type Place = (Millis, u64);

impl Held {
    /// Takes what has happened. Gives back what is told at once, and whether it was silenced together
    /// with what waited.
    pub(super) fn take(
        &mut self,
        happening: Happening,
        charge: Charge,
        due: Millis,
    ) -> Result<(Happening, Charge), Kept> {
        let subject = subject(&happening);
        match happening.what {
            What::Vacated | What::Left(_) => {
                self.last = self.last.max(due);
                self.next += 1;
                let place = (self.last, self.next);
                self.by_subject.insert(subject, place);
                self.by_due.insert(place, (happening, charge));
                Err(Kept::Waits)
            }
            What::Occupied | What::Joined(_) => match self.by_subject.remove(&subject) {
                Some(place) => {
                    self.by_due.remove(&place);
                    Err(Kept::Silenced)
                }
                None => Ok((happening, charge)),
            },
        }
    }

    /// The next one that is due by now.
    pub(super) fn take_due(&mut self, now: Millis) -> Option<(Happening, Charge)> {
        let first = self.by_due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (place, (happening, charge)) = first.remove_entry();
        let subject = subject(&happening);
        if self.by_subject.get(&subject) == Some(&place) {
            self.by_subject.remove(&subject);
        }
        Some((happening, charge))
    }

    /// When one is due.
    pub(super) fn next_at(&self) -> Option<Millis> {
        self.by_due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.by_subject.clear();
        self.by_due.clear();
    }
}

/// Why something is not told at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It waits.
    Waits,
    /// Neither it nor what waited is told.
    Silenced,
}

fn subject(happening: &Happening) -> Subject {
    let member = match &happening.what {
        What::Joined(member) | What::Left(member) => Some(member.id.clone()),
        What::Occupied | What::Vacated => None,
    };
    (happening.channel.clone(), member)
}

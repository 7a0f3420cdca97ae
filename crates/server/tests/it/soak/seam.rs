//! One attach and what must hold at its seam: the verdict is the right one, and what follows is
//! continuous until it has reached publications that did not exist when the reader asked.

use crate::reader::{Attach, Carrier, Ending, Gap, Item, Message, Place, Reader, Said, Via};

use super::publisher::{Publisher, Stand, payload};

/// Publications beyond the head at the time of asking that are read.
const BEYOND: u64 = 20;

/// From where a reader attaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Now,
    Head,
    /// Somewhere around the floor, which moves.
    NearFloor,
    Floor,
    BelowFloor,
    ForeignEpoch,
    Future,
}

/// Retention as the test has set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Floor {
    /// Nothing is trimmed while a channel is published to.
    Still,
    /// So many publications are kept.
    Moving(u64),
}

/// What one attach showed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) messages: u64,
    /// Told `trimmed`, `epoch` or `future` at the seam.
    pub(super) gaps: u64,
    /// Told later that it was too slow, and rightly.
    pub(super) slow: u64,
}

/// One attach of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seam<'a> {
    pub(super) address: &'a str,
    pub(super) publisher: &'a Publisher,
    pub(super) carrier: Carrier,
    pub(super) floor: Floor,
    pub(super) kind: Kind,
    /// Which of the attaches this is; chooses how the position is said.
    pub(super) number: u64,
}

/// What a reader has been told so far.
struct Following<'a> {
    seam: Seam<'a>,
    stand: Stand,
    /// The last offset that it stands behind; none until the first publication of a raw reader.
    at: Option<u64>,
    seen: Seen,
}

impl Seam<'_> {
    /// Attaches and reads.
    pub(super) fn cross(self) -> Seen {
        let stand = self.stand();
        let asked = self.asked(&stand);
        let from = asked.map(|place| {
            if self.number.is_multiple_of(2) { place.cursor() } else { place.position() }
        });
        let attach = Attach {
            address: self.address,
            carrier: self.carrier,
            channel: &stand.channel,
            from: from.as_deref(),
            said: if self.number % 8 < 4 { Said::Since } else { Said::LastEventId },
            via: if self.number % 16 < 12 { Via::Shard } else { Via::Edge },
        };
        let mut reader = attach.open().expect("an answer");
        let mut following =
            Following { seam: self, stand: stand.clone(), at: None, seen: Seen::default() };
        match asked {
            Some(asked) => following.begin_at(&mut reader, attach, asked),
            None => following.begin_now(&mut reader),
        }
        following.read_on(&mut reader, attach);
        following.seen
    }

    /// A channel in which enough is still to come.
    fn stand(&self) -> Stand {
        let kept = match self.floor {
            Floor::Still => 0,
            // There is something below the floor only when it has begun to move.
            Floor::Moving(kept) => kept * 2,
        };
        self.publisher.stand(|stand| {
            let begun = stand.acknowledged >= stand.floor.offset + kept;
            begun && stand.acknowledged + 2 * BEYOND < stand.last
        })
    }

    fn asked(&self, stand: &Stand) -> Option<Place> {
        let head = stand.floor.at(stand.acknowledged);
        let oldest = match self.floor {
            Floor::Still => stand.floor,
            Floor::Moving(kept) => stand.floor.at(stand.acknowledged - kept),
        };
        match self.kind {
            Kind::Now => None,
            Kind::Head => Some(head),
            Kind::Floor => Some(oldest),
            Kind::NearFloor => Some(oldest.at(oldest.offset - 32 + self.number * 7 % 256)),
            Kind::BelowFloor => Some(oldest.at(oldest.offset - 1)),
            Kind::ForeignEpoch => Some(head.in_foreign_epoch()),
            Kind::Future => Some(head.at(head.offset + 1_000_000)),
        }
    }
}

impl Following<'_> {
    /// A reader from now on gets everything that is published after the position it was told.
    fn begin_now(&mut self, reader: &mut Reader) {
        if self.seam.carrier != Carrier::Poll {
            let told = Place::of_cursor(&reader.cursor);
            assert_eq!(told.epoch, self.stand.floor.epoch);
            assert!(told.offset >= self.stand.acknowledged, "{told:?} {:?}", self.stand);
            self.at = Some(told.offset);
        }
        self.expect_open(reader);
    }

    /// A reader from a position is told the right verdict.
    fn begin_at(&mut self, reader: &mut Reader, attach: Attach<'_>, asked: Place) {
        if self.seam.carrier != Carrier::Poll {
            assert_eq!(Place::of_cursor(&reader.cursor), asked, "the opening says what was asked");
        }
        self.expect_open(reader);
        let must = match (self.seam.kind, self.seam.floor) {
            (Kind::Floor | Kind::Head, Floor::Still) => Some(None),
            (Kind::BelowFloor, Floor::Still) => Some(Some("trimmed")),
            (Kind::ForeignEpoch, _) => Some(Some("epoch")),
            (Kind::Future, _) => Some(Some("future")),
            // A feed may still hold what retention has trimmed while the floor moves.
            _ => None,
        };
        match reader.next() {
            Item::Message(message) => {
                assert!(must.is_none_or(|must| must.is_none()), "untold: {:?}", self.seam.kind);
                self.at = Some(asked.offset);
                self.follow(&message);
            }
            Item::Gap(gap) => {
                let reason = must.unwrap_or(Some("trimmed"));
                assert_eq!(Some(gap.reason.as_str()), reason, "{:?} {gap:?}", self.seam.kind);
                assert_eq!(gap.from.as_deref(), Some(asked.position().as_str()));
                let to = Place::of_cursor(&gap.cursor_at_gap(self.seam.carrier, &self.stand));
                assert_eq!(gap.to.as_deref(), Some(to.position().as_str()));
                self.gap_at_seam(asked, to);
            }
            Item::Ended(Ending::Closed(1013, reason)) if self.seam.carrier == Carrier::Raw => {
                assert_ne!(must, Some(None), "{:?} {reason}", self.seam.kind);
                let to = self.come_back(reader, attach, &reason);
                self.gap_at_seam(asked, to);
            }
            other => panic!("{other:?} at {:?}", self.seam),
        }
    }

    /// What a gap at the seam says must be true.
    fn gap_at_seam(&mut self, asked: Place, to: Place) {
        assert_eq!(to.epoch, self.stand.floor.epoch);
        match self.seam.floor {
            Floor::Still => assert_eq!(to.offset, self.stand.floor.offset, "{:?}", self.seam),
            Floor::Moving(kept) => {
                let newest = self.seam.publisher.sent() - kept;
                let oldest = self.stand.acknowledged - kept;
                assert!((oldest..=newest).contains(&to.offset), "{oldest} {to:?} {newest}");
            }
        }
        let same_history = !matches!(self.seam.kind, Kind::ForeignEpoch | Kind::Future);
        assert!(!same_history || asked.offset < to.offset, "nothing was missed: {asked:?} {to:?}");
        self.at = Some(to.offset);
        self.seen.gaps += 1;
    }

    /// Reads until publications have come that did not exist when the reader asked.
    fn read_on(&mut self, reader: &mut Reader, attach: Attach<'_>) {
        let first = self.at.unwrap_or(self.stand.acknowledged).max(self.stand.acknowledged);
        let target = (first + BEYOND).min(self.stand.last);
        while self.at.is_none_or(|at| at < target) {
            match reader.next() {
                Item::Message(message) => self.follow(&message),
                Item::Gap(gap) => {
                    let to = gap.to.as_deref().and_then(|to| to.split('.').next()).unwrap();
                    let at = self.at.expect("a gap follows something");
                    let from = self.stand.floor.at(at).position();
                    assert_eq!(gap.from.as_deref(), Some(from.as_str()), "{gap:?}");
                    self.fell_behind(to.parse().unwrap());
                }
                Item::Ended(Ending::Closed(1013, reason)) => {
                    let to = self.come_back(reader, attach, &reason);
                    self.fell_behind(to.offset);
                }
                other => panic!("{other:?} at {:?}, {:?}", self.at, self.seam),
            }
        }
    }

    /// The ring may pass a reader whose thread had no turn, but never unless it is true.
    fn fell_behind(&mut self, to: u64) {
        let Floor::Moving(kept) = self.seam.floor else {
            panic!("nothing was trimmed, but {:?} missed up to {to}: {:?}", self.at, self.seam);
        };
        let floor = self.seam.publisher.sent() - kept;
        let at = self.at.expect("a place to fall behind from");
        assert!(at < to && to <= floor, "a false gap from {at} to {to}, floor {floor}");
        self.at = Some(to);
        self.seen.slow += 1;
    }

    /// A raw reader is told by its close where to come back to.
    fn come_back(&self, reader: &mut Reader, attach: Attach<'_>, reason: &str) -> Place {
        let since = reason.strip_prefix("since=").unwrap_or_else(|| panic!("{reason}"));
        let again = Attach { from: Some(since), said: Said::Since, ..attach };
        *reader = again.open().expect("an answer");
        Place::of_cursor(since)
    }

    fn follow(&mut self, message: &Message) {
        let text = std::str::from_utf8(&message.data).unwrap();
        let offset: u64 = text.parse().unwrap();
        assert_eq!(text, payload(offset));
        let next = self.at.map_or(offset, |at| at + 1);
        assert_eq!(offset, next, "a gap or a duplicate: {:?}", self.seam);
        if self.at.is_none() {
            assert!(offset > self.stand.acknowledged, "{offset} was published before now");
        }
        assert!(message.offset.is_none_or(|told| told == offset), "{message:?}");
        assert!(message.prev.is_none_or(|prev| prev == offset - 1), "{message:?}");
        if let Some(cursor) = &message.cursor {
            assert_eq!(Place::of_cursor(cursor), self.stand.floor.at(offset));
        }
        self.at = Some(offset);
        self.seen.messages += 1;
    }

    fn expect_open(&self, reader: &mut Reader) {
        if matches!(self.seam.carrier, Carrier::Poll | Carrier::Raw) {
            return;
        }
        match reader.next() {
            Item::Open(cursor) => assert_eq!(cursor, reader.cursor),
            other => panic!("{other:?} instead of the opening, {:?}", self.seam),
        }
    }
}

impl Gap {
    /// The cursor of the gap itself, or what it must be where a poll has only one for all.
    fn cursor_at_gap(&self, carrier: Carrier, stand: &Stand) -> String {
        if carrier != Carrier::Poll {
            return self.cursor.clone();
        }
        let offset = self.to.as_deref().and_then(|to| to.split('.').next()).unwrap();
        stand.floor.at(offset.parse().unwrap()).cursor()
    }
}

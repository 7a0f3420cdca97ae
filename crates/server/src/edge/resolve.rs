//! Where readers would start: for `HEAD`, and for the 101 of a WebSocket.

use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::shard::{Answer, Request, Resolved};
use fanfare_core::start::{Start, Subscription};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::Reading;

use super::Shared;
use super::ask;

/// Where a reader would start.
#[derive(Debug)]
pub(super) struct Standing {
    /// The cursor to tell: positions read from, claimed ones before a gap.
    pub cursor: Cursor,
    /// The entry of each channel; none for one that could not be read.
    pub entries: Vec<Option<CursorEntry>>,
    /// The channels, each from exactly the position told; one that is about to be told a gap from
    /// where it was asked for.
    pub subscriptions: Vec<Subscription>,
    /// Whether every channel has ended and the reader has seen it.
    pub over: bool,
}

impl Shared {
    /// Asks every channel's owner.
    pub(super) async fn standing(&self, reading: &Reading) -> Result<Standing, Problem> {
        let asked: Vec<_> = reading
            .subscriptions
            .iter()
            .map(|subscription| {
                let request = Request::Resolve(subscription.start);
                ask::question(&self.node, subscription.channel.clone(), request)
            })
            .collect();
        let mut resolved = Vec::with_capacity(asked.len());
        for (subscription, asked) in reading.subscriptions.iter().zip(asked) {
            match asked.answer().await {
                Answer::Resolved(one) => resolved.push((subscription, one)),
                Answer::Refused(refusal) => {
                    return Err(Problem::refused(&subscription.channel, refusal));
                }
                other => return Err(super::unexpected(&other)),
            }
        }
        Ok(stand(&resolved, &reading.carried))
    }
}

fn stand(resolved: &[(&Subscription, Resolved)], carried: &Cursor) -> Standing {
    let entries: Vec<_> = resolved.iter().map(|(_, one)| one.entry).collect();
    let subscriptions = resolved.iter().map(|(subscription, one)| Subscription {
        channel: subscription.channel.clone(),
        notices: subscription.notices,
        start: match (&one.gap, one.entry) {
            (None, Some(entry)) => Start::of_entry(entry),
            _ => subscription.start,
        },
    });
    Standing {
        subscriptions: subscriptions.collect(),
        cursor: compose(&entries, carried),
        entries,
        over: !resolved.is_empty() && resolved.iter().all(|(_, one)| one.over),
    }
}

/// The cursor of a reader that stands here in the channels that it asked for: the mark stands for
/// one that could not be read, until its gap is told.
pub(super) fn compose(entries: &[Option<CursorEntry>], carried: &Cursor) -> Cursor {
    let mut cursor = Cursor::new();
    for entry in entries {
        match entry {
            Some(entry) => cursor.set(*entry),
            None => cursor.mark(),
        }
    }
    cursor.carry(carried);
    cursor
}

#[cfg(test)]
mod tests {
    use fanfare_core::cursor::{Cursor, CursorEntry};
    use fanfare_core::gap::{Gap, GapReason};
    use fanfare_core::name::ChannelName;
    use fanfare_core::position::{Epoch, Position};
    use fanfare_core::shard::Resolved;
    use fanfare_core::start::{Start, Subscription};

    use super::stand;

    fn asked(name: &str, start: Start) -> Subscription {
        Subscription::new(ChannelName::new(name).unwrap(), start)
    }

    fn entry(of: &Subscription, offset: u64) -> CursorEntry {
        CursorEntry {
            hash: of.channel.hash48(),
            position: Position::new(offset, Epoch::from_bits(5)),
            ended: false,
        }
    }

    #[test]
    fn what_is_told_is_where_it_is_read_from() {
        let (now, old, torn) = (
            asked("now", Start::Now),
            asked("old", Start::After(Position::new(1, Epoch::from_bits(5)))),
            asked("torn", Start::Unreadable),
        );
        let gap = |of: &Subscription, reason| {
            Some(Gap {
                channel: of.channel.clone(),
                from: None,
                to: Position::new(8, Epoch::from_bits(5)),
                reason,
            })
        };
        let resolved = |entry, gap| Resolved { entry, gap, over: false };
        let standing = stand(
            &[
                (&now, resolved(Some(entry(&now, 9)), None)),
                (&old, resolved(Some(entry(&old, 1)), gap(&old, GapReason::Trimmed))),
                (&torn, resolved(None, gap(&torn, GapReason::Unreadable))),
            ],
            &Cursor::new(),
        );
        assert_eq!(standing.cursor.entries(), [entry(&now, 9), entry(&old, 1)]);
        assert!(standing.cursor.marked(), "the unreadable one");
        let starts: Vec<_> = standing.subscriptions.iter().map(|one| one.start).collect();
        let told = Start::of_entry(entry(&now, 9));
        assert_eq!(starts, [told, old.start, Start::Unreadable]);
        assert!(!standing.over);
    }
}

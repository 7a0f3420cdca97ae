//! Readers attach at every kind of place while a publisher publishes as fast as it can: no
//! publication is lost or doubled at the seam between history and live, and each reader is told
//! exactly what it missed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::reader::Carrier;
use crate::server::Server;

use super::amount;
use super::publisher::Publisher;
use super::seam::{Floor, Kind, Seam, Seen};

/// Readers at one time.
const CONCURRENT: usize = 24;

/// Attaches over each transport; every publication is kept while a channel is published to, so that
/// each verdict is known beforehand.
#[test]
fn each_attach_gets_the_right_verdict_and_everything_after_it() {
    let kinds =
        [Kind::Now, Kind::Head, Kind::Floor, Kind::BelowFloor, Kind::ForeignEpoch, Kind::Future];
    attach(Floor::Still, &kinds, amount(2_000, 10_000));
}

/// Attaches while retention trims as fast as publications come: a verdict at the floor depends on
/// the moment, and must be true at that moment.
#[test]
fn attaches_at_a_moving_floor_are_told_the_truth() {
    let kinds = [
        Kind::Now,
        Kind::NearFloor,
        Kind::Head,
        Kind::BelowFloor,
        Kind::ForeignEpoch,
        Kind::NearFloor,
        Kind::Future,
    ];
    attach(Floor::Moving(500), &kinds, amount(1_000, 10_000));
}

fn attach(floor: Floor, kinds: &[Kind], attaches: u64) {
    let (kept, publications) = match floor {
        Floor::Still => (1_000, 500),
        Floor::Moving(kept) => (kept, u64::MAX / 2),
    };
    let kept = kept.to_string();
    let server =
        Server::dev(&[("FANFARE_HISTORY__COUNT", &kept), ("FANFARE_HISTORY__BYTES", "8 MiB")]);
    let address = server.address();
    let publisher = Publisher::new(publications);
    let begun = Instant::now();
    thread::scope(|scope| {
        let publishing = scope.spawn(|| publisher.run(address));
        let stop = StopAtEnd(&publisher);
        for carrier in Carrier::ALL {
            let begun = Instant::now();
            let seen = readers(attaches, |number| Seam {
                address,
                publisher: &publisher,
                carrier,
                floor,
                kind: match kinds[usize::try_from(number).unwrap() % kinds.len()] {
                    // A poll from now on has no opening that says where that was: a channel that is
                    // published to the end before the poll arrives would keep it waiting for ever.
                    Kind::Now if carrier == Carrier::Poll => Kind::Head,
                    kind => kind,
                },
                number: number / kinds.len() as u64,
            });
            println!(
                "{carrier:?}, {floor:?}: {attaches} attaches in {:?}, {} publications read, {} gaps \
                 told at the seam, {} fell behind later",
                begun.elapsed(),
                seen.messages,
                seen.gaps,
                seen.slow,
            );
            assert!(seen.gaps > 0 && seen.messages > attaches);
        }
        drop(stop);
        let published = publishing.join().unwrap();
        println!("{floor:?}: {published} published in {:?}", begun.elapsed());
    });
}

/// Crosses so many seams, some at a time.
fn readers<'a>(attaches: u64, seam: impl Fn(u64) -> Seam<'a> + Sync) -> Seen {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let cross = || {
            let mut sum = Seen::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= attaches {
                    return sum;
                }
                let seen = seam(number).cross();
                sum.messages += seen.messages;
                sum.gaps += seen.gaps;
                sum.slow += seen.slow;
            }
        };
        let threads: Vec<_> = (0..CONCURRENT).map(|_| scope.spawn(cross)).collect();
        threads.into_iter().fold(Seen::default(), |mut sum, thread| {
            let seen = thread.join().unwrap();
            sum.messages += seen.messages;
            sum.gaps += seen.gaps;
            sum.slow += seen.slow;
            sum
        })
    })
}

/// Stops the publisher also when a reader's assertion fails, since its scope waits for it.
struct StopAtEnd<'a>(&'a Publisher);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

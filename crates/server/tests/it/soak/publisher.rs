//! A publisher at full speed: requests pipelined on one connection, each answer checked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

use crate::reader::{Incoming, Place};

/// Requests on their way before the first of them is answered.
const PIPELINED: u64 = 32;

/// Longer than a publication should take, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the channel stands that is published to right now.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    pub(super) channel: String,
    /// The position before the channel's first publication.
    pub(super) floor: Place,
    /// The newest offset that was acknowledged.
    pub(super) acknowledged: u64,
    /// The newest offset that may exist.
    pub(super) sent: u64,
    /// The offset at which this channel is left for the next one.
    pub(super) last: u64,
}

/// Publishes until it is told to stop. Each payload is the offset that its publication gets.
#[derive(Debug)]
pub(super) struct Publisher {
    stand: Mutex<Option<Stand>>,
    moved: Condvar,
    stop: AtomicBool,
    publications: u64,
}

impl Publisher {
    /// With so many publications in a channel before it goes on to the next.
    pub(super) fn new(publications: u64) -> Self {
        let (stand, moved, stop) = (Mutex::new(None), Condvar::new(), AtomicBool::new(false));
        Self { stand, moved, stop, publications }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Where it stands, as soon as that is `suitable`.
    pub(super) fn stand(&self, suitable: impl Fn(&Stand) -> bool) -> Stand {
        let unsuitable = |stand: &mut Option<Stand>| !stand.as_ref().is_some_and(&suitable);
        let stand = self.stand.lock().unwrap();
        let waited = self.moved.wait_timeout_while(stand, PATIENCE, unsuitable);
        let (stand, outcome) = waited.unwrap();
        assert!(!outcome.timed_out(), "the publisher does not get on: {stand:?}");
        stand.clone().unwrap()
    }

    /// The newest offset that may exist.
    pub(super) fn sent(&self) -> u64 {
        self.lock().as_ref().unwrap().sent
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stand>> {
        self.stand.lock().unwrap()
    }

    /// Publishes; gives the number of publications.
    pub(super) fn run(&self, address: &str) -> u64 {
        let mut wire = Incoming::connect(address);
        let mut published = 0;
        for round in 0_u64.. {
            let channel = format!("seam-{round}");
            let floor = begin(&mut wire, &channel);
            let last = floor.offset.saturating_add(self.publications);
            let sent = floor.offset;
            let acknowledged = sent;
            *self.lock() =
                Some(Stand { channel: channel.clone(), floor, acknowledged, sent, last });
            self.moved.notify_all();
            published += self.fill(&mut wire, &channel, floor, last);
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        published
    }

    fn fill(&self, wire: &mut Incoming, channel: &str, floor: Place, last: u64) -> u64 {
        let (mut sent, mut acknowledged) = (floor.offset, floor.offset);
        while acknowledged < last && !(self.stop.load(Ordering::Relaxed) && sent == acknowledged) {
            let stopping = self.stop.load(Ordering::Relaxed);
            let upto = last.min(acknowledged + PIPELINED);
            // Refilled by halves, so that neither end works for one request at a time.
            if !stopping && sent - acknowledged <= PIPELINED / 2 && sent < upto {
                if let Some(stand) = self.lock().as_mut() {
                    stand.sent = upto;
                }
                let requests: String =
                    (sent + 1..=upto).map(|offset| post(channel, &payload(offset))).collect();
                wire.send(requests.as_bytes()).unwrap();
                sent = upto;
            }
            acknowledged += 1;
            assert_eq!(answered(wire).offset, acknowledged, "offsets are dense");
            if let Some(stand) = self.lock().as_mut() {
                stand.acknowledged = acknowledged;
            }
            if acknowledged % PIPELINED == 0 {
                self.moved.notify_all();
            }
        }
        acknowledged - floor.offset
    }
}

/// A channel whose floor is above zero and stays there: removing it has raised its mark.
fn begin(wire: &mut Incoming, channel: &str) -> Place {
    for _ in 0..3 {
        wire.send(post(channel, "before").as_bytes()).unwrap();
        answered(wire);
    }
    let request = format!("DELETE /c/{channel} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire.send(request.as_bytes()).unwrap();
    let floor = answered(wire);
    assert!(floor.offset >= 3, "{floor:?}");
    floor
}

/// What the publication with this offset says: the offset, in about a hundred bytes.
pub(super) fn payload(offset: u64) -> String {
    format!("{offset:0>100}")
}

fn post(channel: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn answered(wire: &mut Incoming) -> Place {
    let (head, body) = wire.answer().unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
    let answer: Value = serde_json::from_slice(&body).unwrap();
    Place::of_cursor(answer["cursor"].as_str().unwrap())
}

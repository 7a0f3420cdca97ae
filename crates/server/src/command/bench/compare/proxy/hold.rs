//! Holding back, as proxies do that collect an answer before they pass it on: until so much has
//! come, the answer is whole, or time is over. A connection that has become a WebSocket is no answer
//! any more, and passes.

use std::time::Duration;

use tokio::time::Instant;

use crate::command::bench::framing::{Body, Head, Piece};

/// How answers are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command::bench::compare) struct Hold {
    /// So many bytes are passed on at once.
    pub(in crate::command::bench::compare) bytes: usize,
    /// The first of them waits no longer.
    pub(in crate::command::bench::compare) time: Duration,
}

/// What is held back of one connection's answers.
#[derive(Debug)]
pub(super) struct Holding {
    hold: Hold,
    held: Vec<u8>,
    since: Option<Instant>,
    place: Place,
}

/// Where in its answers a connection is.
#[derive(Debug)]
enum Place {
    Head(Vec<u8>),
    Body(Body),
    /// Behind an upgrade, or in what is no HTTP.
    Open,
}

impl Holding {
    /// Nothing has come.
    pub(super) fn new(hold: Hold) -> Self {
        Self { hold, held: Vec::new(), since: None, place: Place::Head(Vec::new()) }
    }

    /// Takes what came and gives what is passed on now.
    pub(super) fn take(&mut self, came: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(came);
        self.since.get_or_insert_with(Instant::now);
        let whole = self.follow(came);
        if whole || self.held.len() >= self.hold.bytes { self.release() } else { Vec::new() }
    }

    /// Until when what is held may be held.
    pub(super) fn until(&self) -> Option<Instant> {
        self.since.map(|since| since + self.hold.time)
    }

    /// Gives all that is held.
    pub(super) fn release(&mut self) -> Vec<u8> {
        self.since = None;
        std::mem::take(&mut self.held)
    }

    /// Follows the answers; says whether what came ends with the end of one.
    fn follow(&mut self, came: &[u8]) -> bool {
        let mut rest = came;
        loop {
            match &mut self.place {
                Place::Open => return true,
                Place::Head(had) => match Head::take(had, rest) {
                    Ok(Some((head, taken))) => {
                        rest = rest.get(taken..).unwrap_or_default();
                        let upgraded = head.status == 101;
                        self.place = if upgraded { Place::Open } else { Place::Body(head.body()) };
                    }
                    Ok(None) => return false,
                    Err(_unreadable) => self.place = Place::Open,
                },
                Place::Body(body) => match body.next(&mut rest) {
                    Ok(Some(Piece::End)) => {
                        self.place = Place::Head(Vec::new());
                        if rest.is_empty() {
                            return true;
                        }
                    }
                    Ok(Some(_piece)) => {}
                    Ok(None) => return false,
                    Err(_unreadable) => self.place = Place::Open,
                },
            }
        }
    }
}

#[cfg(test)]
#[path = "hold_test.rs"]
mod tests;

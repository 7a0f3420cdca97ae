//! Publishers and readers of some channels, and what they were told.

use std::thread::JoinHandle;

use super::ledger::{Acknowledged, Ledger};
use super::load::{Listener, Publisher};
use crate::reader::Carrier;

const PUBLISHERS: usize = 8;

/// Everybody who goes on through the crashes of a server.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) channels: Vec<String>,
    pub(super) ledger: Ledger,
    publishers: Vec<Publisher>,
    listeners: Vec<Listener>,
}

/// A crew at work.
#[derive(Debug)]
pub(super) struct AtWork {
    publishing: Vec<JoinHandle<(Publisher, Vec<Acknowledged>)>>,
    reading: Vec<JoinHandle<Listener>>,
}

impl Crew {
    pub(super) fn new() -> Self {
        let channels = ["news", "a%2Fb", "chat:1", "prices"].map(str::to_owned).to_vec();
        let publishers = (0..PUBLISHERS).map(|number| Publisher::new(number, &channels));
        let listeners = channels.iter().map(|channel| Listener::new(channel, Carrier::Sse));
        Self {
            ledger: Ledger::default(),
            publishers: publishers.collect(),
            listeners: listeners.collect(),
            channels,
        }
    }

    /// Publishers alone, where what is read may have been lost.
    pub(super) fn of_publishers() -> Self {
        Self { listeners: Vec::new(), ..Self::new() }
    }

    /// Begins to publish and to read.
    pub(super) fn go(&mut self, address: &str) -> AtWork {
        let reading = self.listeners.drain(..).map(|listener| listener.run(address.to_owned()));
        let publishing = self.publishers.drain(..).map(|one| one.run(address.to_owned()));
        AtWork { reading: reading.collect(), publishing: publishing.collect() }
    }

    /// Takes note of what everybody was told, now that the server is gone.
    pub(super) fn gather(&mut self, at_work: AtWork) {
        for publisher in at_work.publishing {
            let (publisher, acknowledged) = publisher.join().unwrap();
            self.ledger.note(acknowledged);
            self.publishers.push(publisher);
        }
        let listeners = at_work.reading.into_iter().map(|listener| listener.join().unwrap());
        self.listeners.extend(listeners);
    }

    /// Holds what a server gives against what was acknowledged, and has every reader get exactly
    /// what it missed.
    pub(super) fn compare(&mut self, address: &str) {
        self.ledger.compare(address, &self.channels);
        for (channel, listener) in self.channels.iter().zip(&mut self.listeners) {
            let given = self.ledger.given(channel);
            let head = given.last_key_value().map_or(0, |(offset, _)| *offset);
            listener.catch_up(address, head);
            assert_eq!(&listener.given, given, "{channel}");
        }
    }
}

//! Shards and the acceptor on real sockets, without the edge: what reaches it is counted.

mod allocations;
mod changes;
mod client;
mod deflate;
mod limits;
mod packed;
mod sockets;
mod streams;
#[path = "../../../../protocol/tests/native/unpacking.rs"]
mod unpacking;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::namespace::{NamespaceRules, Presence};
use fanfare_core::permit::PermitPool;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::settings::{Retention, ShardId, ShardSettings, SlowReader};
use fanfare_core::shard::{Attachment, Coverage, Message};
use fanfare_protocol::native::cors::{Hosts, OriginPolicy, Origins};
use fanfare_protocol::native::route::{Compression, Rules};

use super::{Judge, Parts, Seat, ShardOptions};
use crate::acceptor::{Acceptor, AcceptorOptions};
use crate::auth::tests::everyone;
use crate::edge::{Handoff, Intake};
use crate::engine::{Engine, Memory};
use crate::limit::Limiter;
use crate::load::Load;
use crate::node::{Letter, Node, ShardSnapshot};
use crate::tls::Entrance;

/// A running node of shards.
struct Running {
    address: SocketAddr,
    node: Arc<Node>,
    load: Arc<Load>,
    intake: Intake,
    acceptor: Option<Acceptor>,
    threads: Vec<JoinHandle<()>>,
    /// A shard that the test plays.
    played: Option<Seat>,
}

/// What a test wants to be otherwise.
struct Wishes {
    shards: ShardId,
    /// Whether there is one more, which the test plays.
    plays_owner: bool,
    options: ShardOptions,
    connections_max: usize,
    history_count: usize,
    slow_reader: SlowReader,
    compression: Compression,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            shards: 2,
            plays_owner: false,
            options: ShardOptions::default(),
            connections_max: 1_000,
            history_count: 10_000,
            slow_reader: SlowReader::Recover,
            compression: Compression::default(),
        }
    }
}

impl Wishes {
    /// One shard, and one whose channels the test answers for, when it likes.
    fn played() -> Self {
        Self { shards: 1, plays_owner: true, ..Self::default() }
    }

    fn all(&self) -> ShardId {
        self.shards + ShardId::from(self.plays_owner)
    }
}

impl Running {
    fn start(wishes: &Wishes) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let load = Load::new(wishes.shards);
        let mut seats: Vec<_> = (0..wishes.all()).map(|_| Seat::new().unwrap()).collect();
        let mailboxes = seats.iter().map(|(mailbox, _)| mailbox.clone()).collect();
        let node = Node::new(mailboxes, PermitPool::new(1_000, 1 << 26));
        let played = wishes.plays_owner.then(|| seats.pop().unwrap().1);
        let (handoff, intake) = Handoff::channel(64);
        let mut threads = Vec::new();
        for (shard, (_, seat)) in (0..).zip(seats) {
            let parts = parts(settings(shard, wishes), wishes, (&node, &load), &handoff);
            threads.push(seat.start(parts).unwrap());
        }
        let options = AcceptorOptions {
            connections_max: wishes.connections_max,
            handshakes_max: 4_096,
            retry: Duration::from_secs(1)..Duration::from_secs(2),
            write_within: Duration::from_secs(20),
            policy: Arc::new(OriginPolicy { hosts: Hosts::Loopback, origins: Origins::Loopback }),
            terms: Arc::default(),
            limiter: Limiter::new(1_024, Arc::default()),
        };
        let acceptor = Acceptor::start(
            vec![(listener, Entrance::Plain)],
            options,
            Arc::clone(&node),
            Arc::clone(&load),
        );
        let acceptor = Some(acceptor.unwrap());
        Self { address, node, load, intake, acceptor, threads, played }
    }

    /// What all shards have counted.
    fn snapshots(&self) -> Vec<ShardSnapshot> {
        let ask = |mailbox: &crate::node::Mailbox| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            mailbox.put(Letter::Snapshot(sender));
            receiver.blocking_recv().unwrap()
        };
        self.node.mailboxes().iter().take(self.threads.len()).map(ask).collect()
    }

    /// A channel of this name, or nearly, that the played shard owns.
    fn played_channel(&self, name: &str) -> ChannelName {
        let mut names = (0..).map(|end| ChannelName::new(&format!("{name}{end}")).unwrap());
        names.find(|name| usize::from(self.node.owner(name)) == self.threads.len()).unwrap()
    }

    /// The played shard answers the next reader of one of its channels, of which there has been
    /// nothing so far.
    fn attach(&self, outcome: Result<(), Code>) {
        let letters = &self.played.as_ref().unwrap().letters;
        loop {
            let letter = letters.recv_timeout(PATIENCE).unwrap();
            let Letter::Core(Message::Attach { shard, ticket, channel, .. }) = letter else {
                continue;
            };
            let from = Position::new(0, Epoch::from_bits(5));
            let attachment = Attachment {
                channel,
                from,
                gap: None,
                history: Vec::new(),
                to: from,
                ended: false,
                coverage: Coverage::Live,
                members: 0,
            };
            let outcome = outcome.map(|()| Box::new(attachment));
            let answer = Letter::Core(Message::Attached { ticket, outcome });
            return self.node.mailboxes()[usize::from(shard)].put(answer);
        }
    }

    /// Waits until it is so, at most ten seconds.
    fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..1_000 {
            if is_so(self) {
                return;
            }
            // There is no event for what a counter in another thread does.
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not within ten seconds: {what}");
    }

    fn drain(&self, window: Duration) {
        for mailbox in self.node.mailboxes() {
            mailbox.put(Letter::Drain(window));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.stop();
        }
        for mailbox in self.node.mailboxes() {
            mailbox.put(Letter::Stop);
        }
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok(), "a shard panicked");
        }
    }
}

fn parts(
    settings: ShardSettings,
    wishes: &Wishes,
    (node, load): (&Arc<Node>, &Arc<Load>),
    handoff: &Handoff,
) -> Parts {
    Parts {
        settings,
        judge: Judge {
            options: wishes.options.clone(),
            rules: Rules { compression: wishes.compression, ..Rules::default() },
            aliases: Arc::default(),
            access: Arc::new(everyone()),
            policy: Arc::new(OriginPolicy { hosts: Hosts::Loopback, origins: Origins::Loopback }),
            terms: Arc::default(),
            limiter: Limiter::new(1_024, Arc::default()),
            teller: None,
            hooks: None,
        },
        node: Arc::clone(node),
        load: Arc::clone(load),
        engine: Engine::Memory(Memory),
        restored: Vec::new(),
        acceptance: None,
        handoff: handoff.clone(),
    }
}

fn settings(shard: ShardId, wishes: &Wishes) -> ShardSettings {
    let history =
        Retention { count: wishes.history_count, bytes: 1 << 26, age: Duration::from_secs(3_600) };
    let (slow_reader, presence) = (wishes.slow_reader, Presence::Off);
    let told = fanfare_core::happening::Wishes::default();
    let rules = NamespaceRules { history, slow_reader, presence, wishes: told };
    ShardSettings {
        shard,
        shards: wishes.all(),
        seed: 1 + u64::from(shard),
        feed: Retention { bytes: 1 << 18, ..history },
        ..ShardSettings::alone(rules, super::encoder(), crate::coding::encode_news)
    }
}

/// A moment that no test waits longer for.
const PATIENCE: Duration = Duration::from_secs(10);

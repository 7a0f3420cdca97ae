//! Delivering costs no allocation: what one publication allocates does not depend on how many read
//! it.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::permit::{Permit, PermitPool};
use fanfare_core::publication::{Content, Data, Draft, End, Lifetime};
use fanfare_core::shard::{Origin, Request};
use fanfare_protocol::native::route::Compression;
use mio::Events;

use super::client::Client;
use super::{Wishes, parts, settings};
use crate::edge::Handoff;
use crate::load::Load;
use crate::node::{Letter, Node};
use crate::shard::Seat;
use crate::shard::event_loop::EventLoop;
use crate::tls::Entrance;

/// One shard whose turns the test makes itself, so that it counts what its thread allocates.
struct Bench {
    event_loop: EventLoop,
    events: Events,
    node: Arc<Node>,
    load: Arc<Load>,
    listener: TcpListener,
    clients: Vec<TcpStream>,
}

impl Bench {
    fn new() -> Self {
        let compression = Compression { websocket: true, streams: true };
        let wishes = Wishes { shards: 1, history_count: 8, compression, ..Wishes::default() };
        let (mailbox, seat) = Seat::new().unwrap();
        let node = Node::new(vec![mailbox], PermitPool::new(1_000, 1 << 26));
        let load = Load::new(1);
        let (handoff, _intake) = Handoff::channel(1);
        let parts = parts(settings(0, &wishes), &wishes, (&node, &load), &handoff);
        Self {
            event_loop: EventLoop::new(seat, parts).unwrap(),
            events: Events::with_capacity(1_024),
            node,
            load,
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            clients: Vec::new(),
        }
    }

    fn turn(&mut self) {
        self.event_loop.turn(&mut self.events, Some(Duration::ZERO)).unwrap();
    }

    /// Has one more reader, and makes turns until its stream has begun.
    fn open(&mut self, request: &str) {
        let address = self.listener.local_addr().unwrap();
        let mut client = Client::connect(address);
        let (socket, peer) = self.listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        client.send(request.as_bytes());
        self.load.arrive(0);
        self.load.begin_handshake();
        self.node.mailboxes()[0].put(Letter::Accepted {
            socket: mio::net::TcpStream::from_std(socket),
            entrance: Entrance::Plain,
            peer,
            counted: self.load.enter(),
        });
        client.socket.set_nonblocking(true).unwrap();
        while read_away(&mut client.socket) == 0 {
            self.turn();
        }
        self.clients.push(client.socket);
    }

    fn publish(&self) {
        let draft = Draft {
            content: Some(Content::plain(Data::Text(Bytes::from_static(&MESSAGE)))),
            lifetime: Lifetime::Retained,
            key: None,
            publisher: None,
            expect: None,
            end: End::Open,
        };
        self.node.mailboxes()[0].put(Letter::Ask {
            origin: Origin::Edge(1),
            channel: ChannelName::new("a").unwrap(),
            request: Request::Publish(Box::new(draft)),
            permit: Permit::free(),
        });
    }

    /// Publishes until every reader has had so many; gives the allocations of the shard's turns.
    fn deliver(&mut self, publications: usize) -> u64 {
        let mut allocations = 0;
        for _ in 0..publications {
            self.publish();
            let before = self.event_loop.core.figures().deliveries;
            let wanted = before + self.clients.len() as u64;
            while self.event_loop.core.figures().deliveries < wanted {
                allocations += allocation_counter::measure(|| self.turn()).count_total;
            }
            for client in &mut self.clients {
                read_away(client);
            }
        }
        allocations
    }
}

/// So long that it is compressed where it can be.
static MESSAGE: [u8; 500] = [b'x'; 500];

fn read_away(socket: &mut TcpStream) -> usize {
    let mut buffer = [0; 4_096];
    match socket.read(&mut buffer) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_delivery_over_a_warm_feed_allocates_nothing() {
    let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let v1 = format!("{websocket}Sec-WebSocket-Protocol: fanfare.v1\r\n");
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let deflated = [format!("{websocket}{deflate}"), format!("{v1}{deflate}")];
    for (name, headers) in [
        ("Server-Sent Events", "Accept: text/event-stream\r\n"),
        ("NDJSON", "Accept: application/x-ndjson\r\n"),
        ("a raw WebSocket", websocket),
        ("fanfare.v1", &v1),
        ("a raw WebSocket, deflated", &deflated[0]),
        ("fanfare.v1, deflated", &deflated[1]),
        ("Server-Sent Events, gzipped", "Accept-Encoding: gzip\r\n"),
        ("Server-Sent Events as Zstandard", "Accept-Encoding: zstd\r\n"),
    ] {
        let request = format!("GET /c/a HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let mut bench = Bench::new();
        let mut counted = Vec::new();
        for readers in [20, 220] {
            while bench.clients.len() < readers {
                bench.open(&request);
            }
            bench.deliver(10);
            counted.push(bench.deliver(10));
        }
        assert_eq!(counted[0], counted[1], "{name}: 200 readers more allocate more");
        assert!(counted[0] > 0, "{name}: publishing itself allocates, or nothing is counted");
    }
}

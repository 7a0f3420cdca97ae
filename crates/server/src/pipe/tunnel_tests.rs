//! The tunnel as a shard and the edge see it.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use fanfare_core::shard::ConnectionId;
use tokio::time::timeout;

use super::tunnel::{Outward, TUNNEL_BYTES, Tunnel, TunnelEnd, tunnel};
use crate::node::{Letter, Mailbox, ShardWaker};

const SOON: Duration = Duration::from_millis(50);
const ID: ConnectionId = ConnectionId { index: 7, generation: 1 };

/// A tunnel, the letters to its shard, and the poll that they wake.
fn bound() -> (Tunnel, TunnelEnd, Receiver<Letter>, mio::Poll) {
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let (mailbox, letters) = Mailbox::new(Arc::new(ShardWaker::new(waker)));
    let (shard, edge) = tunnel(mailbox);
    assert!(shard.bind(ID));
    (shard, edge, letters, poll)
}

fn blocked<T: std::fmt::Debug>(outcome: std::io::Result<T>) -> bool {
    outcome.unwrap_err().kind() == ErrorKind::WouldBlock
}

#[tokio::test]
async fn what_is_written_is_sent_in_order_and_no_more_than_there_is_room_for() {
    let (mut shard, edge, letters, _poll) = bound();
    let long = vec![b'x'; TUNNEL_BYTES];
    assert_eq!(shard.write(b"first").unwrap(), 5);
    assert_eq!(shard.write(&long).unwrap(), TUNNEL_BYTES - 5);
    assert!(blocked(shard.write(b"more")));
    let Outward::Bytes(sent) = edge.next().await else { panic!("the end") };
    assert!(sent.starts_with(b"firstxx") && sent.len() == TUNNEL_BYTES);
    assert!(blocked(shard.write(b"more")), "what is being sent counts");
    assert!(letters.try_recv().is_err());
    assert!(timeout(SOON, edge.next()).await.is_err(), "there is nothing more");
    assert!(matches!(letters.try_recv(), Ok(Letter::TunnelHasRoom(ID))));
    assert_eq!(shard.write(b"more").unwrap(), 4);
    shard.shut();
    assert_eq!(edge.next().await, Outward::Bytes("more".into()));
    assert_eq!(edge.next().await, Outward::End);
    assert!(edge.is_shut());
    assert!(letters.try_recv().is_err(), "nobody waits for room");
}

#[tokio::test]
async fn what_comes_is_read_in_order_with_one_letter_at_a_time() {
    let (mut shard, edge, letters, _poll) = bound();
    assert!(edge.pass_in(b"one").await);
    assert!(edge.pass_in(b"two").await);
    assert!(matches!(letters.try_recv(), Ok(Letter::TunnelHasBytes(ID))));
    assert!(letters.try_recv().is_err(), "one letter for both");
    let mut buffer = [0; 4];
    assert_eq!((shard.read(&mut buffer).unwrap(), &buffer), (4, b"onet"));
    assert!(edge.pass_in(b"!").await);
    assert!(letters.try_recv().is_err(), "it has not read everything");
    assert_eq!(shard.read(&mut buffer).unwrap(), 3);
    assert_eq!(&buffer[..3], b"wo!");
    assert!(blocked(shard.read(&mut buffer)));
    assert!(edge.pass_in(b"again").await);
    assert!(matches!(letters.try_recv(), Ok(Letter::TunnelHasBytes(ID))));
    edge.finish_in();
    assert!(matches!(letters.try_recv(), Ok(Letter::TunnelHasBytes(ID))));
    let mut rest = String::new();
    shard.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "again");
}

#[tokio::test]
async fn who_sends_more_than_is_read_waits() {
    let (mut shard, edge, _letters, _poll) = bound();
    let part = vec![b'x'; TUNNEL_BYTES / 4];
    for _ in 0..4 {
        assert!(edge.pass_in(&part).await);
    }
    assert!(timeout(SOON, edge.pass_in(b"y")).await.is_err());
    let mut buffer = vec![0; part.len()];
    shard.read_exact(&mut buffer).unwrap();
    assert!(edge.pass_in(b"y").await);
    drop(shard);
    assert!(!edge.pass_in(&part).await, "the shard has let go");
    edge.left().await;
    assert_eq!(edge.next().await, Outward::End);
    assert!(!edge.is_shut(), "it was cut");
}

#[tokio::test]
async fn what_comes_a_byte_at_a_time_holds_no_more_than_what_comes_at_once() {
    let (mut shard, edge, _letters, _poll) = bound();
    let counted = allocation_counter::measure(|| {
        for _ in 0..TUNNEL_BYTES {
            assert_eq!(edge.put(b"x"), Some(true));
        }
    });
    assert!(counted.bytes_current <= 2 * TUNNEL_BYTES as i64, "{counted:?}");
    assert_eq!(edge.put(b"x"), None, "it is full");
    let mut all = vec![0; 2 * TUNNEL_BYTES];
    assert_eq!(shard.read(&mut all).unwrap(), TUNNEL_BYTES);
}

#[tokio::test]
async fn a_shard_is_told_when_the_edge_is_gone() {
    let (mut shard, edge, letters, _poll) = bound();
    drop(edge);
    assert!(matches!(letters.try_recv(), Ok(Letter::PipeClosed(ID))));
    assert_eq!(shard.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let (shard, edge) = tunnel(Mailbox::new(Arc::new(ShardWaker::new(waker))).0);
    drop(edge);
    assert!(!shard.bind(ID), "it is gone before it was bound");
}

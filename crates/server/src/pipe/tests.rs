//! The pipe holds what it may and no more, and each end learns that the other is gone.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::shard::ConnectionId;
use fanfare_protocol::native::packing::GzipSum;
use tokio::time::timeout;

use super::{Common, ITEM_BYTES, ITEMS_KEPT, PIPE_BYTES, PipeItem, PipeReader, PipeWriter, pipe};
use crate::node::{Letter, Mailbox, ShardWaker};

const DEADLINE: Duration = Duration::from_secs(5);
const CONNECTION: ConnectionId = ConnectionId { index: 7, generation: 1 };

/// A pipe, and the mailbox that its reader writes to.
struct Bench {
    _poll: mio::Poll,
    mailbox: Mailbox,
    letters: Receiver<Letter>,
}

fn bench() -> (Bench, PipeWriter, PipeReader) {
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let (mailbox, letters) = Mailbox::new(Arc::new(ShardWaker::new(waker)));
    let (writer, reader) = pipe(mailbox.clone(), None);
    let bench = Bench { _poll: poll, mailbox, letters };
    (bench, writer, reader)
}

async fn next(reader: &PipeReader) -> Option<PipeItem> {
    timeout(DEADLINE, reader.next()).await.expect("in time")
}

async fn frame(reader: &PipeReader) -> Bytes {
    match next(reader).await {
        Some(PipeItem::Frame { body, .. }) => body,
        other => panic!("no frame: {other:?}"),
    }
}

#[tokio::test]
async fn a_full_pipe_hands_back_and_says_when_there_is_room() {
    let (bench, writer, reader) = bench();
    assert!(writer.bind(CONNECTION));
    let half = Bytes::from(vec![1; PIPE_BYTES / 2 - ITEM_BYTES]);
    writer.push_frame(half.clone(), GzipSum::default(), None).unwrap();
    writer.push_frame(half.clone(), GzipSum::default(), None).unwrap();
    let back = writer.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None);
    assert_eq!(back.unwrap_err(), "x", "the frame comes back whole");
    assert!(bench.letters.try_recv().is_err(), "no room yet");
    assert_eq!(frame(&reader).await.len(), half.len());
    assert!(bench.letters.try_recv().is_err(), "what was taken may not have been passed on");
    assert_eq!(frame(&reader).await.len(), half.len());
    let letter = bench.letters.try_recv();
    assert!(matches!(letter, Ok(Letter::PipeReady(id)) if id == CONNECTION));
    writer.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None).unwrap();
    frame(&reader).await;
    assert!(bench.letters.try_recv().is_err(), "told once");
}

#[tokio::test]
async fn a_reader_who_stops_reading_holds_one_frame_and_not_two() {
    let (bench, writer, reader) = bench();
    assert!(writer.bind(CONNECTION));
    let large = Bytes::from(vec![1; PIPE_BYTES]);
    writer.push_frame(large.clone(), GzipSum::default(), None).unwrap();
    frame(&reader).await;
    assert!(
        writer.push_frame(large.clone(), GzipSum::default(), None).is_err(),
        "the first is still on its way"
    );
    assert!(bench.letters.try_recv().is_err(), "no room yet");
    assert!(timeout(Duration::from_millis(1), reader.next()).await.is_err(), "nothing is there");
    assert!(matches!(bench.letters.try_recv(), Ok(Letter::PipeReady(_))));
    writer.push_frame(large, GzipSum::default(), None).unwrap();
}

#[tokio::test]
async fn one_frame_of_any_size_goes_through_an_empty_pipe() {
    let (_bench, writer, reader) = bench();
    let large = Bytes::from(vec![1; 4 * PIPE_BYTES]);
    writer.push_frame(large.clone(), GzipSum::default(), None).unwrap();
    assert!(writer.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None).is_err());
    assert_eq!(frame(&reader).await.len(), large.len());
}

#[tokio::test]
async fn many_small_frames_hold_no_more_than_a_few_large_ones() {
    let (_bench, writer, reader) = bench();
    let frame = |body| writer.push_frame(Bytes::from_static(body), GzipSum::default(), None);
    let mut count = 0;
    while frame(b"x").is_ok() {
        count += 1;
    }
    assert!(count * ITEM_BYTES <= PIPE_BYTES, "{count}");
    assert!(count > PIPE_BYTES / ITEM_BYTES / 2, "{count}");
    for _ in 0..count {
        next(&reader).await.unwrap();
    }
    assert!(
        reader.shared.lock().items.capacity() <= 2 * ITEMS_KEPT,
        "room for a flood is not kept"
    );
}

#[tokio::test]
async fn what_is_no_frame_keeps_its_place_even_when_full() {
    let (_bench, writer, reader) = bench();
    writer.push_frame(Bytes::from(vec![1; PIPE_BYTES]), GzipSum::default(), None).unwrap();
    writer.push(PipeItem::Drain);
    frame(&reader).await;
    assert!(matches!(next(&reader).await, Some(PipeItem::Drain)));
}

#[tokio::test]
async fn a_waiting_reader_is_woken() {
    let (_bench, writer, reader) = bench();
    let writing = async move {
        tokio::task::yield_now().await;
        writer.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None).unwrap();
        writer
    };
    let (body, _writer) = tokio::join!(frame(&reader), writing);
    assert_eq!(body, "x");
}

#[tokio::test]
async fn the_reader_gets_what_was_put_in_before_the_writer_went() {
    let (_bench, writer, reader) = bench();
    writer.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None).unwrap();
    drop(writer);
    assert_eq!(frame(&reader).await, "x");
    assert!(next(&reader).await.is_none());
    assert!(next(&reader).await.is_none(), "and stays at its end");
}

#[tokio::test]
async fn a_reader_that_goes_closes_its_subscriber() {
    let (bench, writer, reader) = bench();
    assert!(writer.bind(CONNECTION));
    drop(reader);
    let letter = bench.letters.try_recv();
    assert!(matches!(letter, Ok(Letter::PipeClosed(id)) if id == CONNECTION));
}

#[tokio::test]
async fn a_reader_that_went_before_it_was_bound_is_noticed_at_binding() {
    let (bench, writer, reader) = bench();
    drop(reader);
    assert!(bench.letters.try_recv().is_err(), "nobody to tell yet");
    assert!(!writer.bind(CONNECTION));
}

#[tokio::test]
async fn pipes_of_one_connection_have_a_bound_together() {
    let (bench, first, first_reader) = bench();
    drop((first, first_reader));
    let mailbox = bench.mailbox.clone();
    let common = Arc::new(Common::default());
    let large = Bytes::from(vec![1; (1 << 20) - ITEM_BYTES]);
    let mut pipes = Vec::new();
    for index in 0..6 {
        let (writer, reader) = pipe(mailbox.clone(), Some(Arc::clone(&common)));
        assert!(writer.bind(ConnectionId { index, generation: 1 }));
        pipes.push((writer, reader));
    }
    let push = |pipes: &[(PipeWriter, PipeReader)], place: usize| {
        pipes[place].0.push_frame(large.clone(), GzipSum::default(), None).is_ok()
    };
    // Each pipe is empty, and holds one frame of any size; together they hold four of a mebibyte.
    let held: Vec<_> = (0..6).map(|place| push(&pipes, place)).collect();
    assert_eq!(held, [true, true, true, true, false, false]);
    frame(&pipes[0].1).await;
    assert!(bench.letters.try_recv().is_err(), "it may not have been passed on");
    drop(pipes.remove(0));
    assert!(matches!(bench.letters.try_recv(), Ok(Letter::PipeClosed(_))));
    assert!(bench.letters.try_recv().is_err(), "who waits is told when half of it is free");
    drop(pipes.remove(0));
    let mut ready = Vec::new();
    while let Ok(letter) = bench.letters.try_recv() {
        if let Letter::PipeReady(connection) = letter {
            ready.push(connection.index);
        }
    }
    assert_eq!(ready, [4, 5]);
    assert!(push(&pipes, 2) && push(&pipes, 3));
    // What is small has no room either while others take nothing of theirs.
    let (small, _reader) = pipe(mailbox, Some(common));
    assert!(small.push_frame(Bytes::from_static(b"x"), GzipSum::default(), None).is_err());
}

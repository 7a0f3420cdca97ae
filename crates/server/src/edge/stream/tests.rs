//! A stream's readers are told how to come back, and never mistake a cut for an end.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::shard::Disconnect;
use fanfare_protocol::native::packing::{GzipSum, Packing};
use fanfare_protocol::native::reading::{Heartbeat, HeartbeatForm, Transport};
use tokio::time::{Instant, timeout};

use super::{Cut, Streaming, Words};
use crate::metrics::{self, EdgeCells};
use crate::node::{Letter, Mailbox, ShardWaker};
use crate::pipe::{PipeItem, PipeReader, PipeWriter, pipe};

const DEADLINE: Duration = Duration::from_secs(3600);
const BEAT: Duration = Duration::from_secs(15);

struct Bench {
    _poll: mio::Poll,
    _letters: Receiver<Letter>,
    cells: Arc<EdgeCells>,
}

fn bench() -> (Bench, PipeWriter, PipeReader) {
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let (mailbox, letters) = Mailbox::new(Arc::new(ShardWaker::new(waker)));
    let (writer, reader) = pipe(mailbox, None);
    (Bench { _poll: poll, _letters: letters, cells: EdgeCells::new() }, writer, reader)
}

fn words(transport: Transport) -> Words {
    Words {
        packing: Packing::Plain,
        transport,
        heartbeat: Heartbeat { every: BEAT, form: HeartbeatForm::Comment },
        drain_retry: Duration::from_millis(4_321),
        cut: Cut::Unfinished,
    }
}

/// The next part, `Ok(None)` for a regular end, `Err` for a cut.
async fn next(stream: &mut Streaming) -> Result<Option<Bytes>, ()> {
    let frame = timeout(DEADLINE, poll_fn(|context| stream.poll_frame(context)));
    match frame.await.expect("in time") {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap())),
        Some(Err(_cut)) => Err(()),
    }
}

fn push(writer: &PipeWriter, body: &'static str) {
    writer.push_frame(Bytes::from_static(body.as_bytes()), GzipSum::default(), None).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drained_reader_is_told_when_to_come_back_and_cut() {
    let (bench, writer, reader) = bench();
    let opening = Bytes::from_static(b"open");
    let mut stream = Streaming::new(&opening, Some(reader), words(Transport::Sse), &bench.cells);
    assert_eq!(bench.cells.connections(metrics::Transport::Sse), 1);
    assert_eq!(next(&mut stream).await, Ok(Some(Bytes::from_static(b"open"))));
    push(&writer, "one;");
    push(&writer, "two;");
    writer.push(PipeItem::Drain);
    let last = next(&mut stream).await.unwrap().unwrap();
    let last = String::from_utf8(last.to_vec()).unwrap();
    assert!(last.starts_with("one;two;") && last.contains("retry: 4321\n"), "{last}");
    assert_eq!(next(&mut stream).await, Err(()));
    drop(stream);
    assert_eq!(bench.cells.connections(metrics::Transport::Sse), 0);
}

#[tokio::test(start_paused = true)]
async fn a_finished_stream_ends_and_every_other_is_cut() {
    for (item, ends) in [
        (Some(PipeItem::Finished), true),
        (Some(PipeItem::Disconnect(Disconnect::Slow)), false),
        (Some(PipeItem::Drain), false),
        (None, false),
    ] {
        let (bench, writer, reader) = bench();
        let words = words(Transport::Ndjson);
        let mut stream = Streaming::new(b"", Some(reader), words, &bench.cells);
        match item {
            Some(item) => writer.push(item),
            None => drop(writer),
        }
        let end = if ends { Ok(None) } else { Err(()) };
        assert_eq!(next(&mut stream).await, end);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_on_time_and_never_on_bare_payloads() {
    let (bench, writer, reader) = bench();
    let began = Instant::now();
    let mut stream = Streaming::new(b"", Some(reader), words(Transport::Sse), &bench.cells);
    assert_eq!(next(&mut stream).await, Ok(Some(Bytes::from_static(b": hb\n"))));
    assert_eq!(began.elapsed(), BEAT);
    push(&writer, "one;");
    assert_eq!(next(&mut stream).await, Ok(Some(Bytes::from_static(b"one;"))));
    assert_eq!(next(&mut stream).await, Ok(Some(Bytes::from_static(b": hb\n"))));
    assert_eq!(began.elapsed(), 2 * BEAT);

    let (bench, writer, reader) = self::bench();
    let mut stream = Streaming::new(b"", Some(reader), words(Transport::Text), &bench.cells);
    let mut silent = Box::pin(next(&mut stream));
    assert!(timeout(10 * BEAT, silent.as_mut()).await.is_err());
    push(&writer, "one\n");
    assert_eq!(silent.await, Ok(Some(Bytes::from_static(b"one\n"))));
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_source_hears_why_and_is_cut() {
    let (bench, _writer, _reader) = bench();
    let why = Bytes::from_static(b": overloaded\nretry: 5000\n");
    let mut stream = Streaming::new(&why, None, words(Transport::Sse), &bench.cells);
    assert_eq!(next(&mut stream).await, Ok(Some(why)));
    assert_eq!(next(&mut stream).await, Err(()));
}

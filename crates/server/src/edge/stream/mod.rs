//! Streams on a connection that hyper owns: Server-Sent Events, NDJSON and bare payloads.
//!
//! The frames come through a pipe from a shard, as they would go to a socket there; hyper frames
//! them into chunks. What is to be read again ends with an error, so that hyper cuts the
//! connection without the last chunk.

#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_protocol::native::packing::{Packing, Powers};
use fanfare_protocol::native::reading::{Heartbeat, Transport};
use fanfare_protocol::native::{ndjson, sse};
use http_body::Frame;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::Aborted;
use super::rewound::Ending;
use crate::metrics::{self, EdgeCells};
use crate::pipe::{PipeItem, PipeReader};

/// Bytes that are given to hyper at once, if so many are waiting.
const PART_BYTES: usize = 64 * 1024;

/// How long the last words before a cut have to leave this machine.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A stream as hyper pulls it.
pub(super) struct Streaming {
    step: Pin<Box<dyn Future<Output = (Reader, Step)> + Send>>,
    over: bool,
}

/// What a stream is written in.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// What carries it.
    pub transport: Transport,
    /// What is said when nothing else is.
    pub heartbeat: Heartbeat,
    /// How its body is packed.
    pub packing: Packing,
    /// When a drained reader is told to come back.
    pub drain_retry: Duration,
    /// How it is cut.
    pub cut: Cut,
}

/// How a stream ends on its socket.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    /// The last chunk is missing: HTTP/1.1.
    Unfinished,
    /// By a reset, since a close would be a regular end: HTTP/1.0.
    Reset(Ending),
}

/// The state between two steps.
struct Reader {
    /// None for a stream that is refused.
    pipe: Option<PipeReader>,
    words: Words,
    /// What is still to be said before `next`.
    opening: Bytes,
    next: Next,
    powers: Powers,
    beat_at: Instant,
    /// Counts the stream while it lives.
    _counted: metrics::Counted,
    cells: Arc<EdgeCells>,
}

#[derive(Debug)]
enum Next {
    /// Whatever the pipe brings.
    Read,
    /// The end, after what was said last.
    End,
    /// The cut, after what was said last.
    Abort,
}

enum Step {
    Part(Bytes),
    Cut,
    End,
}

impl Streaming {
    /// The stream that begins with `opening` and goes on with what `pipe` brings; without a pipe
    /// it is cut after the opening, which is how an `EventSource` is refused for now.
    pub(super) fn new(
        opening: &[u8],
        pipe: Option<PipeReader>,
        mut words: Words,
        cells: &Arc<EdgeCells>,
    ) -> Self {
        let mut packed = Vec::with_capacity(opening.len() + 32);
        words.packing.begin(&mut packed);
        words.packing.append(&mut packed, opening);
        let counted = cells.enter(transport_of(&words.transport));
        let next = if pipe.is_some() { Next::Read } else { Next::Abort };
        let reader = Reader {
            beat_at: Instant::now() + words.heartbeat.every,
            pipe,
            words,
            opening: packed.into(),
            next,
            powers: Powers::default(),
            _counted: counted,
            cells: Arc::clone(cells),
        };
        Self { step: Box::pin(reader.step()), over: false }
    }

    /// The next part.
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let (reader, step) = ready!(self.step.as_mut().poll(context));
        Poll::Ready(match step {
            Step::Part(part) => {
                self.step = Box::pin(reader.step());
                Some(Ok(Frame::data(part)))
            }
            Step::Cut => {
                self.over = true;
                if let Cut::Reset(ending) = &reader.words.cut {
                    ending.reset();
                }
                Some(Err(Aborted))
            }
            Step::End => {
                self.over = true;
                None
            }
        })
    }
}

impl Reader {
    async fn step(mut self) -> (Self, Step) {
        if !self.opening.is_empty() {
            let opening = std::mem::take(&mut self.opening);
            return (self, Step::Part(opening));
        }
        loop {
            match std::mem::replace(&mut self.next, Next::Read) {
                Next::End => return self.end(),
                Next::Abort => {
                    // hyper writes what it was given while this waits, and not after the error.
                    sleep(LAST_WORDS).await;
                    return (self, Step::Cut);
                }
                Next::Read => {}
            }
            let Some(pipe) = &self.pipe else {
                return (self, Step::Cut);
            };
            let part = match timeout_at(self.beat_at, pipe.next()).await {
                Ok(item) => self.gather(item),
                Err(_silence) => self.beat(),
            };
            self.beat_at = Instant::now() + self.words.heartbeat.every;
            if !part.is_empty() {
                return (self, Step::Part(part));
            }
        }
    }

    /// Writes `first` and what waits behind it.
    fn gather(&mut self, first: Option<PipeItem>) -> Bytes {
        let first = match first {
            Some(PipeItem::Frame { body, sum, .. }) => {
                self.words.packing.join(sum, &mut self.powers);
                body
            }
            other => {
                let mut out = Vec::new();
                self.write(other, &mut out);
                return out.into();
            }
        };
        self.cells.wrote(first.len());
        let mut part = BytesMut::new();
        let mut whole = first;
        while whole.len() + part.len() < PART_BYTES {
            match self.pipe.as_ref().and_then(PipeReader::try_next) {
                None => break,
                Some(Some(PipeItem::Frame { body, sum, .. })) => {
                    self.words.packing.join(sum, &mut self.powers);
                    self.cells.wrote(body.len());
                    if part.is_empty() {
                        part.extend_from_slice(&std::mem::take(&mut whole));
                    }
                    part.extend_from_slice(&body);
                }
                Some(other) => {
                    let mut out = Vec::new();
                    self.write(other, &mut out);
                    part.extend_from_slice(&std::mem::take(&mut whole));
                    part.extend_from_slice(&out);
                    break;
                }
            }
        }
        // One frame alone is passed on as it is, shared with every other reader.
        if part.is_empty() { whole } else { part.freeze() }
    }

    /// Writes what is no frame, and decides how to go on.
    fn write(&mut self, item: Option<PipeItem>, out: &mut Vec<u8>) {
        let mut part = Vec::new();
        match item {
            // Frames are gathered, and a stream begins once: what comes before it was read already.
            Some(PipeItem::Frame { .. } | PipeItem::Opened { .. }) => {}
            Some(PipeItem::Notice(words)) => part.extend_from_slice(&words),
            Some(PipeItem::Gap { gap, cursor }) => self.gap(&mut part, &gap, &cursor),
            Some(PipeItem::End { channel, cursor, .. }) => {
                self.end_of(&mut part, &channel, &cursor);
            }
            Some(PipeItem::Finished) => self.next = Next::End,
            Some(PipeItem::Drain) => {
                if self.words.transport == Transport::Sse {
                    sse::append_retry(&mut part, self.words.drain_retry);
                }
                self.next = Next::Abort;
            }
            Some(PipeItem::Disconnect(_) | PipeItem::Refused(_)) | None => self.next = Next::Abort,
        }
        self.words.packing.append(out, &part);
    }

    fn gap(&self, out: &mut Vec<u8>, gap: &Gap, cursor: &Cursor) {
        match self.words.transport {
            Transport::Sse => sse::append_gap(out, gap, cursor),
            Transport::Ndjson => ndjson::append_gap(out, gap, cursor),
            Transport::Text | Transport::Poll { .. } | Transport::WebSocket(_) => {}
        }
    }

    fn end_of(&self, out: &mut Vec<u8>, channel: &ChannelName, cursor: &Cursor) {
        match self.words.transport {
            Transport::Sse => sse::append_end(out, channel, cursor),
            Transport::Ndjson => ndjson::append_end(out, channel, cursor),
            Transport::Text | Transport::Poll { .. } | Transport::WebSocket(_) => {}
        }
    }

    fn beat(&mut self) -> Bytes {
        let beat: &'static [u8] = match self.words.transport {
            Transport::Sse => sse::heartbeat(self.words.heartbeat.form),
            Transport::Ndjson => ndjson::KEEPALIVE,
            Transport::Text | Transport::Poll { .. } | Transport::WebSocket(_) => b"",
        };
        if self.words.packing == Packing::Plain {
            return Bytes::from_static(beat);
        }
        let mut out = Vec::new();
        self.words.packing.append(&mut out, beat);
        out.into()
    }

    /// The end, behind what a packed body ends with.
    fn end(mut self) -> (Self, Step) {
        let mut out = Vec::new();
        std::mem::take(&mut self.words.packing).finish(&mut out);
        if out.is_empty() {
            return (self, Step::End);
        }
        self.next = Next::End;
        (self, Step::Part(out.into()))
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("over", &self.over).finish_non_exhaustive()
    }
}

/// What a stream is counted as.
fn transport_of(transport: &Transport) -> metrics::Transport {
    match transport {
        Transport::Sse => metrics::Transport::Sse,
        Transport::Ndjson => metrics::Transport::Ndjson,
        Transport::Text => metrics::Transport::Raw,
        Transport::Poll { .. } => metrics::Transport::Poll,
        Transport::WebSocket(_) => metrics::Transport::WebSocket,
    }
}

//! Where the core puts frames: one write for each visit of a connection.

use bytes::Bytes;
use fanfare_core::cursor::Cursor;
use fanfare_core::feed::{Entry, Run};
use fanfare_core::frame::Format;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::{ConnectionId, Delivery, Room, Sink};
use fanfare_protocol::native::chunk::Framing;
use fanfare_protocol::native::encode::{append_composed, append_frame};
use fanfare_protocol::native::packing::Packing;

use super::connection::{Connection, Link, State};
use super::output::Pending;
use super::sockets::{SCRATCH_BYTES, Sockets};

const NOTHING: Delivery = Delivery { taken: 0, room: Room::Full };

/// How a connection's frames look on its wire.
#[derive(Debug, Clone, Copy)]
struct Wire {
    format: Format,
    framing: Framing,
    session: SessionId,
    packing: Packing,
}

impl Sink for Sockets {
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery {
        let Some(place) = self.slab.find_mut(connection) else {
            return NOTHING;
        };
        if place.pending.is_some() {
            place.marks.told_full = true;
            return NOTHING;
        }
        let wire = match &place.state {
            State::Pipe(piped) => {
                let (format, session) = (piped.format, piped.session);
                let packing = Packing::of(format);
                let wire = Wire { format, framing: Framing::Bare, session, packing };
                return self.deliver_to_pipe(connection, &run, wire);
            }
            State::Stream(stream) => Wire {
                format: stream.format,
                framing: stream.framing(),
                session: stream.session,
                packing: stream.packing,
            },
            State::Socket(session) if !session.is_closing() => Wire {
                format: session.format(),
                framing: Framing::Chunked,
                session: session.id(),
                packing: Packing::Plain,
            },
            _ => return NOTHING,
        };
        self.deliver_to_socket(connection, &run, wire)
    }
}

impl Sockets {
    fn deliver_to_socket(&mut self, id: ConnectionId, run: &Run<'_>, wire: Wire) -> Delivery {
        let mut cursor = run.cursor().cloned();
        if let Some(frame) = self.only_large(run, wire) {
            return self.deliver_large(id, run, frame, cursor.as_mut(), wire);
        }
        self.gather(run, cursor.as_mut(), wire);
        let Some(place) = self.slab.find_mut(id) else {
            return NOTHING;
        };
        let written = match self.scratch.as_slice() {
            [] => Ok(Some(0)),
            bytes => place.link.write(bytes, &mut self.sealing),
        };
        let Ok(written) = written else {
            self.gone.push(id);
            return NOTHING;
        };
        let written = written.unwrap_or(0);
        let whole = self.ends.partition_point(|end| *end <= written);
        let full = written < self.scratch.len();
        let mut taken = if full && written == 0 { 0 } else { whole };
        if full {
            place.marks.told_full = true;
            let begun = taken.checked_sub(1).map_or(0, |last| self.ends[last]);
            if written > begun && taken < self.ends.len() {
                let end = self.ends[taken];
                let rest = match run.entries().nth(taken) {
                    // A frame as it is in the feed is pinned; only one of the reader's own is
                    // copied, and that is a small one.
                    Some(entry) if is_shared(entry, cursor.as_ref(), wire) => {
                        entry.frame.bytes().slice(written - begun..)
                    }
                    _ => Bytes::copy_from_slice(&self.scratch[written..end]),
                };
                place.pending = Some(Box::new(Pending::rest_of_frame(rest)));
                taken += 1;
            }
        }
        self.pass(id, wire, taken);
        self.count(id, run, wire.format, (taken, written));
        let room = if full { Room::Full } else { Room::More };
        Delivery { taken, room }
    }

    /// Takes note of what has gone, or will go, over a stream that is packed.
    fn pass(&mut self, id: ConnectionId, wire: Wire, taken: usize) {
        if wire.packing.sums()
            && let Some(last) = taken.checked_sub(1).and_then(|last| self.packings.get(last))
            && let Some(place) = self.slab.find_mut(id)
            && let State::Stream(stream) = &mut place.state
        {
            stream.packing = *last;
        }
    }

    /// The first frame, if it is too large to be gathered with others.
    fn only_large<'a>(&self, run: &Run<'a>, wire: Wire) -> Option<&'a Entry> {
        let first = run.entries().next()?;
        let large = first.frame.bytes().len() > LARGE_BYTES;
        (large && first.exclude != Some(wire.session)).then_some(first)
    }

    /// Fills the scratch buffer with frames up to its size, the first one in any case.
    fn gather(&mut self, run: &Run<'_>, mut cursor: Option<&mut Cursor>, wire: Wire) {
        self.scratch.clear();
        self.ends.clear();
        self.packings.clear();
        let mut packing = wire.packing;
        for entry in run.entries() {
            let bytes = entry.frame.bytes().len();
            if !self.ends.is_empty()
                && (bytes > LARGE_BYTES || self.scratch.len() + bytes > SCRATCH_BYTES)
            {
                return;
            }
            if entry.exclude != Some(wire.session) {
                let begin = self.scratch.len();
                append_entry(&mut self.scratch, entry, cursor.as_deref_mut(), wire);
                if packing.sums() {
                    let sent = self.scratch.get(begin..).unwrap_or_default();
                    packing.pass(&entry.frame, sent, wire.framing, &mut self.powers);
                }
            } else if let (Some(cursor), Some(after)) = (cursor.as_deref_mut(), entry.after) {
                cursor.set(after);
            }
            self.ends.push(self.scratch.len());
            if packing.sums() {
                self.packings.push(packing);
            }
        }
    }

    /// Writes one large frame, alone. What there is no room for pins the frame, and copies only
    /// what is the reader's own of it.
    fn deliver_large(
        &mut self,
        id: ConnectionId,
        run: &Run<'_>,
        entry: &Entry,
        cursor: Option<&mut Cursor>,
        wire: Wire,
    ) -> Delivery {
        let mut packing = wire.packing;
        let parts = if is_shared(entry, cursor.as_deref(), wire) {
            packing.pass(&entry.frame, entry.frame.bytes(), wire.framing, &mut self.powers);
            vec![entry.frame.bytes().clone()]
        } else {
            self.scratch.clear();
            append_entry(&mut self.scratch, entry, cursor, wire);
            packing.pass(&entry.frame, &self.scratch, wire.framing, &mut self.powers);
            let parts = split_around(&self.scratch, entry, wire);
            self.scratch.clear();
            self.scratch.shrink_to(SCRATCH_BYTES);
            parts
        };
        let Some(place) = self.slab.find_mut(id) else {
            return NOTHING;
        };
        let total: usize = parts.iter().map(Bytes::len).sum();
        let mut pending = Pending::parts_of_frame(parts);
        let Ok((written, _)) = place.link.write_pending(&mut pending, &mut self.sealing) else {
            self.gone.push(id);
            return NOTHING;
        };
        let full = written < total;
        let taken = usize::from(written > 0 || total == 0);
        if full {
            place.marks.told_full = true;
            if taken > 0 {
                place.pending = Some(Box::new(pending));
            }
        }
        self.packings.clear();
        self.packings.push(packing);
        self.pass(id, wire, taken);
        self.count(id, run, wire.format, (taken, written));
        let room = if full { Room::Full } else { Room::More };
        Delivery { taken, room }
    }

    fn deliver_to_pipe(&mut self, id: ConnectionId, run: &Run<'_>, wire: Wire) -> Delivery {
        let mut cursor = run.cursor().cloned();
        let Some(Connection { link: Link::Pipe(pipe), marks, .. }) = self.slab.find_mut(id) else {
            return NOTHING;
        };
        let mut taken = 0;
        for entry in run.entries() {
            let body = match (&mut cursor, entry.after) {
                _ if entry.exclude == Some(wire.session) => Bytes::new(),
                (Some(cursor), Some(after)) => {
                    cursor.set(after);
                    self.scratch.clear();
                    let out = &mut self.scratch;
                    append_composed(out, &entry.frame, wire.format, cursor, wire.framing);
                    Bytes::copy_from_slice(out)
                }
                _ => entry.frame.body(),
            };
            let mut packing = wire.packing;
            packing.pass(&entry.frame, &body, wire.framing, &mut self.powers);
            let (sum, after) = (packing.sum(), entry.after);
            if !body.is_empty() && pipe.push_frame(body, sum, after).is_err() {
                marks.told_full = true;
                return Delivery { taken, room: Room::Full };
            }
            self.figures.observe(wire.format, self.now.unix.saturating_sub(entry.time));
            taken += 1;
        }
        let room = Room::More;
        Delivery { taken, room }
    }

    fn count(
        &mut self,
        id: ConnectionId,
        run: &Run<'_>,
        format: Format,
        (taken, written): (usize, usize),
    ) {
        self.figures.written_bytes += written as u64;
        for entry in run.entries().take(taken) {
            let delay = self.now.unix.saturating_sub(entry.time);
            self.figures.observe(format, delay);
        }
        // A stream that says something needs no heartbeat; the deadline only moves away, which
        // costs nothing. WebSockets are pinged in any case, because a ping asks for an answer.
        let tick = self.tick();
        if let Some(place) = self.slab.find_mut(id)
            && let State::Stream(stream) = &place.state
            && !place.marks.draining
            && !place.marks.asking
        {
            let millis = u64::try_from(stream.beat_every().as_millis()).unwrap_or(u64::MAX);
            let ticks = millis / super::wheel::TICK_MILLIS;
            place.due = tick.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
        }
    }
}

/// Whether the reader is sent the frame's own bytes.
fn is_shared(entry: &Entry, cursor: Option<&Cursor>, wire: Wire) -> bool {
    wire.framing == Framing::Chunked && (cursor.is_none() || entry.after.is_none())
}

fn append_entry(out: &mut Vec<u8>, entry: &Entry, cursor: Option<&mut Cursor>, wire: Wire) {
    match (cursor, entry.after) {
        (Some(cursor), Some(after)) => {
            cursor.set(after);
            append_composed(out, &entry.frame, wire.format, cursor, wire.framing);
        }
        _ if wire.framing == Framing::Chunked => out.extend_from_slice(entry.frame.bytes()),
        _ => append_frame(out, &entry.frame, wire.framing),
    }
}

/// A frame of the reader's own as three parts, of which the middle one is shared with the feed.
fn split_around(composed: &[u8], entry: &Entry, wire: Wire) -> Vec<Bytes> {
    let shared = entry.frame.shared();
    let before = match wire.framing {
        Framing::Chunked => composed.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        Framing::Bare => 0,
    };
    let after = before + shared.len();
    match (composed.get(..before), composed.get(after..)) {
        (Some(head), Some(tail)) if composed.get(before..after) == Some(shared) => vec![
            Bytes::copy_from_slice(head),
            entry.frame.bytes().slice_ref(shared),
            Bytes::copy_from_slice(tail),
        ],
        _ => vec![Bytes::copy_from_slice(composed)],
    }
}

/// Frames larger than this are written alone, from where they are.
const LARGE_BYTES: usize = 16 * 1024;

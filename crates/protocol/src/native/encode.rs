//! Publications to frames, for every wire format: the encoder that the core is given.

use bytes::Bytes;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::frame::{Format, Frame, Told};
use fanfare_core::position::Offset;
use fanfare_core::publication::{Data, Publication};

use crate::native::chunk::{CHUNK_END, Framing, append_chunk_head};
use crate::native::{cursor, envelope, sse};

/// What a WebSocket frame of the server carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Encodes one entry of a feed. Frames of SSE, NDJSON and text carry the framing of an HTTP/1.1
/// chunk around their body, frames of WebSockets their header inside of it. What a format has no
/// words for is an empty frame.
#[must_use]
pub fn encode(told: Told<'_>, format: Format) -> Frame {
    match format {
        Format::Sse | Format::SseChannel | Format::SseEnvelope => encode_sse(told, format),
        Format::Ndjson => encode_ndjson(told),
        Format::Text => encode_text(told),
        Format::WebSocketRaw => encode_raw(told),
        Format::WebSocketV1 => encode_v1(told),
    }
}

/// Appends a frame for a reader that composes its cursor: the shared part, then a tail with
/// `cursor`, which has this frame's entry in it already. For a frame without an entry (`ttl=0`),
/// whose tail has no cursor, the frame's own bytes are the right ones; see [`append_frame`].
pub fn append_composed(
    out: &mut Vec<u8>,
    frame: &Frame,
    format: Format,
    cursor: &Cursor,
    framing: Framing,
) {
    let shared = frame.shared();
    if !format.composes() || shared.is_empty() {
        return append_frame(out, frame, framing);
    }
    let tail = Tail::of(format, shared);
    if framing == Framing::Chunked {
        append_chunk_head(out, shared.len() + tail.bytes(cursor));
    }
    out.extend_from_slice(shared);
    tail.append(out, cursor);
    if framing == Framing::Chunked {
        out.extend_from_slice(CHUNK_END);
    }
}

/// What stands around the cursor in a composed tail, once or twice.
#[derive(Debug, Clone, Copy)]
struct Tail {
    before: &'static [u8],
    between: Option<&'static [u8]>,
    behind: &'static [u8],
}

impl Tail {
    /// The tail behind this shared part. An envelope inside of an SSE block has the cursor too;
    /// its shared part ends within the `data:` line, and that of a gap or an end behind it.
    fn of(format: Format, shared: &[u8]) -> Self {
        match format {
            Format::Ndjson => {
                Self { before: envelope::CURSOR_OPEN, between: None, behind: b"\"}\n" }
            }
            Format::SseEnvelope if !shared.ends_with(b"\n") => Self {
                before: envelope::CURSOR_OPEN,
                between: Some(b"\"}\nid: "),
                behind: sse::BLOCK_END,
            },
            _ => Self { before: sse::ID, between: None, behind: sse::BLOCK_END },
        }
    }

    fn bytes(self, cursor: &Cursor) -> usize {
        let text = cursor::cursor_bytes(cursor);
        let second = self.between.map_or(0, |between| between.len() + text);
        self.before.len() + text + second + self.behind.len()
    }

    fn append(self, out: &mut Vec<u8>, cursor: &Cursor) {
        out.extend_from_slice(self.before);
        cursor::append_cursor(out, cursor);
        if let Some(between) = self.between {
            out.extend_from_slice(between);
            cursor::append_cursor(out, cursor);
        }
        out.extend_from_slice(self.behind);
    }
}

/// Appends a frame as it is.
pub fn append_frame(out: &mut Vec<u8>, frame: &Frame, framing: Framing) {
    match framing {
        Framing::Chunked => out.extend_from_slice(frame.bytes()),
        Framing::Bare => out.extend_from_slice(&frame.body()),
    }
}

/// Appends the header of an unmasked WebSocket frame (RFC 6455 §5.2), whole and final.
pub fn append_websocket_header(out: &mut Vec<u8>, opcode: Opcode, bytes: usize) {
    out.push(match opcode {
        Opcode::Text => 0x81,
        Opcode::Binary => 0x82,
    });
    if let Ok(short @ 0..=125) = u8::try_from(bytes) {
        out.push(short);
    } else if let Ok(medium) = u16::try_from(bytes) {
        out.push(126);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(bytes as u64).to_be_bytes());
    }
}

fn encode_sse(told: Told<'_>, format: Format) -> Frame {
    let mut draft = FrameDraft::new(&told);
    match told {
        Told::Publication(publication, prev) => {
            match format {
                Format::SseEnvelope => return encode_sse_envelope(draft, publication, prev),
                Format::SseChannel => {
                    sse::append_event(&mut draft.body, publication.channel.as_str());
                    sse::append_data(&mut draft.body, &publication.content);
                }
                _ => {
                    if let Some(event) = publication.content.event() {
                        sse::append_event(&mut draft.body, event);
                    }
                    sse::append_data(&mut draft.body, &publication.content);
                }
            }
            draft.tail(own_entry(publication));
        }
        Told::Gap(gap) => {
            sse::append_gap_block(&mut draft.body, gap);
            draft.tail(Some(envelope::entry_after(gap)));
        }
        Told::End(channel, entry) => {
            sse::append_end_block(&mut draft.body, channel);
            draft.tail(Some(entry));
        }
    }
    draft.chunked()
}

/// Here the tail begins within the `data:` line: the envelope's own cursor, then the id.
fn encode_sse_envelope(mut draft: FrameDraft, publication: &Publication, prev: Offset) -> Frame {
    let entry = own_entry(publication);
    draft.body.extend_from_slice(sse::DATA);
    envelope::append_message(&mut draft.body, publication, prev);
    let shared = draft.body.len();
    envelope::append_own_tail(&mut draft.body, entry);
    draft.body.push(b'\n');
    draft.tail(entry);
    if entry.is_some() {
        draft.tail = shared;
    }
    draft.chunked()
}

fn encode_ndjson(told: Told<'_>) -> Frame {
    let mut draft = FrameDraft::new(&told);
    append_object(&mut draft.body, told);
    draft.tail = draft.body.len();
    envelope::append_own_tail(&mut draft.body, own_entry_of(told));
    draft.body.push(b'\n');
    if own_entry_of(told).is_none() {
        draft.tail = draft.body.len();
    }
    draft.chunked()
}

/// A payload and one line feed; line breaks of its own stay, so that payloads of several lines
/// cannot be told apart.
fn encode_text(told: Told<'_>) -> Frame {
    let Told::Publication(publication, _) = told else {
        return Frame::default();
    };
    let mut draft = FrameDraft::new(&told);
    match &publication.content.data {
        Data::Text(bytes) | Data::Json(bytes) => draft.body.extend_from_slice(bytes),
        Data::Binary(bytes) => envelope::append_base64(&mut draft.body, bytes),
    }
    draft.body.push(b'\n');
    draft.tail = draft.body.len();
    draft.chunked()
}

fn encode_raw(told: Told<'_>) -> Frame {
    let Told::Publication(publication, _) = told else {
        return Frame::default();
    };
    let opcode = match publication.content.data {
        Data::Text(_) | Data::Json(_) => Opcode::Text,
        Data::Binary(_) => Opcode::Binary,
    };
    let payload = publication.content.data.bytes();
    let mut bytes = Vec::with_capacity(payload.len() + HEADROOM);
    append_websocket_header(&mut bytes, opcode, payload.len());
    bytes.extend_from_slice(payload);
    Frame::whole(Bytes::from(bytes))
}

fn encode_v1(told: Told<'_>) -> Frame {
    let mut draft = FrameDraft::new(&told);
    append_object(&mut draft.body, told);
    envelope::append_own_tail(&mut draft.body, own_entry_of(told));
    let mut head = Vec::with_capacity(HEADROOM);
    append_websocket_header(&mut head, Opcode::Text, draft.length());
    Frame::whole(draft.with_head(&head))
}

/// Appends the object that NDJSON and `fanfare.v1` share, up to the cursor.
fn append_object(out: &mut Vec<u8>, told: Told<'_>) {
    match told {
        Told::Publication(publication, prev) => envelope::append_message(out, publication, prev),
        Told::Gap(gap) => envelope::append_gap(out, gap),
        Told::End(channel, _) => envelope::append_end(out, channel),
    }
}

fn own_entry_of(told: Told<'_>) -> Option<CursorEntry> {
    match told {
        Told::Publication(publication, _) => own_entry(publication),
        Told::Gap(gap) => Some(envelope::entry_after(gap)),
        Told::End(_, entry) => Some(entry),
    }
}

fn own_entry(publication: &Publication) -> Option<CursorEntry> {
    publication.position.map(|position| CursorEntry {
        hash: publication.channel.hash48(),
        position,
        ended: false,
    })
}

/// A frame being written: room for the framing in front, which is known when the body is.
struct FrameDraft {
    /// [`HEADROOM`] unused bytes, then the body.
    body: Vec<u8>,
    /// Where the reader's cursor begins, counted as in `body`.
    tail: usize,
}

impl FrameDraft {
    fn new(told: &Told<'_>) -> Self {
        let estimate = match told {
            Told::Publication(publication, _) => publication.content.weight() * 5 / 4 + 320,
            Told::Gap(_) | Told::End(..) => 320,
        };
        let mut body = Vec::with_capacity(HEADROOM + estimate);
        body.resize(HEADROOM, 0);
        Self { body, tail: HEADROOM }
    }

    /// Closes an SSE block: the `id:` line if there is one, then the empty line.
    fn tail(&mut self, entry: Option<CursorEntry>) {
        if let Some(entry) = entry {
            self.tail = self.body.len();
            self.body.extend_from_slice(sse::ID);
            cursor::append_entry(&mut self.body, entry);
            self.body.extend_from_slice(sse::BLOCK_END);
        } else {
            self.body.push(b'\n');
            self.tail = self.body.len();
        }
    }

    fn length(&self) -> usize {
        self.body.len() - HEADROOM
    }

    /// Puts a chunk around the body.
    fn chunked(mut self) -> Frame {
        let length = self.length();
        let mut head = Vec::with_capacity(HEADROOM);
        append_chunk_head(&mut head, length);
        self.body.extend_from_slice(CHUNK_END);
        let tail = self.tail - HEADROOM + head.len();
        let body = head.len()..head.len() + length;
        Frame::new(self.with_head(&head), body, tail)
    }

    /// The bytes with this head right in front of the body.
    fn with_head(mut self, head: &[u8]) -> Bytes {
        let start = HEADROOM.saturating_sub(head.len());
        if let Some(room) = self.body.get_mut(start..HEADROOM) {
            room.copy_from_slice(head);
        }
        Bytes::from(self.body).slice(start..)
    }
}

/// Bytes of the longest framing in front of a body: a chunk's size in 16 digits and a line end.
const HEADROOM: usize = 18;

//! Publications to frames, for every wire format: the encoder that the core is given.

use bytes::Bytes;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::frame::{Format, Frame};
use fanfare_core::position::Offset;
use fanfare_core::publication::{Data, Publication};

use crate::native::chunk::{CHUNK_END, Framing, append_chunk_head};
use crate::native::{cursor, envelope, packing, sse};

/// What a WebSocket frame of the server carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Encodes a publication, served after `prev`. Frames of SSE, NDJSON and text carry the framing of an HTTP/1.1
/// chunk around their body, frames of WebSockets their header inside of it. For a format that is
/// compressed this is the frame before that, for whoever has a compressor.
#[must_use]
pub fn encode(publication: &Publication, prev: Offset, format: Format) -> Frame {
    match format {
        Format::Sse | Format::SseChannel => encode_sse(publication, format),
        Format::SseEnvelope => encode_sse_envelope(publication, prev),
        Format::Ndjson => encode_ndjson(publication, prev),
        Format::Text => encode_text(publication),
        Format::WebSocketRaw => encode_raw(publication),
        Format::WebSocketV1 => encode_v1(publication, prev),
        Format::Compressed(compressed) => encode(publication, prev, compressed.plain()),
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
    let tail = Tail::of(format);
    let tail_bytes = tail.bytes(cursor);
    if framing == Framing::Chunked {
        let head_bytes = packing::tail_head_bytes(format.coding());
        append_chunk_head(out, shared.len() + head_bytes + tail_bytes);
    }
    out.extend_from_slice(shared);
    if let Some(coding) = format.coding() {
        packing::append_tail_head(out, coding, tail_bytes);
    }
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
    /// The tail of a format. An envelope inside of an SSE block has the cursor too.
    fn of(format: Format) -> Self {
        match format.plain() {
            Format::Ndjson => {
                Self { before: envelope::CURSOR_OPEN, between: None, behind: b"\"}\n" }
            }
            Format::SseEnvelope => Self {
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

fn encode_sse(publication: &Publication, format: Format) -> Frame {
    let mut draft = FrameDraft::new(publication);
    let event = match format {
        Format::SseChannel => Some(publication.channel.as_str()),
        _ => publication.content.event(),
    };
    if let Some(event) = event {
        sse::append_event(&mut draft.body, event);
    }
    sse::append_data(&mut draft.body, &publication.content);
    draft.tail(own_entry(publication));
    draft.chunked()
}

/// Here the tail begins within the `data:` line: the envelope's own cursor, then the id.
fn encode_sse_envelope(publication: &Publication, prev: Offset) -> Frame {
    let mut draft = FrameDraft::new(publication);
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

fn encode_ndjson(publication: &Publication, prev: Offset) -> Frame {
    let entry = own_entry(publication);
    let mut draft = FrameDraft::new(publication);
    envelope::append_message(&mut draft.body, publication, prev);
    let shared = draft.body.len();
    envelope::append_own_tail(&mut draft.body, entry);
    draft.body.push(b'\n');
    draft.tail = if entry.is_some() { shared } else { draft.body.len() };
    draft.chunked()
}

/// A payload and one line feed; line breaks of its own stay, so that payloads of several lines
/// cannot be told apart.
fn encode_text(publication: &Publication) -> Frame {
    let mut draft = FrameDraft::new(publication);
    match &publication.content.data {
        Data::Text(bytes) | Data::Json(bytes) => draft.body.extend_from_slice(bytes),
        Data::Binary(bytes) => envelope::append_base64(&mut draft.body, bytes),
    }
    draft.body.push(b'\n');
    draft.tail = draft.body.len();
    draft.chunked()
}

fn encode_raw(publication: &Publication) -> Frame {
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

fn encode_v1(publication: &Publication, prev: Offset) -> Frame {
    let mut draft = FrameDraft::new(publication);
    envelope::append_message(&mut draft.body, publication, prev);
    envelope::append_own_tail(&mut draft.body, own_entry(publication));
    let mut head = Vec::with_capacity(HEADROOM);
    append_websocket_header(&mut head, Opcode::Text, draft.length());
    Frame::whole(draft.with_head(&head))
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
    fn new(publication: &Publication) -> Self {
        let estimate = publication.content.weight() * 5 / 4 + 320;
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

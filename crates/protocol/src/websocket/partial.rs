//! What a decoder keeps while a frame or a fragmented message is only partly there.
//!
//! It exists from the first byte that could not be judged at once until nothing is open any
//! more. What it buffers has been received: at most twice the bytes of the message, and 139 of a
//! control frame with its head.

use super::decoder::{Event, Rules, control_event};
use super::frame::{
    Coding, Control, HEADER_BYTES_MAX, MessageKind, Opcode, Part, apply_mask, read_header,
    turn_mask,
};
use super::utf8;
use super::violation::Violation;

#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The first bytes of a head that is not yet whole.
    head: [u8; HEADER_BYTES_MAX],
    head_bytes: usize,
    frame: Option<OpenFrame>,
    /// The payload so far of an open control frame, unmasked.
    control: Vec<u8>,
    message: Option<OpenMessage>,
}

/// A frame whose head has been read.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    target: Target,
    /// As it applies to the next byte.
    mask: Option<[u8; 4]>,
    remaining_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Control(Control),
    Message(Part),
}

#[derive(Debug)]
struct OpenMessage {
    kind: MessageKind,
    coding: Coding,
    data: Vec<u8>,
    /// Of a text message: how much of `data` is whole, valid characters.
    valid_bytes: usize,
}

impl Partial {
    /// As [`super::Decoder::decode`].
    pub(super) fn advance(
        &mut self,
        input: &mut &[u8],
        rules: Rules,
    ) -> Result<Option<Event>, Violation> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.take_header(input, rules)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let frame = self.take_payload(input, frame, rules)?;
            if frame.remaining_bytes > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            self.frame = None;
            if let Some(event) = self.end_frame(frame.target)? {
                return Ok(Some(event));
            }
        }
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.is_at_frame_boundary() && self.message.is_none()
    }

    pub(super) const fn is_at_frame_boundary(&self) -> bool {
        self.head_bytes == 0 && self.frame.is_none()
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        let message_bytes = self.message.as_ref().map_or(0, |message| message.data.capacity());
        self.control.capacity() + message_bytes
    }

    pub(super) fn begun(&self) -> Option<&[u8]> {
        let message = self.message.as_ref()?;
        (message.coding == Coding::Plain).then_some(message.data.as_slice())
    }

    pub(super) fn expected_bytes(&self) -> usize {
        let begun = self.message.as_ref().map_or(0, |message| message.data.len());
        let announced = match self.frame {
            Some(OpenFrame { target: Target::Message(_), remaining_bytes, .. }) => remaining_bytes,
            _ => 0,
        };
        begun.saturating_add(announced)
    }

    fn take_header(
        &mut self,
        input: &mut &[u8],
        rules: Rules,
    ) -> Result<Option<OpenFrame>, Violation> {
        let mut head_bytes = self.head_bytes;
        for (place, byte) in self.head.iter_mut().skip(head_bytes).zip(input.iter()) {
            *place = *byte;
            head_bytes += 1;
        }
        let head = self.head.get(..head_bytes).unwrap_or(&self.head);
        let Some(header) = read_header(head, rules.role, rules.extension)? else {
            // A head that is not whole has fewer bytes than fit, so that all of them were taken.
            *input = &[];
            self.head_bytes = head_bytes;
            return Ok(None);
        };
        let taken = header.header_bytes.saturating_sub(self.head_bytes);
        *input = input.get(taken..).unwrap_or_default();
        self.head_bytes = 0;

        let begun = self.message.as_ref().map(|message| (message.data.len(), message.coding));
        let remaining_bytes = rules.check(&header, begun)?;
        let target = match header.opcode {
            Opcode::Control(control) => Target::Control(control),
            Opcode::Continuation => Target::Message(header.part),
            Opcode::Message(kind) => {
                let (coding, data) = (header.coding, Vec::new());
                self.message = Some(OpenMessage { kind, coding, data, valid_bytes: 0 });
                Target::Message(header.part)
            }
        };
        Ok(Some(OpenFrame { target, mask: header.mask, remaining_bytes }))
    }

    /// Takes what `input` has of the frame's payload; gives the frame without it.
    fn take_payload(
        &mut self,
        input: &mut &[u8],
        frame: OpenFrame,
        rules: Rules,
    ) -> Result<OpenFrame, Violation> {
        let available = frame.remaining_bytes.min(input.len());
        let Some((payload, rest)) = input.split_at_checked(available) else {
            return Ok(frame);
        };
        *input = rest;
        match (frame.target, self.message.as_mut()) {
            (Target::Message(part), Some(message)) => {
                let length_max = match part {
                    Part::Last => message.data.len() + frame.remaining_bytes,
                    Part::More => {
                        usize::try_from(rules.wire_bytes_max(message.coding)).unwrap_or(usize::MAX)
                    }
                };
                make_room(&mut message.data, payload.len(), length_max);
                append_unmasked(&mut message.data, payload, frame.mask);
                if message.is_plain_text() {
                    message.valid_bytes = utf8::extend_valid(&message.data, message.valid_bytes)?;
                }
            }
            // A message's frame has opened its message when its head was read.
            (Target::Message(_), None) => return Err(Violation::UnexpectedContinuation),
            (Target::Control(_), _) => append_unmasked(&mut self.control, payload, frame.mask),
        }
        Ok(OpenFrame {
            mask: frame.mask.map(|mask| turn_mask(mask, available)),
            remaining_bytes: frame.remaining_bytes - available,
            ..frame
        })
    }

    fn end_frame(&mut self, target: Target) -> Result<Option<Event>, Violation> {
        match target {
            Target::Control(control) => {
                control_event(control, std::mem::take(&mut self.control)).map(Some)
            }
            Target::Message(Part::More) => Ok(None),
            Target::Message(Part::Last) => {
                let Some(message) = self.message.take() else {
                    return Ok(None);
                };
                if message.is_plain_text() {
                    utf8::check_whole(&message.data, message.valid_bytes)?;
                }
                let OpenMessage { kind, coding, data, .. } = message;
                // Readers may hold a publication for long: what was reserved beyond it goes.
                let data = data.into_boxed_slice().into();
                Ok(Some(match coding {
                    Coding::Plain => Event::Message { kind, data },
                    Coding::Deflated => Event::Deflated { kind, data },
                }))
            }
        }
    }
}

impl OpenMessage {
    fn is_plain_text(&self) -> bool {
        self.kind == MessageKind::Text && self.coding == Coding::Plain
    }
}

/// Makes room for `incoming` more bytes: doubling, so that the time is linear however small the
/// pieces are, but never beyond `length_max`, the most that `data` can come to hold.
fn make_room(data: &mut Vec<u8>, incoming: usize, length_max: usize) {
    let needed = data.len() + incoming;
    if needed > data.capacity() {
        let target = needed.max(data.len() * 2).min(length_max.max(needed));
        data.reserve_exact(target - data.len());
    }
}

fn append_unmasked(data: &mut Vec<u8>, payload: &[u8], mask: Option<[u8; 4]>) {
    let start = data.len();
    data.extend_from_slice(payload);
    if let (Some(mask), Some(added)) = (mask, data.get_mut(start..)) {
        apply_mask(added, mask);
    }
}

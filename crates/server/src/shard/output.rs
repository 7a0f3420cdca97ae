//! What a socket had no room for.
//!
//! Most sockets have none of this. A reader that is slow pins the rest of at most one frame, and
//! behind it what it has to be told in between; while anything of that kind waits, nothing more is
//! read from it, so that asking without listening costs bounded memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes};

use super::wheel::Tick;

/// Bytes that wait for room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    parts: VecDeque<Bytes>,
    control: Control,
    /// When it was seen that something of it had gone, at first when it was seen at all.
    moved: Option<Tick>,
    moves: bool,
}

/// Whether something waits that is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Control {
    /// At most the rest of one frame.
    #[default]
    None,
    /// An answer, an event, a heartbeat.
    Waits,
}

impl Pending {
    /// The rest of a frame whose first bytes are on their way.
    pub(crate) fn rest_of_frame(rest: Bytes) -> Self {
        Self { parts: VecDeque::from([rest]), ..Self::default() }
    }

    /// The parts of a frame of which not all bytes are on their way.
    pub(crate) fn parts_of_frame(parts: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            parts: parts.into_iter().filter(|part| !part.is_empty()).collect(),
            ..Self::default()
        }
    }

    /// Adds what is no frame.
    pub(crate) fn push_control(&mut self, bytes: Bytes) {
        self.parts.push_back(bytes);
        self.control = Control::Waits;
    }

    /// Whether something waits that is no frame.
    pub(crate) fn control(&self) -> Control {
        self.control
    }

    /// Writes as much as there is room for. Says how many bytes went, and whether that is all.
    ///
    /// # Errors
    /// What the socket said, if it is gone.
    pub(crate) fn write_to(&mut self, socket: &mut impl Write) -> io::Result<(usize, Drained)> {
        let mut written = 0;
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(part);
                used += 1;
            }
            if used == 0 {
                return Ok((written, Drained::Whole));
            }
            match write_once(|| socket.write_vectored(slices.get(..used).unwrap_or_default()))? {
                None => return Ok((written, Drained::Part)),
                Some(bytes) => {
                    written += bytes;
                    self.advance(bytes);
                }
            }
        }
    }

    /// Whether nothing of it has gone for so long; to be asked with every heartbeat.
    pub(crate) fn is_stuck(&mut self, now: Tick, within: Tick) -> bool {
        match self.moved {
            Some(moved) if !self.moves => now.saturating_sub(moved) >= within,
            _ => {
                (self.moved, self.moves) = (Some(now), false);
                false
            }
        }
    }

    fn advance(&mut self, mut bytes: usize) {
        self.moves = true;
        while let Some(part) = self.parts.front_mut() {
            if bytes < part.len() {
                part.advance(bytes);
                return;
            }
            bytes -= part.len();
            self.parts.pop_front();
        }
    }
}

/// Whether everything that waited is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// It is.
    Whole,
    /// The socket is full again.
    Part,
}

/// Tries a write until it is not interrupted; none when the socket is full.
///
/// # Errors
/// What the socket said, if it is gone.
pub(crate) fn write_once(
    mut write: impl FnMut() -> io::Result<usize>,
) -> io::Result<Option<usize>> {
    loop {
        match write() {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Parts that go with one write.
const SLICES: usize = 16;

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use bytes::Bytes;

    use super::{Control, Drained, Pending};

    /// Takes `room` bytes, in writes of at most three.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(3).min(self.room);
            self.room -= taken;
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_move_is_stuck_and_a_byte_is_a_move() {
        let mut pending = Pending::rest_of_frame(Bytes::from_static(b"rest"));
        assert!(!pending.is_stuck(100, 10), "nobody knows since when");
        assert!(!pending.is_stuck(109, 10));
        assert!(pending.is_stuck(110, 10));
        let mut socket = Narrow { room: 1, taken: Vec::new() };
        pending.write_to(&mut socket).unwrap();
        assert!(!pending.is_stuck(111, 10));
        assert!(!pending.is_stuck(120, 10));
        assert!(pending.is_stuck(121, 10));
    }

    #[test]
    fn what_waits_goes_out_in_order_however_small_the_writes() {
        for room in 1..30 {
            let mut pending = Pending::rest_of_frame(Bytes::from_static(b"rest of a frame"));
            assert_eq!(pending.control(), Control::None);
            pending.push_control(Bytes::from_static(b"; pong"));
            assert_eq!(pending.control(), Control::Waits);
            let mut socket = Narrow { room, taken: Vec::new() };
            let mut rounds = 0;
            while pending.write_to(&mut socket).unwrap().1 == Drained::Part {
                socket.room = room;
                rounds += 1;
                assert!(rounds < 100);
            }
            assert_eq!(socket.taken, b"rest of a frame; pong");
        }
    }
}

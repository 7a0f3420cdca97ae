//! The client's end of a WebSocket: frames as bytes, and what they tell.

use super::Carrier;
use super::incoming::{Broken, Incoming};
use super::item::{Ending, Item, Message, read};

/// Frames on a connection that has been upgraded.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) incoming: Incoming,
}

/// A WebSocket that is read.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) frames: Frames,
    carrier: Carrier,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const MASK: [u8; 4] = [7, 0, 42, 255];

/// The header lines of a handshake that offers this subprotocol.
pub(super) fn upgrade(subprotocol: &str) -> String {
    format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {subprotocol}\r\n"
    )
}

impl Frames {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self { incoming }
    }

    /// A WebSocket on this target, upgraded.
    pub(crate) fn connect(address: &str, target: &str, subprotocol: &str) -> Self {
        let mut incoming = Incoming::connect(address);
        let upgrade = upgrade(subprotocol);
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n");
        incoming.send(request.as_bytes()).unwrap();
        let head = incoming.head().unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { incoming }
    }

    /// Sends one text frame. That the server has gone shows when its answer is read.
    pub(crate) fn send_text(&mut self, payload: &[u8]) {
        let _gone = self.send(TEXT, payload);
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Broken> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                frame.push(0xFF);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.incoming.send(&frame)
    }

    /// The next message's payload, or how it ended. Pings are answered.
    pub(crate) fn next(&mut self) -> Result<Vec<u8>, Ending> {
        loop {
            let (opcode, payload) = self.frame().map_err(|Broken| Ending::Cut)?;
            match opcode {
                TEXT | BINARY => return Ok(payload),
                CLOSE => {
                    let (code, reason) = payload.split_at(2);
                    let code = u16::from_be_bytes(code.try_into().unwrap());
                    let reason = String::from_utf8(reason.to_vec()).unwrap();
                    return Err(Ending::Closed(code, reason));
                }
                PING => self.send(PONG, &payload).map_err(|Broken| Ending::Cut)?,
                other => panic!("opcode {other}"),
            }
        }
    }

    fn frame(&mut self) -> Result<(u8, Vec<u8>), Broken> {
        let head = self.incoming.take(2)?;
        assert_eq!(head[0] & 0xF0, 0x80, "a whole frame without extensions");
        let length = match head[1] {
            126 => self.incoming.take(2)?,
            127 => self.incoming.take(8)?,
            short => vec![short],
        };
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        Ok((head[0] & 0x0F, self.incoming.take(length)?))
    }
}

impl Socket {
    pub(super) fn new(frames: Frames, carrier: Carrier) -> Self {
        Self { frames, carrier }
    }

    pub(super) fn next(&mut self) -> Item {
        loop {
            let data = match self.frames.next() {
                Ok(data) => data,
                Err(ending) => return Item::Ended(ending),
            };
            if self.carrier == Carrier::Raw {
                return Item::Message(Message { offset: None, prev: None, cursor: None, data });
            }
            if let Some(item) = read(&data) {
                return item;
            }
        }
    }
}

//! A WebSocket by hand: small text frames, nothing else.

use crate::server::Server;
use crate::wire::Wire;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    wire: Wire,
}

impl Socket {
    pub(super) fn open(server: &Server, target: &str, protocol: &str) -> Self {
        let mut wire = server.connect();
        let protocol = format!("Sec-WebSocket-Protocol: {protocol}");
        wire.ask(
            &format!("GET {target} HTTP/1.1"),
            &[
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                &protocol,
            ],
        );
        let answer = wire.until("\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        Self { wire }
    }

    /// Sends a text frame, masked with zeros.
    pub(super) fn send(&mut self, text: &str) {
        let length = u16::try_from(text.len()).unwrap();
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        if length < 126 {
            frame = vec![0x81, 0x80 | u8::try_from(length).unwrap(), 0, 0, 0, 0];
        }
        frame.extend(text.as_bytes());
        self.wire.send(frame);
    }

    /// The text of the next frame.
    pub(super) fn text(&mut self) -> String {
        let head = self.wire.take_bytes(2);
        assert_eq!(head[0], 0x81, "a whole text frame");
        let length = match head[1] {
            126 => {
                let length = self.wire.take_bytes(2);
                usize::from(length[0]) << 8 | usize::from(length[1])
            }
            length => usize::from(length),
        };
        self.wire.take(length)
    }
}

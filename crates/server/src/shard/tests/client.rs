//! A plain client: bytes out, bytes in, nothing in between.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use fanfare_protocol::websocket::{
    Decoder, Event, Frame, Inflater, MessageKind, Role, append_frame,
};

use super::PATIENCE;

pub(super) struct Client {
    pub socket: TcpStream,
    pub received: Vec<u8>,
    /// What the WebSocket has agreed on beside frames.
    pub extension: Option<String>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, received: Vec::new(), extension: None }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.socket.write_all(bytes).unwrap();
        self
    }

    /// Sends a request without a body.
    pub(super) fn get(&mut self, target: &str) -> &mut Self {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    pub(super) fn post(&mut self, channel: &str, body: &str) -> &mut Self {
        let bytes = body.len();
        let head =
            format!("POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bytes}");
        self.send(format!("{head}\r\n\r\n{body}").as_bytes())
    }

    /// Reads until this text has come, and gives everything up to its end.
    pub(super) fn expect(&mut self, text: &str) -> String {
        loop {
            let found =
                self.received.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(at) = found {
                let rest = self.received.split_off(at + text.len());
                let before = std::mem::replace(&mut self.received, rest);
                return String::from_utf8_lossy(&before).into_owned();
            }
            let count = self.read_more();
            assert!(
                count > 0,
                "closed before {text:?}: {:?}",
                String::from_utf8_lossy(&self.received)
            );
        }
    }

    /// Reads until the server closes, and gives all of it; says whether it was reset.
    pub(super) fn rest(&mut self) -> (String, bool) {
        let mut bytes = [0; 4096];
        let reset = loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => break false,
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break true,
                Err(error) => panic!("not closed: {error}"),
            }
        };
        let text = String::from_utf8_lossy(&self.received).into_owned();
        self.received.clear();
        (text, reset)
    }

    pub(super) fn read_more(&mut self) -> usize {
        let mut bytes = [0; 65_536];
        let count = self.socket.read(&mut bytes).unwrap();
        self.received.extend_from_slice(&bytes[..count]);
        count
    }

    pub(super) fn stop_sending(&mut self) -> &mut Self {
        self.socket.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Upgrades to a WebSocket, and gives the head of the answer.
    pub(super) fn upgrade(&mut self, target: &str, protocol: Option<&str>) -> String {
        let offered =
            protocol.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        self.upgrade_with(target, &offered)
    }

    /// The same, offering permessage-deflate so.
    pub(super) fn upgrade_offering(
        &mut self,
        target: &str,
        protocol: &str,
        offer: &str,
    ) -> &mut Self {
        let offered =
            format!("Sec-WebSocket-Protocol: {protocol}\r\nSec-WebSocket-Extensions: {offer}\r\n");
        let head = self.upgrade_with(target, &offered);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut lines = head.lines();
        let answer = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        self.extension = answer.map(str::to_owned);
        self
    }

    fn upgrade_with(&mut self, target: &str, offered: &str) -> String {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offered}\r\n"
        );
        self.send(request.as_bytes());
        self.expect("\r\n\r\n")
    }

    pub(super) fn say(&mut self, payload: &str) -> &mut Self {
        self.frame(&Frame::Message { kind: MessageKind::Text, payload: payload.as_bytes() })
    }

    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> &mut Self {
        let mut out = Vec::new();
        append_frame(&mut out, frame, Some([9, 8, 7, 6]));
        self.send(&out)
    }

    /// The next frame of the server.
    pub(super) fn event(&mut self) -> Event {
        self.frame_and_event().1
    }

    /// The next frame of the server as it came, and what it says.
    pub(super) fn frame_and_event(&mut self) -> (Vec<u8>, Event) {
        loop {
            // Decoded anew from the frame's first byte each time: a test has few.
            let mut decoder = Decoder::new(Role::Client, 1 << 24);
            if self.extension.is_some() {
                decoder = decoder.with_deflate();
            }
            let mut input = self.received.as_slice();
            if let Some(event) = decoder.decode(&mut input).unwrap() {
                let used = self.received.len() - input.len();
                let frame = self.received.drain(..used).collect();
                let Event::Deflated { kind, data } = event else { return (frame, event) };
                let data = decoder.inflate(&mut Inflater::new(), kind, &data).unwrap();
                return (frame, Event::Message { kind, data });
            }
            assert!(self.read_more() > 0, "closed without a close frame");
        }
    }

    /// The next text frame.
    pub(super) fn text(&mut self) -> String {
        match self.event() {
            Event::Message { data, .. } => String::from_utf8(data.to_vec()).unwrap(),
            other => panic!("no message: {other:?}"),
        }
    }

    /// The code and reason of the close frame, which has to come next.
    pub(super) fn closed(&mut self) -> (u16, String) {
        match self.event() {
            Event::Close { code, reason } => (code.map_or(1005, |code| code.number()), reason),
            other => panic!("not closed: {other:?}"),
        }
    }
}

//! WebSockets whose messages are deflated.

use fanfare_protocol::websocket::{Decoder, Inflater, MessageKind, Role};

use super::prose;
use crate::server::Server;
use crate::wire::header;

const UPGRADE: [&str; 5] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
];

const BEFORE: &str = "fanfare_compression_before_bytes_total{coding=\"deflate\"}";
const AFTER: &str = "fanfare_compression_after_bytes_total{coding=\"deflate\"}";

fn inflated(payload: &[u8]) -> String {
    let decoder = Decoder::new(Role::Client, 1 << 20).with_deflate();
    let text = decoder.inflate(&mut Inflater::new(), MessageKind::Text, payload).unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn shards_and_edge_agree_alike() {
    let server = Server::dev(&[("FANFARE_COMPRESSION__WEBSOCKET", "true")]);
    let edge = server.connect_to_edge("other");
    for (name, mut wire) in [("a shard", server.connect()), ("the edge", edge)] {
        wire.ask("GET /c/news HTTP/1.1", &UPGRADE);
        let head = wire.until("\r\n\r\n");
        let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(header(&head, "sec-websocket-extensions"), Some(agreed), "{name}: {head}");
        server.publish("news", "short");
        assert_eq!(wire.frame(), (0x81, b"short".to_vec()), "{name}");
        let text = prose(5_000);
        server.publish("news", &text);
        let (first, payload) = wire.frame();
        assert_eq!(first, 0xc1, "{name}");
        assert!(payload.len() < 1_000, "{name}: {} bytes", payload.len());
        assert_eq!(inflated(&payload), text, "{name}");
    }
    let mut wire = server.connect_to_edge("other");
    let (before, after) = (wire.figure(BEFORE), wire.figure(AFTER));
    assert!(before >= 10_000 && after < 2_000, "{after} of {before} bytes");
}

#[test]
fn it_is_off_unless_it_is_switched_on() {
    let server = Server::dev(&[]);
    let edge = server.connect_to_edge("other");
    for mut wire in [server.connect(), edge] {
        wire.ask("GET /c/news HTTP/1.1", &UPGRADE);
        let head = wire.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(header(&head, "sec-websocket-extensions"), None, "{head}");
        server.publish("news", &prose(5_000));
        assert_eq!(wire.frame(), (0x81, prose(5_000).into_bytes()));
    }
}

//! Behind a balancer of connections that says in front of TLS who is there: the PROXY header goes in
//! clear, the handshake begins behind it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::{Authority, VERSIONS};
use crate::cli::run::Folder;
use crate::proxied::configured;
use crate::server::Server;
use crate::wire::{End, Wire, frame};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header that names a client at 192.0.2.`place`.
fn from(place: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, place, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];
    [SIGNATURE, &[0x21, 0x11, 0, 12], &addresses].concat()
}

/// A server whose TLS port is behind a balancer.
pub(crate) struct Behind {
    pub(crate) server: Server,
    _file: Folder,
    authority: Authority,
    /// Of the TLS port.
    pub(crate) address: String,
}

impl Behind {
    /// One that believes these proxies, and lets each address read on one connection.
    pub(crate) fn start(trusted: &str) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("server", &["127.0.0.1", "localhost"]);
        let (server, file) = configured(&format!(
            "[proxies]\nprotocol = \"v2\"\ntrusted = [\"{trusted}\"]\n\
             [limits]\nconnections_per_address_max = 1\nrequest_head_timeout = \"2s\"\n\
             [tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = {certificate:?}\nkey = {key:?}\n"
        ));
        let (_, rest) = server.greeting().split_once("https://").unwrap();
        let address = rest.chars().take_while(|at| at.is_ascii_digit() || ".:".contains(*at));
        let address = address.collect();
        Self { server, _file: file, authority, address }
    }

    /// The certificate that clients believe.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.file()
    }

    /// A client's connection that begins with these bytes, sent in pieces, and goes on in TLS.
    fn connect(&self, version: usize, first: &[u8], piece: usize) -> Wire {
        let config = Arc::new(self.authority.client_config(&[VERSIONS[version]]));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let wire = Wire::secure(&self.address, ClientConnection::new(config, name).unwrap());
        let mut socket = wire.writer();
        socket.set_nodelay(true).unwrap();
        first.chunks(piece).for_each(|piece| socket.write_all(piece).unwrap());
        wire
    }
}

#[test]
fn a_header_in_front_of_the_handshake_names_the_client() {
    let behind = Behind::start("127.0.0.1");
    for (place, version, piece) in [(1, 0, 100), (2, 1, 100), (3, 1, 1)] {
        let connect = |place| behind.connect(version, &from(place), piece);
        let mut reader = connect(place);
        reader.ask("GET /c/a HTTP/1.1", &["Accept: text/event-stream"]);
        reader.until("fanfare.open");
        let comes_from = |place: u8| {
            let line = behind.server.line_with("a reader comes");
            assert!(line.contains(&format!("\"192.0.2.{place}\"")), "{line}");
        };
        comes_from(place);
        // Another client behind the same balancer has a connection of its own.
        let mut socket = connect(place + 100);
        socket.open_websocket("/c/b", &[]);
        socket.send(frame(0x81, b"hi"));
        assert_eq!(socket.frame(), (0x81, b"hi".to_vec()));
        comes_from(place + 100);
        // On the edge as well, with what TLS had read ahead.
        let mut publisher = connect(place + 200);
        assert!(publisher.post_chunked("a", "over the edge").starts_with("HTTP/1.1 200 "));
        reader.until("data: over the edge");
    }
}

#[test]
fn without_a_header_or_from_a_stranger_there_is_no_handshake() {
    for (trusted, first) in [("127.0.0.1", Vec::new()), ("192.0.2.0/24", from(1))] {
        let behind = Behind::start(trusted);
        let mut wire = behind.connect(1, &first, 100);
        // Words would stand where the handshake does: it is just closed.
        let (told, end) = wire.end();
        assert_eq!(told, "");
        assert!(matches!(end, End::Cut | End::Reset), "{end:?}");
        assert!(wire.client().is_handshaking());
    }
}

//! Certificates are replaced while clients come and go.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::Secure;
use crate::wire::Wire;

/// The certificate that a new client is shown.
fn shown(address: &str, config: &ClientConfig) -> Vec<u8> {
    // Without tickets, which would spare the server from showing any.
    let mut config = config.clone();
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut wire = Wire::secure(address, client);
    assert!(wire.post_chunked("shown", "x").starts_with("HTTP/1.1 200 "));
    wire.client().peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn a_certificate_is_replaced_under_load_and_nobody_is_refused() {
    let secure = Secure::start(&[]);
    let (address, config) = (secure.address.as_str(), secure.configs[1].as_ref());
    let before = shown(address, config);
    let mut kept = secure.connect();
    kept.open_websocket("/c/kept", &[]);
    let (done, connected) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Any failure ends the test.
                    shown(address, config);
                    connected.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (chain, key) = secure.authority.issue("next", &["127.0.0.1"]);
        let folder = secure.authority.folder.path();
        // First the one and a while later the other, as people do.
        fs::rename(&chain, folder.join("server.pem")).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        fs::rename(&key, folder.join("server.key")).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while shown(address, config) == before {
            assert!(Instant::now() < until, "the new certificate is not shown");
            std::thread::sleep(Duration::from_millis(200));
        }
        let at = connected.load(Ordering::Relaxed);
        while connected.load(Ordering::Relaxed) < at + 5 {
            assert!(Instant::now() < until, "nobody connects any more");
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
    });
    // Who was there before notices nothing.
    secure.server.publish("kept", "still here");
    assert_eq!(kept.frame(), (0x81, b"still here".to_vec()));
}

#[test]
fn a_scrape_tells_when_certificates_expire() {
    let secure = Secure::start(&[]);
    let path = secure.authority.folder.path().join("server.pem");
    let name =
        format!("fanfare_tls_certificate_expiry_seconds{{certificate=\"{}\"}}", path.display());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(secure.figure(&name) > now);
}

//! Keys at a URL: a new one is taken when it is first used, by whoever comes with it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{bearer, serve, status};
use crate::cli::run::{Folder, fanfare, finish};

/// A key: its PEM file, and itself in a set.
fn key(folder: &Folder, kid: &str) -> (String, String) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let private = STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref());
    let path = folder.path().join(kid);
    fs::write(
        &path,
        format!("-----BEGIN PRIVATE KEY-----\n{private}\n-----END PRIVATE KEY-----\n"),
    )
    .unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let jwk = format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"{kid}\",\"x\":\"{x}\"}}");
    (path.to_str().unwrap().to_owned(), jwk)
}

/// Serves what `set` holds, for as long as the test lives.
fn publish(set: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _head = socket.read(&mut [0; 4096]);
            let body = format!("{{\"keys\":[{}]}}", set.lock().unwrap());
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _gone = socket.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

#[test]
fn a_new_key_is_taken_when_it_is_first_used() {
    let folder = Folder::new();
    let ((old, first), (new, second)) = (key(&folder, "old"), key(&folder, "new"));
    let set = Arc::new(Mutex::new(first.clone()));
    let url = publish(Arc::clone(&set));
    let variables = [
        ("FANFARE_ISSUERS__ID__JWKS", url.as_str()),
        ("FANFARE_ISSUERS__ID__ISSUER", "https://id.example/"),
        ("FANFARE_ISSUERS__ID__AUDIENCE", "live"),
    ];
    let token = |path: &str, kid: &str| {
        let arguments = ["token", "new", "--key", path, "--kid", kid, "--subscribe", "news"];
        let outcome = finish(fanfare(&arguments).envs(variables).spawn().unwrap());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        bearer(outcome.text().trim())
    };
    let (by_old, by_new) = (token(&old, "old"), token(&new, "new"));
    let server = serve(&variables);
    let mut wire = server.connect();
    let line = "GET /c/news?poll=1 HTTP/1.1";
    assert_eq!(status(&mut wire, line, &[&by_old]), 200, "it waits for the first fetch if need be");
    *set.lock().unwrap() = format!("{first},{second}");
    // A stream on a shard, whose EventSource would never come back from a 401.
    let mut stream = server.connect();
    stream.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream", &by_new]);
    let head = stream.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(status(&mut wire, line, &[&by_new]), 200);
    assert_eq!(status(&mut wire, line, &[&by_old]), 200);
    assert_eq!(wire.figure("fanfare_issuer_keys_fetched_total{issuer=\"id\"}"), 2);

    let inspect = ["token", "inspect", by_new.strip_prefix("Authorization: Bearer ").unwrap()];
    let outcome = finish(fanfare(&inspect).envs(variables).spawn().unwrap());
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.text(), outcome.stderr);
    assert!(outcome.text().contains("form       ok      EdDSA, kid new"), "{}", outcome.text());
}

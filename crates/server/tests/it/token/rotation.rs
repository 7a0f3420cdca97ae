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
use crate::cli::run::{Folder, fanfare, finish, finish_telling};
use crate::wire::frame;

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
        let outcome = finish_telling(fanfare(&arguments).envs(variables).spawn().unwrap());
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

#[test]
fn a_connection_is_renewed_by_a_token_of_a_new_key() {
    for over_post in [false, true] {
        let folder = Folder::new();
        let ((old, first), (new, second)) = (key(&folder, "old"), key(&folder, "new"));
        let set = Arc::new(Mutex::new(first.clone()));
        let url = publish(Arc::clone(&set));
        let variables = [("FANFARE_ISSUERS__ID__JWKS", url.as_str())];
        let token = |path: &str, kid: &str| {
            let arguments = ["token", "new", "--key", path, "--kid", kid, "--sub", "ada"];
            let arguments = [&arguments[..], &["--subscribe", "news"]].concat();
            let outcome = finish_telling(fanfare(&arguments).envs(variables).spawn().unwrap());
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            outcome.text().trim().to_owned()
        };
        let (by_old, by_new) = (token(&old, "old"), token(&new, "new"));
        let server = serve(&variables);
        let mut wire = server.connect();
        if over_post {
            wire.ask("GET /c/news HTTP/1.1", &["Accept: application/x-ndjson", &bearer(&by_old)]);
            wire.until("\"session\":\"");
            let session = wire.take(35);
            *set.lock().unwrap() = format!("{first},{second}");
            let mut post = server.connect();
            let line = format!("POST /sessions/{session} HTTP/1.1");
            post.ask(&line, &[&bearer(&by_new), "Content-Length: 16"]);
            post.send("{\"refresh\":true}");
            let answer = post.answer();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        } else {
            let offer = format!("Sec-WebSocket-Protocol: fanfare.v1, bearer.{by_old}");
            wire.open_websocket("/c/news", &[&offer]);
            wire.frame();
            *set.lock().unwrap() = format!("{first},{second}");
            let refresh = format!("{{\"id\":1,\"type\":\"refresh\",\"token\":\"{by_new}\"}}");
            wire.send(frame(0x81, refresh.as_bytes()));
            wire.send(frame(0x81, b"{\"id\":2,\"type\":\"ping\"}"));
            for (id, has) in [(1, "\"expires_in\":"), (2, "\"type\":\"ok\"")] {
                let told = String::from_utf8(wire.frame().1).unwrap();
                let is_it = told.contains(&format!("\"id\":{id},")) && told.contains(has);
                assert!(is_it, "{told}");
            }
        }
        assert_eq!(server.connect().figure("fanfare_issuer_keys_fetched_total{issuer=\"id\"}"), 2);
    }
}

//! Publishers' keys, from the command to the server, and as the configuration is read again.

use std::fs;

use super::{SECRET, bearer, run, status, token};
use crate::cli::run::{Folder, fanfare};
use crate::server::Server;

/// A key and its table of the configuration.
fn made(arguments: &[&str]) -> (String, String) {
    let outcome = run(&[&["token", "keys"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let key = outcome.stderr.lines().find_map(|line| line.strip_prefix("  ")).unwrap().to_owned();
    let table = outcome.text();
    assert!(!table.contains(&key), "the configuration has its hash alone");
    (key, table)
}

#[test]
fn a_key_that_was_made_opens_what_its_table_says() {
    let (key, table) = made(&["backend", "--publish", "chat:**", "--publish", "news"]);
    let (other, _) = made(&["backend"]);
    let folder = Folder::new();
    let path = folder.path().join("fanfare.toml");
    let open = "[auth]\nanonymous_subscribe = true\n";
    fs::write(&path, format!("{open}{table}")).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", path.to_str().unwrap()];
    let server = Server::of(fanfare(&arguments));
    let mut wire = server.connect();
    let (held, unknown) = (bearer(&key), bearer(&other));
    let length = "Content-Length: 0";
    for (line, told) in [
        ("POST /c/chat:a:b HTTP/1.1", 200),
        ("POST /c/news HTTP/1.1", 200),
        ("POST /c/newsy HTTP/1.1", 403),
        ("POST /c/chat:a?end=1 HTTP/1.1", 403),
        ("DELETE /c/news HTTP/1.1", 403),
        ("GET /c/other?poll=1 HTTP/1.1", 200),
    ] {
        assert_eq!(status(&mut wire, line, &[&held, length]), told, "{line}");
        assert_eq!(status(&mut wire, line, &[&unknown, length]), 401, "{line}");
    }

    // The key goes and an issuer comes while everyone stays connected.
    let user = bearer(&token(&["--sub", "ada", "--publish", "news"]));
    let post = "POST /c/news HTTP/1.1";
    assert_eq!(status(&mut wire, post, &[&user, length]), 401);
    let issuer = format!("[issuers.app]\nsecret = \"{}\"\n", SECRET.1);
    fs::write(&path, format!("{open}{issuer}")).unwrap();
    let line = server.reload();
    assert!(line.contains("keys.backend") && line.contains("issuers.app"), "{line}");
    assert!(!line.contains(SECRET.1));
    // A shard hears of it by letter, in its own time.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while status(&mut wire, post, &[&user, length]) != 200 {
        assert!(std::time::Instant::now() < until, "the issuer is never known");
    }
    assert_eq!(status(&mut wire, post, &[&held, length]), 401, "the key is gone");
}

#[test]
fn what_makes_no_key_says_why() {
    for (arguments, words) in [
        (&["Backend"][..], "is no name"),
        (&["backend", "--publish", "user:{sub}"], "a key has no subject"),
        (&["backend", "--publish", ""], "at least one byte"),
    ] {
        let outcome = run(&[&["token", "keys"], arguments].concat());
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{arguments:?}: {}", outcome.stderr);
    }
}

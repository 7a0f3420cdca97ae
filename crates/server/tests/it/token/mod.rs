//! Tokens and keys as their holders meet them: made by the command, shown to a server, explained.

mod commands;
mod keys;
mod rotation;

use std::process::Command;

use crate::cli::run::{Outcome, fanfare, finish, finish_telling};
use crate::server::Server;
use crate::wire::Wire;

/// The secret of the issuer, as a variable.
pub(crate) const SECRET: (&str, &str) =
    ("FANFARE_ISSUERS__APP__SECRET", "tell-nobody: a secret of 32 bytes at least");

/// What a command with the secret in its environment left behind.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let child = fanfare(arguments).envs([SECRET]).spawn().unwrap();
    match arguments.get(1) {
        Some(&("new" | "keys")) => finish_telling(child),
        _ => finish(child),
    }
}

/// A token of the command.
pub(crate) fn token(arguments: &[&str]) -> String {
    let outcome = run(&[&["token", "new"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.text().trim().to_owned()
}

pub(crate) fn serve(variables: &[(&str, &str)]) -> Server {
    let mut command: Command = fanfare(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied());
    Server::of(command)
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// The status of an answer.
fn status(wire: &mut Wire, line: &str, headers: &[&str]) -> u16 {
    wire.ask(line, headers);
    let answer = wire.answer();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_token_opens_what_it_grants_and_nothing_else() {
    let server = serve(&[SECRET]);
    let ada = token(&[
        "--sub",
        "ada",
        "--subscribe",
        "chat:*",
        "--publish",
        "chat:lobby",
        "--history",
        "chat:lobby",
        "--subscribe",
        "user:{sub}:**",
        "--manage",
        "user:{sub}:**",
        "--publish",
        "user:{sub}:**",
    ]);
    let ada = bearer(&ada);
    let mut wire = server.connect();
    for (line, granted) in [
        ("POST /c/chat:lobby HTTP/1.1", 200),
        ("POST /c/chat:other HTTP/1.1", 403),
        ("POST /c/user:ada:a:b HTTP/1.1", 200),
        ("POST /c/user:bob:a HTTP/1.1", 403),
        ("POST /c/user:ada:a?end=1 HTTP/1.1", 200),
        ("POST /c/chat:lobby?end=1 HTTP/1.1", 403),
        ("GET /c/chat:lobby?poll=1 HTTP/1.1", 200),
        ("GET /c/chat:a:b?poll=1 HTTP/1.1", 403),
        ("GET /c/news?poll=1 HTTP/1.1", 403),
        ("GET /c/chat:lobby/history HTTP/1.1", 200),
        ("GET /c/chat:other/history HTTP/1.1", 403),
        ("GET /c/chat:lobby/presence HTTP/1.1", 403),
        ("DELETE /c/user:ada:a HTTP/1.1", 200),
        ("DELETE /c/chat:lobby HTTP/1.1", 403),
    ] {
        let length = if line.starts_with("POST") { "Content-Length: 0" } else { "Accept: */*" };
        assert_eq!(status(&mut wire, line, &[&ada, length]), granted, "{line}");
        assert_eq!(status(&mut wire, line, &[length]), 401, "without a token: {line}");
        let wrong = format!("{ada}A");
        assert_eq!(status(&mut wire, line, &[&wrong, length]), 401, "with a wrong one: {line}");
    }
    assert!(wire.figure("fanfare_tokens_remembered_total") >= 13, "its signature is checked once");
    assert_eq!(wire.figure("fanfare_tokens_verified_total"), 1);
    assert!(wire.figure("fanfare_tokens_refused_total{reason=\"signature\"}") >= 10);
}

#[test]
fn a_browsers_socket_shows_its_token_as_a_subprotocol() {
    let server = serve(&[SECRET]);
    let token = token(&["--subscribe", "chat:*", "--publish", "chat:lobby"]);
    let offer = format!("Sec-WebSocket-Protocol: fanfare.v1, bearer.{token}");
    let mut wire = server.connect();
    wire.open_websocket("/c/chat:lobby", &[&offer]);
    let (_, opened) = wire.frame();
    assert!(String::from_utf8_lossy(&opened).contains("\"type\":\"open\""));
    let mut refused = server.connect();
    refused.open_websocket("/c/news", &[&offer]);
    let (kind, closed) = refused.frame();
    assert_eq!((kind & 0x0f, u16::from_be_bytes([closed[0], closed[1]])), (8, 4003));
}

#[test]
fn in_dev_a_token_is_taken_at_its_word() {
    let server = Server::dev(&[SECRET]);
    let token = bearer(&token(&["--sub", "ada", "--publish", "chat:*"]));
    let mut wire = server.connect();
    let length = "Content-Length: 0";
    assert_eq!(status(&mut wire, "POST /c/news HTTP/1.1", &[length]), 200);
    assert_eq!(status(&mut wire, "POST /c/chat:a HTTP/1.1", &[&token, length]), 200);
    wire.ask("POST /c/news HTTP/1.1", &[&token, length]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("pattern chat:* does not cover news"), "{answer}");
}

#[test]
fn serve_tells_strangers_the_kind_of_check_and_its_log_the_rest_under_the_trace() {
    let server = serve(&[SECRET, ("FANFARE_ISSUERS__APP__LEEWAY", "0s")]);
    let expired = token(&["--sub", "ada", "--expires-in", "0s"]);
    let narrow = token(&["--sub", "ada", "--subscribe", "chat:*"]);
    let forged = format!("{}AAAA", &narrow[..narrow.len() - 4]);
    let narrow_told = "The token does not grant `subscribe` here.";
    for (token, told, logged) in [
        (&expired, "does not hold: it has expired.", "does not hold: expired "),
        (&forged, "does not hold: its signature is wrong.", "not that of a key of the issuer app"),
        (&narrow, narrow_told, "pattern chat:* does not cover news"),
    ] {
        let offer = format!("Sec-WebSocket-Protocol: fanfare.v1, bearer.{token}");
        let mut wire = server.connect();
        wire.ask("GET /c/news?poll=1 HTTP/1.1", &[&bearer(token)]);
        let answer = wire.answer();
        assert!(answer.contains(told) && !answer.contains(logged), "{answer}");
        let (_, trace) = answer.split_once("\"trace\":\"").unwrap();
        let line = server.line_with(trace.split('"').next().unwrap());
        assert!(line.contains(logged), "{line}");
        let mut socket = server.connect();
        socket.open_websocket("/c/news", &[&offer]);
        let reason = String::from_utf8(socket.frame().1[2..].to_vec()).unwrap();
        assert!(reason.contains(told), "{reason}");
        let (_, trace) = reason.split_once("(trace ").unwrap();
        let line = server.line_with(trace.trim_end_matches(')'));
        assert!(line.contains(logged) && !line.contains(token.as_str()), "{line}");
    }
}

#[test]
fn an_inspection_says_of_each_check_whether_it_is_well() {
    let good = token(&["--sub", "ada", "--subscribe", "chat:*"]);
    let outcome = run(&["token", "inspect", &good, "--channel", "news"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let text = outcome.text();
    for line in [
        "form       ok      HS256, no kid",
        "issuer     ok      none named (issuers.app)",
        "signature  ok      of a key of issuers.app",
        "sub        ok      ada",
        "subscribe  grants  chat:*",
        "subscribe  may not news: The token does not grant `subscribe` here: pattern chat:* does not \
         cover news.",
    ] {
        assert!(text.lines().any(|told| told == line), "{line:?} in {text}");
    }
    let gone = token(&["--sub", "ada", "--expires-in", "0s"]);
    let strict = [SECRET, ("FANFARE_ISSUERS__APP__LEEWAY", "0s")];
    let outcome = finish(fanfare(&["token", "inspect", &gone]).envs(strict).spawn().unwrap());
    assert_eq!(outcome.code, Some(4));
    assert!(outcome.text().contains("exp        failed  expired 0 s ago"), "{}", outcome.text());
    assert!(outcome.text().contains("signature  ok "), "it goes on behind it");
    let other = [("FANFARE_ISSUERS__APP__SECRET", "tell-nobody: another secret of 32 bytes")];
    let outcome = finish(fanfare(&["token", "inspect", &good]).envs(other).spawn().unwrap());
    assert_eq!(outcome.code, Some(4));
    assert!(outcome.stderr.contains("the signature is not that of a key of the issuer app"));
    let outcome = crate::cli::run::run(&["token", "inspect", &good]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("no issuer is configured"), "{}", outcome.stderr);
}

#[test]
fn what_makes_no_token_says_why() {
    for (arguments, words) in [
        (&["--subscribe", "{id}"][..], "`{sub}` is the only thing that stands in braces"),
        (&["--algorithm", "none"], "is no algorithm"),
        (&["--algorithm", "RS256"], "a secret is not for RS256"),
        (&["--issuer", "other"], "no issuer `other` is configured"),
        (&["--key", "/dev/null"], "no section `PRIVATE KEY`"),
    ] {
        let outcome = run(&[&["token", "new"], arguments].concat());
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{arguments:?}: {}", outcome.stderr);
    }
    let outcome = crate::cli::run::run(&["token", "new"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("export FANFARE_ISSUERS__APP__SECRET="), "{}", outcome.stderr);
}

//! `fanfare pub --conflate` and `fanfare sub --max-rate`.

use crate::cli::run::{fanfare, finish, run};
use crate::server::Server;

#[test]
fn the_command_prints_what_is_newest_and_finds_nothing_missing() {
    let server = Server::dev(&[]);
    let url = format!("http://{}", server.address());
    for number in 1..=3 {
        for symbol in ["ACME", "INIT"] {
            let text = format!("{symbol} {number}");
            let told = run(&["pub", "--url", &url, "--conflate", symbol, "ticker", &text]);
            assert_eq!(told.code, Some(0), "{}", told.stderr);
        }
    }
    for transport in ["ws", "sse", "ndjson"] {
        let mut flags = vec!["sub", "--url", &url, "--since", "all", "--count", "2"];
        flags.extend(["--transport", transport, "--max-rate", "5", "--json", "ticker"]);
        let told = finish(fanfare(&flags).spawn().unwrap());
        assert_eq!(told.code, Some(0), "{transport}: {}", told.stderr);
        let text = told.text();
        let lines: Vec<&str> = text.lines().collect();
        let newest = [("ACME", "ACME 3"), ("INIT", "INIT 3")];
        assert_eq!(lines.len(), newest.len(), "{transport}: {text}");
        for (line, (key, data)) in lines.iter().zip(newest) {
            assert!(line.contains(&format!("\"conflate\":\"{key}\"")), "{line}");
            assert!(line.contains(&format!("\"data\":\"{data}\"")), "{line}");
        }
        assert!(!told.stderr.contains("gap"), "{transport}: {}", told.stderr);
    }
}

#[test]
fn the_command_says_that_a_poll_has_no_pace() {
    let told = run(&["sub", "--transport", "poll", "--max-rate", "5", "ticker"]);
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("--max-rate"), "{}", told.stderr);
}

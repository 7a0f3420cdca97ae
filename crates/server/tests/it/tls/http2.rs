//! ALPN: who asks for HTTP/2 speaks it with the edge, on the port and with the certificate of all.

use std::process::Command;

use super::Secure;

/// What curl says of an answer: the version of HTTP, the status, and the body.
fn curl(secure: &Secure, target: &str, flags: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-s", "--max-time", "20", "--cacert", secure.authority.file().to_str().unwrap()]);
    command.args(["-w", " %{http_version} %{http_code}"]).args(flags);
    let output = command.arg(format!("https://{}{target}", secure.address)).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_version_is_what_the_client_asks_for() {
    let secure = Secure::start(&[]);
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let told = curl(&secure, "/c/news", &[flag, "-d", "Hello"]);
        assert!(told.ends_with(&format!(" {version} 200")), "{flag}: {told}");
        let large = "x".repeat(100_000);
        let told = curl(&secure, &format!("/c/large-{version}"), &[flag, "-d", &large]);
        assert!(told.ends_with(" 200"), "{flag}: {told}");
        let told = curl(&secure, &format!("/c/large-{version}/history"), &[flag]);
        assert!(told.len() > 100_000 && told.ends_with(" 200"), "{flag}: {} bytes", told.len());
    }
    // A client that does not say what it speaks may begin with the preface all the same.
    let told = curl(&secure, "/c/news/history", &["--no-alpn", "--http2-prior-knowledge"]);
    assert!(told.contains("Hello") && told.ends_with(" 2 200"), "{told}");
}

#[test]
fn streams_end_and_are_counted_as_in_clear() {
    let secure = Secure::start(&[]);
    curl(&secure, "/c/news", &["--http2", "-d", "first"]);
    curl(&secure, "/c/news?end=1", &["--http2", "-d", ""]);
    let events = ["--http2", "-N", "-H", "Accept: text/event-stream"];
    let told = curl(&secure, "/c/news?since=all", &events);
    assert!(told.contains("data: first") && told.contains("fanfare.end"), "{told}");
    assert!(told.ends_with(" 2 200"), "a clean end: {told}");
    secure.server.connect().wait_for_figure("fanfare_http2_connections", 0);
}

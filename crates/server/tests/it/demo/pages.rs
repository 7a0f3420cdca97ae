//! Pages come out of the binary, each as what it is.

use crate::server::Server;
use crate::wire::{body, header};

fn get(server: &Server, path: &str) -> String {
    let mut wire = server.connect();
    wire.ask(&format!("GET {path} HTTP/1.1"), &[]);
    wire.answer()
}

#[test]
fn pages_are_served_as_what_they_are() {
    let server = Server::demo();
    for (path, media, content) in [
        ("/", "text/html; charset=utf-8", "<title>Fanfare: examples</title>"),
        ("/index.html", "text/html; charset=utf-8", "<title>Fanfare: examples</title>"),
        ("/try", "text/html; charset=utf-8", "<title>Fanfare: try it</title>"),
        ("/style.css", "text/css; charset=utf-8", "--accent"),
        ("/demo.toml", "text/plain; charset=utf-8", "fanfare demo"),
    ] {
        let answer = get(&server, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert_eq!(header(&answer, "content-type"), Some(media), "{path}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"), "{path}");
        assert!(body(&answer).contains(content), "{path}: {answer}");
    }
    assert!(get(&server, "/favicon.ico").starts_with("HTTP/1.1 204 "));
    for path in ["/seeds", "/seeds?x=1"] {
        let answer = get(&server, path);
        assert!(answer.starts_with("HTTP/1.1 307 "), "{path}: {answer}");
        assert_eq!(header(&answer, "location"), Some("/seeds/"));
    }
    for path in ["/nothing/", "/../README.md", "/style.css/"] {
        assert!(get(&server, path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn examples_are_not_served_by_dev() {
    let server = Server::dev(&[]);
    assert!(body(&get(&server, "/")).contains("<title>Fanfare: try it</title>"));
    for path in ["/style.css", "/index.html", "/demo.toml", "/try"] {
        assert!(get(&server, path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

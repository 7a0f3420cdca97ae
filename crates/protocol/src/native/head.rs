//! A borrowed view of a request head, which the shard (httparse) and the edge (hyper) both build.

use crate::native::query::Query;

/// What every client of HTTP/2 says first (RFC 9113 §3.4). No request of HTTP/1 begins with it.
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP that a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0: no chunks, and a close that looks like an end.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2, which frames by itself.
    Http2,
}

/// A request head. Borrowed from the buffer that it was read into; nothing is copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// The method, in capitals as sent.
    pub method: &'a str,
    /// The path, still percent-encoded, without the query.
    pub path: &'a str,
    /// The query, still percent-encoded, without the question mark.
    pub query: Option<&'a str>,
    /// The version of HTTP.
    pub version: Version,
    /// The headers in the order in which they came; names in any case. On HTTP/2 `host` stands for
    /// `:authority`, and `:protocol` is among them if it was sent.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Head<'a> {
    /// The head of a request with this target, in origin form or absolute form (RFC 9112 §3.2).
    #[must_use]
    pub fn new(
        method: &'a str,
        target: &'a str,
        version: Version,
        headers: &'a [(&'a str, &'a [u8])],
    ) -> Self {
        let target = target.split('#').next().unwrap_or_default();
        let target = origin_form(target);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Self { method, path, query, version, headers }
    }

    /// The protocol that an extended CONNECT asks for (RFC 8441 §4); none on any other request, since
    /// no header of HTTP/1 can have that name.
    #[must_use]
    pub fn connects_to(&self) -> Option<&'a str> {
        match (self.version, self.method) {
            (Version::Http2, "CONNECT") => self.text(":protocol"),
            _ => None,
        }
    }

    /// The parameters of the query.
    #[must_use]
    pub fn query(&self) -> Query<'a> {
        Query::new(self.query.unwrap_or_default())
    }

    /// The value of the first header of this name, whatever its bytes are.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The value of the first header of this name, if it is UTF-8, without white space around it.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(name)?).ok().map(str::trim)
    }

    /// The values of all headers of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// Whether a header of this name was sent.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.bytes(name).is_some()
    }

    /// The comma-separated elements of all headers of this name, without empty ones.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|element| !element.is_empty())
    }

    /// Whether the lists of this name hold this token, in any case.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token))
    }
}

/// The path and query of a target in absolute form; any other target as it is.
fn origin_form(target: &str) -> &str {
    if target.starts_with('/') {
        return target;
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        return target;
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return target;
    }
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::{Head, Version};

    #[test]
    fn the_target_is_split_in_both_forms() {
        for (target, path, query) in [
            ("/c/a?since=all", "/c/a", Some("since=all")),
            ("/c/a", "/c/a", None),
            ("/c/a?", "/c/a", Some("")),
            ("/c/a?x=1?2", "/c/a", Some("x=1?2")),
            ("http://localhost:8300/c/a?x", "/c/a", Some("x")),
            ("http://localhost:8300", "/", None),
            ("*", "*", None),
        ] {
            let head = Head::new("GET", target, Version::Http11, &[]);
            assert_eq!((head.path, head.query), (path, query), "{target}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let headers: [(&str, &[u8]); 3] =
            [("Connection", b"keep-alive, Upgrade"), ("connection", b" ,close"), ("X", b"\xff")];
        let head = Head::new("GET", "/", Version::Http11, &headers);
        assert!(head.lists("CONNECTION", "upgrade"));
        assert!(head.lists("connection", "CLOSE"));
        assert_eq!(head.list("connection").count(), 3);
        assert!(head.has("x"));
        assert_eq!(head.text("x"), None);
    }
}

//! Reads the addresses a configuration may contain: where to listen, hosts, origins, URLs, and the
//! keys that travel in a header. Every error is the order that puts the value right.

use std::net::SocketAddr;

use hyper::Uri;

/// Reads an address to listen on.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    let wrong = |_| "write `address:port`, such as `127.0.0.1:8300` or `[::1]:8300`".to_owned();
    let text = text.trim();
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().map_err(wrong),
        None => text.parse().map_err(wrong),
    }
}

/// Reads a `Host` value, into lower case.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let host = text.trim().to_ascii_lowercase();
    let uri = format!("http://{host}/").parse::<Uri>().ok();
    let whole = uri.and_then(|uri| uri.authority().map(|authority| authority.as_str() == host));
    if whole == Some(true) && !host.contains('@') {
        Ok(host)
    } else {
        Err("write a name or `name:port`, such as `live.example.com`".to_owned())
    }
}

/// Reads an origin, into lower case and without a trailing slash.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let wrong = || "write `https://name` or `https://name:port`, without a path".to_owned();
    let url = url(text).map_err(|_change| wrong())?;
    let uri: Uri = url.parse().map_err(|_unreadable| wrong())?;
    if uri.path() != "/" || uri.query().is_some() {
        return Err(wrong());
    }
    // A browser leaves out the port that its scheme implies.
    let origin = url.to_ascii_lowercase();
    let implied = if origin.starts_with("https:") { ":443" } else { ":80" };
    Ok(origin.strip_suffix(implied).unwrap_or(&origin).to_owned())
}

/// Reads an absolute URL, without a trailing slash.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let wrong = || "write a whole URL, such as `https://live.example.com`".to_owned();
    let text = text.trim().trim_end_matches('/');
    let uri: Uri = text.parse().map_err(|_unreadable| wrong())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let named = uri.host().is_some_and(|host| !host.is_empty());
    if known && named && !text.contains(['@', '#']) { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Whether a cookie can have this name: a token of RFC 9110 §5.6.2.
pub(crate) fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether a publisher key can be sent in a header and written in a list.
pub(crate) fn is_publisher_key(key: &str) -> bool {
    (1..=255).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::{host, origin, url};

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for (text, expected) in [
            ("https://Live.Example.com/", Some("https://live.example.com")),
            ("https://a:443", Some("https://a")),
            ("http://a:80", Some("http://a")),
            ("https://a:80", Some("https://a:80")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("a.example", None),
            ("https://a/path", None),
            ("https://u@a", None),
            ("*", None),
            ("null", None),
        ] {
            assert_eq!(origin(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn hosts_and_urls_are_told_apart() {
        assert_eq!(host("Live.example:8300").unwrap(), "live.example:8300");
        assert_eq!(host("[::1]:8300").unwrap(), "[::1]:8300");
        assert_eq!(url("https://a/live/").unwrap(), "https://a/live");
        for text in ["", "https://a", "a/b", "a b", "u@a"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}

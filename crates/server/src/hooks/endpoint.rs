//! Where a hook is: an `http` or `https` URL, taken apart once.

use http::Uri;

/// Where a hook is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Whether TLS is spoken.
    pub(super) is_secure: bool,
    /// A name or an address, without the brackets of one of IPv6.
    pub(super) host: Box<str>,
    /// The port, also where the URL leaves it out.
    pub(super) port: u16,
    /// The value of `Host`.
    pub(super) authority: Box<str>,
    /// Path and query.
    pub(super) target: Box<str>,
}

impl Endpoint {
    /// Reads a URL; the error is the order that puts it right.
    ///
    /// # Errors
    /// It is no whole URL, of another scheme, or holds a user or a fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write a whole URL, such as `https://app.example.com/fanfare`".to_owned();
        let text = text.trim();
        if text.contains('#') {
            return Err(wrong());
        }
        let uri: Uri = text.parse().map_err(|_unreadable| wrong())?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        Ok(Self {
            is_secure,
            host: host.into(),
            port: authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            authority: authority.as_str().into(),
            target: uri.path_and_query().map_or("/", |it| it.as_str()).into(),
        })
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether both are reached over the same connections.
    pub(super) fn has_the_same_peer(&self, other: &Self) -> bool {
        self.is_secure == other.is_secure && self.authority == other.authority
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        for (text, expected) in [
            ("http://app:3000/hook?a=b", Some((false, "app", 3000, "app:3000", "/hook?a=b"))),
            ("https://App.example", Some((true, "App.example", 443, "App.example", "/"))),
            ("http://[::1]/", Some((false, "::1", 80, "[::1]", "/"))),
            (" http://127.0.0.1:1/x ", Some((false, "127.0.0.1", 1, "127.0.0.1:1", "/x"))),
            ("ftp://a/", None),
            ("app:3000", None),
            ("/hook", None),
            ("http://u:p@a/", None),
            ("http://a/#b", None),
            ("", None),
        ] {
            let read = Endpoint::parse(text).ok();
            let read = read
                .as_ref()
                .map(|it| (it.is_secure, &*it.host, it.port, &*it.authority, &*it.target));
            assert_eq!(read, expected, "{text}");
        }
    }
}

//! Where a request carries what shows who sent it.
//!
//! Browsers give pages no choice: an `EventSource` sends cookies and no headers, a `WebSocket`
//! cookies and subprotocols. A cookie goes along with whatever page asks, so it counts only where
//! the page is known to be one that may.

use fanfare_protocol::native::head::Head;

use super::Credentials;

/// The places in which credentials are looked for besides `Authorization` and the subprotocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// The name of the cookie (`auth.cookie`).
    pub cookie: Option<Box<str>>,
    /// Whether the query may have a `token` (`auth.query_token`).
    pub query: bool,
}

/// What the parameter of the query is called.
const PARAMETER: &str = "token";

impl<'a> Credentials<'a> {
    /// What a request carries. Its origin is another's to check: a foreign one is refused whatever
    /// it carries.
    pub(crate) fn of(head: &Head<'a>, places: &Places) -> Self {
        let offered =
            head.list("sec-websocket-protocol").find_map(|offer| offer.strip_prefix("bearer."));
        let parameter =
            || head.query().pairs().find(|(name, value)| *name == PARAMETER && !value.is_empty());
        let query = if places.query { parameter() } else { None };
        let cookie = match &places.cookie {
            Some(name) if cookie_counts(head) => cookie(head, name.as_bytes()),
            _ => None,
        };
        Self {
            authorization: head.bytes("authorization"),
            subprotocol_token: offered.map(str::as_bytes),
            query_token: query.map(|(_, value)| value.as_bytes()),
            cookie_token: cookie,
        }
    }
}

/// Whether a cookie counts: the page said its origin, which was checked, or the request is one that
/// changes nothing and whose answer no foreign page can read. Browsers send the origin with every
/// upgrade and every request that could change something.
pub(crate) fn cookie_counts(head: &Head<'_>) -> bool {
    let reads = matches!(head.method, "GET" | "HEAD") && !head.has("upgrade");
    head.has("origin") || reads
}

/// The value of a cookie (RFC 6265 §5.4), without the quotes that may stand around it.
fn cookie<'a>(head: &Head<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let pairs = head.all("cookie").flat_map(|line| line.split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value))
    });
    values.find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::native::head::{Head, Version};

    use super::{Credentials, Places};

    fn token(method: &str, target: &str, headers: &[(&str, &[u8])], query: bool) -> Option<String> {
        let places = Places { cookie: Some("sid".into()), query };
        let head = Head::new(method, target, Version::Http11, headers);
        let token = Credentials::of(&head, &places).token()?;
        Some(String::from_utf8(token.to_vec()).unwrap())
    }

    #[test]
    fn what_a_request_says_itself_goes_before_what_the_browser_adds() {
        let all: [(&str, &[u8]); 4] = [
            ("cookie", b"sid=cookie"),
            ("Sec-WebSocket-Protocol", b"fanfare.v1, bearer.subprotocol"),
            ("authorization", b"bearer header"),
            ("origin", b"https://here.example"),
        ];
        let found = |from: usize| token("GET", "/c/a?token=query", all.get(..from).unwrap(), true);
        assert_eq!(found(3).as_deref(), Some("header"));
        assert_eq!(found(2).as_deref(), Some("subprotocol"));
        assert_eq!(found(1).as_deref(), Some("query"));
        assert_eq!(token("GET", "/c/a", &all[..1], true).as_deref(), Some("cookie"));
    }

    #[test]
    fn the_query_counts_only_where_it_is_switched_on() {
        assert_eq!(token("GET", "/c/a?token=x", &[], false), None);
        assert_eq!(token("GET", "/c/a?token=", &[], true), None);
        assert_eq!(token("GET", "/c/a?since=all&token=x", &[], true).as_deref(), Some("x"));
    }

    #[test]
    fn a_cookie_is_found_among_others_whole() {
        for (line, expected) in [
            (&b"sid=a"[..], Some("a")),
            (b"other=1; sid=a; more=2", Some("a")),
            (b"xsid=1;sid=\"a.b\"", Some("a.b")),
            (b"sid=; sid=b", Some("b")),
            (b"sidx=1; x=sid=a", None),
            (b"sid", None),
            (b"SID=a", None),
            (b";;;=;", None),
        ] {
            let found = token("GET", "/c/a", &[("cookie", line)], false);
            assert_eq!(found.as_deref(), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_cookie_alone_changes_nothing_unless_its_page_is_known() {
        let cookie: (&str, &[u8]) = ("cookie", b"sid=a");
        let origin: (&str, &[u8]) = ("origin", b"https://here.example");
        let upgrade: (&str, &[u8]) = ("upgrade", b"websocket");
        assert_eq!(token("POST", "/c/a", &[cookie], false), None);
        assert_eq!(token("DELETE", "/c/a", &[cookie], false), None);
        assert_eq!(token("GET", "/c/a", &[cookie, upgrade], false), None);
        assert!(token("POST", "/c/a", &[cookie, origin], false).is_some());
        assert!(token("GET", "/c/a", &[cookie, upgrade, origin], false).is_some());
        assert!(token("GET", "/c/a", &[cookie], false).is_some());
    }
}

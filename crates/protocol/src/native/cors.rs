//! Which hosts and origins are served, and what CORS says about it (the Fetch standard, §3.2).

use fanfare_core::code::Code;

use crate::native::head::Head;
use crate::native::problem::Problem;

/// The hosts and origins that are served.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    /// Which hosts this server answers to.
    pub hosts: Hosts,
    /// Which origins may ask from a browser.
    pub origins: Origins,
}

/// Which hosts this server answers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// Any: `serve` without `hosts`.
    #[default]
    Any,
    /// Loopback names and addresses with any port: `dev`.
    Loopback,
    /// These, in any case; a name without a port stands for every port.
    Listed(Vec<String>),
}

/// Which origins may ask from a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// Every loopback origin, whatever its port: `dev`.
    Loopback,
    /// The one whose host equals Host, and these: `serve` without `public_url`.
    #[default]
    SameHost,
    /// The one whose host equals Host, and these.
    SameHostAnd(Vec<String>),
    /// These: `serve` with `public_url`, which is one of them, and `origins`.
    Listed(Vec<String>),
}

/// An origin that may ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowedOrigin {
    /// The request had none: no browser, or no cross-origin request.
    #[default]
    None,
    /// This one, as it was sent.
    Origin(Box<str>),
}

/// Checks Host, Origin and `Sec-Fetch-Site` before anything else is done with a request.
///
/// A request without Host is let through: no browser sends one, and what protects against a page
/// whose name was pointed at this server is the Host that its browser sends.
///
/// # Errors
/// A problem with `host-refused` or `origin-refused`.
pub fn check(head: &Head<'_>, policy: &OriginPolicy) -> Result<AllowedOrigin, Problem> {
    for host in head.all("host") {
        let allowed = std::str::from_utf8(host).is_ok_and(|host| policy.hosts.allow(host.trim()));
        if !allowed {
            return Err(host_refused(host, policy));
        }
    }
    let mut origins = head.all("origin").map(std::str::from_utf8);
    match (origins.next(), origins.next()) {
        (None, _) if is_foreign_without_origin(head) => Err(Problem::new(
            Code::OriginRefused,
            "The request comes from a page of another site and names no origin.",
            "Fetch with CORS from an origin that `origins` allows.",
        )),
        (None, _) => Ok(AllowedOrigin::None),
        (Some(Ok(origin)), None) if policy.origins.allow(origin.trim(), head.text("host")) => {
            Ok(AllowedOrigin::Origin(origin.trim().into()))
        }
        (Some(origin), _) => Err(origin_refused(origin.unwrap_or_default(), policy)),
    }
}

/// The headers that answer a preflight, to be sent with status 204 beside those of [`headers`].
#[must_use]
pub fn preflight_headers(head: &Head<'_>) -> Vec<(&'static str, String)> {
    if !head.has("access-control-request-method") {
        return vec![("Allow", METHODS.to_owned())];
    }
    let asked = head
        .list("access-control-request-headers")
        .filter(|name| is_header_allowed(name))
        .take(HEADERS_MAX)
        .map(str::to_ascii_lowercase)
        .collect::<Vec<_>>()
        .join(", ");
    let mut headers = vec![
        ("Access-Control-Allow-Methods", METHODS.to_owned()),
        ("Access-Control-Max-Age", "600".to_owned()),
    ];
    if !asked.is_empty() {
        headers.push(("Access-Control-Allow-Headers", asked));
    }
    headers
}

/// The headers that tell a browser that this origin may read the answer; none without an origin.
#[must_use]
pub fn headers(allowed: &AllowedOrigin) -> Vec<(&'static str, &str)> {
    match allowed {
        AllowedOrigin::None => Vec::new(),
        AllowedOrigin::Origin(origin) => vec![
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "Fanfare-Cursor"),
        ],
    }
}

impl Hosts {
    fn allow(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Loopback => is_loopback(host_name(host)),
            Self::Listed(hosts) => hosts.iter().any(|known| {
                known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(host_name(host))
            }),
        }
    }
}

impl Origins {
    fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let listed = |origins: &[String]| {
            origins.iter().any(|known| canonical(known).eq_ignore_ascii_case(canonical(origin)))
        };
        match self {
            Self::Loopback => authority(origin).is_some_and(|host| is_loopback(host_name(host))),
            Self::SameHost => is_same_host(origin, host),
            Self::SameHostAnd(origins) => is_same_host(origin, host) || listed(origins),
            Self::Listed(origins) => listed(origins),
        }
    }
}

/// Whether a page of another site made a request that names no origin, other than by leading
/// somebody here, which reads nothing and changes nothing.
fn is_foreign_without_origin(head: &Head<'_>) -> bool {
    let navigation = head.method == "GET" && head.text("sec-fetch-mode") == Some("navigate");
    head.text("sec-fetch-site") == Some("cross-site") && !navigation
}

fn is_same_host(origin: &str, host: Option<&str>) -> bool {
    let (Some(authority), Some(host)) = (authority(canonical(origin)), host) else {
        return false;
    };
    let default = if origin.starts_with("https:") { ":443" } else { ":80" };
    authority.eq_ignore_ascii_case(host.strip_suffix(default).unwrap_or(host))
}

/// An origin without a slash at the end and without the default port of its scheme.
fn canonical(origin: &str) -> &str {
    let origin = origin.strip_suffix('/').unwrap_or(origin);
    let default = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(default).unwrap_or(origin)
}

/// The host and port of an origin of the web.
fn authority(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    (web && !authority.contains(['/', '@', '?', '#'])).then_some(authority)
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

fn is_loopback(name: &str) -> bool {
    let (local, ends) = ("localhost", ".localhost");
    let end = name.len().checked_sub(ends.len()).and_then(|at| name.get(at..));
    name.eq_ignore_ascii_case(local)
        || end.is_some_and(|end| end.eq_ignore_ascii_case(ends))
        || name == "[::1]"
        || name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
}

fn is_header_allowed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let known = [
        "authorization",
        "content-type",
        "cache-control",
        "last-event-id",
        "idempotency-key",
        "x-requested-with",
    ];
    let prefixed = name.starts_with("fanfare-") || name.starts_with("hx-");
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (known.contains(&name.as_str()) || prefixed) && name.bytes().all(is_token)
}

fn host_refused(host: &[u8], policy: &OriginPolicy) -> Problem {
    let host = shown(&String::from_utf8_lossy(host));
    let hint = match policy.hosts {
        Hosts::Loopback => "Use `localhost` or `127.0.0.1` in the URL; `dev` answers to no other.",
        _ => "Use a host that `hosts` lists in the URL, or add this one to `hosts`.",
    };
    Problem::new(
        Code::HostRefused,
        format!("This server does not answer to the host `{host}`."),
        hint,
    )
}

fn origin_refused(origin: &str, policy: &OriginPolicy) -> Problem {
    let hint = match policy.origins {
        Origins::Loopback => "Open the page from `localhost`; `dev` allows no other origin.",
        _ => "Add the origin to `origins`.",
    };
    Problem::new(
        Code::OriginRefused,
        format!("The origin `{}` is not allowed.", shown(origin)),
        hint,
    )
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(128).collect();
    start.escape_debug().to_string()
}

/// What browsers may do here.
const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";

/// Header names that one preflight is answered with.
const HEADERS_MAX: usize = 64;

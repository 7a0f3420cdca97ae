//! Which hosts and origins are served, and what CORS says about it (the Fetch standard, §3.2).

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
/// # Errors
/// A problem with `host-refused` or `origin-refused`.
pub fn check(head: &Head<'_>, policy: &OriginPolicy) -> Result<AllowedOrigin, Problem> {
    let _ = (head, policy);
    Ok(AllowedOrigin::None)
}

/// The headers that answer a preflight, to be sent with status 204 beside those of
/// [`append_headers`].
#[must_use]
pub fn preflight_headers(head: &Head<'_>) -> Vec<(&'static str, String)> {
    let _ = head;
    Vec::new()
}

/// The headers that tell a browser that this origin may read the answer; none without an origin.
#[must_use]
pub fn headers(allowed: &AllowedOrigin) -> Vec<(&'static str, &str)> {
    let _ = allowed;
    Vec::new()
}

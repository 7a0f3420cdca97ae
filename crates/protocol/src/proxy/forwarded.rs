//! `X-Forwarded-For` and `Forwarded` (RFC 7239): who a request came from, by way of proxies.
//!
//! Both are lists to which each proxy adds whom it was asked by, at the end, whatever its client had
//! written before. So they are read from the end, and as far as those who wrote are named.

use std::net::{IpAddr, SocketAddr};

use super::network::Networks;
use crate::native::head::Head;

/// The header in which the proxies of a server name their clients. The other one comes from the
/// client as it was, and is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// `X-Forwarded-For`, a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded`, a list of elements with `for=`.
    Forwarded,
}

/// The client of a request that came from `peer`: the last one named who is no trusted proxy, or the
/// first one if all are. What cannot be read ends the search: the proxy that wrote it is then the
/// last one known.
#[must_use]
pub fn client(peer: IpAddr, head: &Head<'_>, naming: Naming, trusted: &Networks) -> IpAddr {
    let mut known = peer.to_canonical();
    if trusted.is_empty() || !trusted.contains(known) {
        return known;
    }
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match naming {
        Naming::XForwardedFor => ("x-forwarded-for", address),
        Naming::Forwarded => ("forwarded", element),
    };
    // Several headers of one name are one list; the last one was added last.
    for value in head.headers.iter().rev().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
        let Ok(mut rest) = str::from_utf8(value.1) else {
            return known;
        };
        loop {
            let (before, last) = split_last(rest, b',');
            if !last.trim().is_empty() {
                let Some(address) = read(last.trim()) else {
                    return known;
                };
                known = address.to_canonical();
                if !trusted.contains(known) {
                    return known;
                }
            }
            let Some(before) = before else { break };
            rest = before;
        }
    }
    known
}

/// The `for` of one element.
fn element(element: &str) -> Option<IpAddr> {
    let mut rest = Some(element);
    while let Some(text) = rest {
        let (before, pair) = split_last(text, b';');
        if let Some((name, value)) = pair.split_once('=')
            && name.trim().eq_ignore_ascii_case("for")
        {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            return address(bare.unwrap_or(value));
        }
        rest = before;
    }
    None
}

/// Splits behind the last separator that stands in no quotes, which are counted from the end: a
/// quote that a client left open cannot hide what its proxy wrote behind it.
fn split_last(text: &str, separator: u8) -> (Option<&str>, &str) {
    let mut quoted = false;
    for (place, byte) in text.bytes().enumerate().rev() {
        quoted ^= byte == b'"';
        if byte == separator && !quoted {
            return (text.get(..place), text.get(place + 1..).unwrap_or_default());
        }
    }
    (None, text)
}

/// An address, with a port or without; an IPv6 address with a port stands in brackets, and may do so
/// without one.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bare = text.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse().ok().filter(IpAddr::is_ipv6)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Naming, client};
    use crate::native::head::{Head, Version};
    use crate::proxy::Networks;

    fn asked(naming: Naming, peer: &str, values: &[&str]) -> String {
        let name = match naming {
            Naming::XForwardedFor => "X-Forwarded-For",
            Naming::Forwarded => "forwarded",
        };
        let mut headers: Vec<(&str, &[u8])> = vec![("Host", b"a")];
        headers.extend(values.iter().map(|value| (name, value.as_bytes())));
        let head = Head::new("GET", "/", Version::Http11, &headers);
        let trusted: Networks =
            ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).into_iter().collect();
        let peer: IpAddr = peer.parse().unwrap();
        client(peer, &head, naming, &trusted).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        for (peer, values, expected) in [
            ("10.0.0.1", &["192.0.2.7"][..], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7", "10.0.0.2,10.0.0.3"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            ("10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7,, ,"], "192.0.2.7"),
            ("::1", &[], "::1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            // Nobody is believed who is not named.
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["192.0.2.7 198.51.100.1"], "10.0.0.1"),
            ("10.0.0.1", &["[192.0.2.7]"], "10.0.0.1"),
        ] {
            assert_eq!(asked(Naming::XForwardedFor, peer, values), expected, "{peer} {values:?}");
        }
    }

    #[test]
    fn forwarded_is_read_in_quotes_and_from_the_end() {
        for (values, expected) in [
            (&["for=192.0.2.43"][..], "192.0.2.43"),
            (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60"),
            (&["proto=https; For = 192.0.2.60 ;host=\"a;b,c\""], "192.0.2.60"),
            (&["for=198.51.100.17, for=192.0.2.43, for=10.0.0.7"], "192.0.2.43"),
            (&["for=192.0.2.43", "for=\"10.0.0.7:1\""], "192.0.2.43"),
            (&["for=\"198.51.100.1, for=192.0.2.43"], "192.0.2.43"),
            (&["for=198.51.100.1, for=_hidden, for=10.0.0.7"], "10.0.0.7"),
            (&["for=unknown"], "10.0.0.1"),
            (&["by=192.0.2.43"], "10.0.0.1"),
            (&["192.0.2.43"], "10.0.0.1"),
        ] {
            assert_eq!(asked(Naming::Forwarded, "10.0.0.1", values), expected, "{values:?}");
        }
    }
}

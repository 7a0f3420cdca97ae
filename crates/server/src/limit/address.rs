//! The address of a client: that of its connection, or what trusted proxies say.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use fanfare_protocol::native::head::Head;
use fanfare_protocol::proxy::{Naming, Networks, client};

/// Where a client is, as far as it is known: the other end of its connection, the one that a PROXY
/// header names, or the one that trusted proxies name in a header of the request. It is the one
/// notion of an address for limits, log lines and whoever else asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

/// The proxies in front of this server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    /// Where they are.
    pub trusted: Networks,
    /// How they name their clients in requests.
    pub naming: Naming,
    /// How they name them in front of a connection.
    pub protocol: Preface,
}

/// What stands in front of each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Preface {
    /// Nothing.
    #[default]
    Off,
    /// A PROXY header of version 2.
    V2,
}

impl ClientAddress {
    /// The other end of a connection.
    pub(crate) fn of_peer(peer: SocketAddr) -> Self {
        Self(peer.ip().to_canonical())
    }

    /// Who sent a request over a connection with this other end.
    pub(crate) fn of(peer: SocketAddr, head: &Head<'_>, proxies: &Proxies) -> Self {
        Self(client(peer.ip(), head, proxies.naming, &proxies.trusted))
    }

    /// Whether limits hold for it. Loopback is a proxy that nobody has named yet, or one's own.
    pub(crate) fn is_limited(self) -> bool {
        !self.0.is_loopback()
    }

    /// What it counts as: whoever has one address of a /64 has all of them.
    pub(super) fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::ClientAddress;

    fn at(text: &str) -> ClientAddress {
        ClientAddress::of_peer(text.parse().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_loopback_is_free() {
        assert_eq!(at("[2001:db8::1]:1").network(), at("[2001:db8::ffff:2]:2").network());
        assert_ne!(at("[2001:db8::1]:1").network(), at("[2001:db8:0:1::1]:1").network());
        assert_ne!(at("192.0.2.1:1").network(), at("192.0.2.2:1").network());
        assert_eq!(at("[::ffff:192.0.2.1]:1"), at("192.0.2.1:2"));
        for (text, limited) in [
            ("127.0.0.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("10.0.0.1:1", true),
        ] {
            assert_eq!(at(text).is_limited(), limited, "{text}");
        }
    }
}

//! Networks in the notation of RFC 4632 and RFC 4291: `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// With an IPv4 address as ::ffff:a.b.c.d, and zero behind the prefix.
    first: u128,
    /// Of 128.
    prefix: u32,
}

/// Several networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// What is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a network")]
pub struct NetworkError;

impl Network {
    /// Whether the address is one of it. An IPv4 address is the same whether it is written as one or
    /// as an IPv6 address (RFC 4291 §2.5.5.2).
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.first
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_unreadable| NetworkError)?;
        let (before, all) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        let prefix = match prefix {
            // `+8` would be read, and `08` is nobody's way to write it.
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_unreadable| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
            None => all,
        };
        if prefix > all {
            return Err(NetworkError);
        }
        let prefix = before + prefix;
        Ok(Self { first: bits(address) & mask(prefix), prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (IpAddr::V6(Ipv6Addr::from(self.first)).to_canonical(), self.prefix) {
            (address @ IpAddr::V4(_), prefix @ 96..) => {
                write!(formatter, "{address}/{}", prefix - 96)
            }
            _ => write!(formatter, "{}/{}", Ipv6Addr::from(self.first), self.prefix),
        }
    }
}

impl Networks {
    /// Whether the address is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<T: IntoIterator<Item = Network>>(networks: T) -> Self {
        Self(networks.into_iter().collect())
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Network, Networks};

    #[test]
    fn an_address_is_in_the_networks_that_it_begins_like() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.1.2", "::ffff:10.1.1.1"][..], &["11.0.0.0"][..]),
            ("192.168.1.77/24", &["192.168.1.0"], &["192.168.2.77", "::"]),
            ("192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]),
            ("0.0.0.0/0", &["1.2.3.4"], &["::1", "2001:db8::1"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::", "10.0.0.1"]),
            ("::1", &["::1"], &["::2", "127.0.0.1"]),
            ("::/0", &["::1", "1.2.3.4"], &[]),
            ("::ffff:10.0.0.0/104", &["10.9.9.9"], &["11.0.0.1"]),
        ] {
            let network: Network = network.parse().unwrap();
            let networks: Networks = [network].into_iter().collect();
            for (addresses, expected) in [(inside, true), (outside, false)] {
                for address in addresses {
                    let address: IpAddr = address.parse().unwrap();
                    assert_eq!(networks.contains(address), expected, "{network} {address}");
                }
            }
            assert_eq!(network.to_string().parse(), Ok(network));
        }
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_told_so() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.0/+1",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "host",
            "10.0.0.0 /8",
            "10.0.0.0/8 ",
            "10.0.0.0/99999999999",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}

//! The PROXY protocol, version 2: sixteen bytes that say what follows, then addresses and more, in
//! front of everything that a connection carries.
//!
//! Source: "The PROXY protocol", HAProxy Technologies, §2.2. Version 1, a line of text without a
//! length, is refused: it takes reading byte by byte, and everything that writes it writes this too.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a header at most: addresses take 52, the rest is what proxies add about TLS. The length
/// that it says could be 64 KiB.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;

/// How far a header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more bytes belong to it for certain; no byte behind it is among them.
    Needs(usize),
    /// It is whole.
    Whole(Source),
}

/// Who is at the other end of a connection, as its proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The proxy itself, to see whether anyone is here.
    Proxy,
    /// This client.
    Client(SocketAddr),
    /// A client without an address of the internet, such as a Unix socket.
    Unknown,
}

/// Why bytes are no header that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHeader {
    /// They begin otherwise.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// They are one of version 1.
    #[error("the PROXY header is one of version 1")]
    Version1,
    /// Its version or command is none that there is.
    #[error("the PROXY header has a version or command that does not exist")]
    Unknown,
    /// It says that it is longer than [`HEADER_BYTES_MAX`].
    #[error("the PROXY header is too long")]
    TooLong,
    /// It is shorter than its addresses, or what is in it is longer than it.
    #[error("the PROXY header is cut off")]
    CutOff,
    /// Its checksum is another one.
    #[error("the PROXY header has a wrong checksum")]
    Checksum,
}

/// Reads the header at the front of `read`, which holds no more than [`Progress::Needs`] has asked
/// for.
///
/// # Errors
/// Why they are no header; known at the first byte that shows it.
pub fn read_header(read: &[u8]) -> Result<Progress, NotAHeader> {
    let known = read.len().min(SIGNATURE.len());
    if read.get(..known) != SIGNATURE.get(..known) {
        let first = read.len().min(VERSION_1.len());
        let older = first > 1 && read.get(..first) == VERSION_1.get(..first);
        return Err(if older { NotAHeader::Version1 } else { NotAHeader::Missing });
    }
    let Some((fixed, rest)) = read.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Progress::Needs(FIXED_BYTES - read.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, COMMAND_LOCAL | COMMAND_PROXY) {
        return Err(NotAHeader::Unknown);
    }
    if FIXED_BYTES + length > HEADER_BYTES_MAX {
        return Err(NotAHeader::TooLong);
    }
    if rest.len() < length {
        return Ok(Progress::Needs(length - rest.len()));
    }
    let rest = rest.get(..length).unwrap_or_default();
    let (source, more) = addresses(family, rest)?;
    check(fixed, rest, more)?;
    Ok(Progress::Whole(if command == COMMAND_LOCAL { Source::Proxy } else { source }))
}

/// The source's address, and what stands behind the addresses.
fn addresses(family: u8, rest: &[u8]) -> Result<(Source, &[u8]), NotAHeader> {
    let port = |ports: [u8; 4]| u16::from_be_bytes([ports[0], ports[1]]);
    // The lower half is the transport; what there is beside TCP names its addresses the same way.
    match family >> 4 {
        0x1 => {
            let (source, rest) = rest.split_first_chunk::<4>().ok_or(NotAHeader::CutOff)?;
            let (_, rest) = rest.split_first_chunk::<4>().ok_or(NotAHeader::CutOff)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(NotAHeader::CutOff)?;
            let source = SocketAddr::new(Ipv4Addr::from(*source).into(), port(*ports));
            Ok((Source::Client(source), rest))
        }
        0x2 => {
            let (source, rest) = rest.split_first_chunk::<16>().ok_or(NotAHeader::CutOff)?;
            let (_, rest) = rest.split_first_chunk::<16>().ok_or(NotAHeader::CutOff)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(NotAHeader::CutOff)?;
            let source = Ipv6Addr::from(*source).to_canonical();
            Ok((Source::Client(SocketAddr::new(source, port(*ports))), rest))
        }
        0x3 => {
            let (_, rest) = rest.split_at_checked(UNIX_BYTES).ok_or(NotAHeader::CutOff)?;
            Ok((Source::Unknown, rest))
        }
        // Without a family there is nothing but what the proxy adds, if it does.
        0x0 => Ok((Source::Unknown, &[])),
        _ => Err(NotAHeader::Unknown),
    }
}

/// Checks what is added behind the addresses: that it ends where the header does, and its checksum
/// if there is one.
fn check(fixed: &[u8; FIXED_BYTES], rest: &[u8], mut more: &[u8]) -> Result<(), NotAHeader> {
    while let [kind, high, low, behind @ ..] = more {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, behind) = behind.split_at_checked(length).ok_or(NotAHeader::CutOff)?;
        if *kind == TYPE_CHECKSUM {
            let told =
                value.first_chunk::<4>().filter(|_| length == 4).ok_or(NotAHeader::CutOff)?;
            let place = rest.len() - behind.len() - length;
            let zeroed = rest
                .iter()
                .enumerate()
                .map(|(at, byte)| if (place..place + length).contains(&at) { 0 } else { *byte });
            if checksum(fixed.iter().copied().chain(zeroed)) != u32::from_be_bytes(*told) {
                return Err(NotAHeader::Checksum);
            }
        }
        more = behind;
    }
    if more.is_empty() { Ok(()) } else { Err(NotAHeader::CutOff) }
}

/// CRC-32C (RFC 3720 §12.1), bit by bit: it is for some hundred bytes, once for a connection.
fn checksum(bytes: impl Iterator<Item = u8>) -> u32 {
    let sum = bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg())
        })
    });
    !sum
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_1: &[u8] = b"PROXY ";
const FIXED_BYTES: usize = 16;
const COMMAND_LOCAL: u8 = 0x20;
const COMMAND_PROXY: u8 = 0x21;
const TYPE_CHECKSUM: u8 = 0x03;
const UNIX_BYTES: usize = 216;
const POLYNOMIAL: u32 = 0x82F6_3B78;

#[cfg(test)]
#[path = "header_test.rs"]
mod tests;

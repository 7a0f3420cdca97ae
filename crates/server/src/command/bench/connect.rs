//! Sockets of the bench's own, and its clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

/// The bench's own clock: nanoseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the beginning.
    pub(super) fn nanos(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A connection, blocking. On loopback it comes from one of several addresses, so that ports do not
/// run short. It is closed by a reset, so that none of them waits for its time to be over.
///
/// # Errors
/// If there is no connection to be had.
pub(super) fn connect(to: SocketAddr, place: usize) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if to.ip().is_loopback() && to.is_ipv4() {
        let last = u8::try_from(place % SOURCES).unwrap_or(0) + 2;
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.connect(&to.into()).with_context(|| format!("connection {place} to {to}"))?;
    Ok(socket)
}

/// Addresses that connections come from.
const SOURCES: usize = 8;

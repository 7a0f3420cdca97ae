//! The listening sockets.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel keeps while the acceptor is busy.
const BACKLOG: i32 = 4_096;

/// Listens on every address.
///
/// # Errors
///
/// An address that cannot be listened on, with what to do about it.
pub(super) fn all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>> {
    addresses
        .iter()
        .map(|address| {
            one(*address).with_context(|| {
                format!("cannot listen on {address}; `--listen` chooses another address")
            })
        })
        .collect()
}

fn one(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again meets connections of the last one in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

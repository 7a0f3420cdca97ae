//! The listening sockets.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::settings::Settings;
use crate::tls::Entrance;

/// Connections that the kernel keeps while the acceptor is busy.
const BACKLOG: i32 = 4_096;

/// A listening socket, and what is spoken on it.
pub(super) type Listener = (TcpListener, Entrance);

/// Listens on every address.
///
/// # Errors
///
/// An address that cannot be listened on, with what to do about it.
pub(super) fn all(settings: &Settings) -> Result<Vec<Listener>> {
    let plain = settings.listen.iter().map(|address| (address, Entrance::Plain));
    let secure = settings.tls.listen.iter().map(|address| (address, Entrance::Secure));
    plain
        .chain(secure)
        .map(|(address, entrance)| {
            let flag = match entrance {
                Entrance::Plain => "--listen",
                Entrance::Secure => "--tls-listen",
            };
            let listener = one(*address).with_context(|| {
                format!("cannot listen on {address}; `{flag}` chooses another address")
            })?;
            Ok((listener, entrance))
        })
        .collect()
}

/// Listens on every address for operators, in clear.
///
/// # Errors
///
/// As [`all`].
pub(super) fn operators(settings: &Settings) -> Result<Vec<TcpListener>> {
    let addresses = settings.admin_listen.iter();
    let listen = addresses.map(|address| {
        let what = || format!("cannot listen on {address}; `admin.listen` chooses another address");
        one(*address).with_context(what)
    });
    listen.collect()
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

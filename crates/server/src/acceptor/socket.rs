//! What every accepted socket is set to, and the spare descriptor for when there are none left.

use std::fs::File;
use std::io;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{SockRef, TcpKeepalive};

/// Unsent bytes that the kernel takes before it says that it is full: small, so that what a slow
/// reader gets next is decided late.
const NOTSENT_LOWAT: u32 = 32 * 1024;

/// Silence after which the kernel begins to ask whether the other end is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// How long what was sent may stay without an acknowledgement.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Sets the options of an accepted socket.
pub(super) fn prepare(socket: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    }
    Ok(())
}

/// Whether an accept failed because the process or the system has no descriptor or memory left.
pub(super) fn is_starvation(error: &io::Error) -> bool {
    // ENOMEM 12, ENFILE 23, EMFILE 24, ENOBUFS 105: the same on every Linux architecture.
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105))
}

/// A descriptor kept back, so that a connection that waits while there is none can be accepted and
/// closed: its client is told at once, and the listener does not stay ready for ever.
#[derive(Debug)]
pub(super) struct Spare {
    file: Option<File>,
}

impl Spare {
    pub(super) fn open() -> Self {
        Self { file: File::open("/dev/null").ok() }
    }

    /// Accepts one connection and closes it.
    pub(super) fn turn_away(&mut self, listener: &TcpListener) {
        if self.file.take().is_some() {
            drop(listener.accept());
        }
        self.file = File::open("/dev/null").ok();
    }
}

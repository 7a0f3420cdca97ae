//! What every accepted socket is set to, and the spare descriptor for when there are none left.

use std::fs::File;
use std::io;
use std::time::Duration;

use mio::net::TcpListener;
use socket2::{SockRef, TcpKeepalive};

/// Unsent bytes that the kernel takes before it says that it is full: small, so that what a slow
/// reader gets next is decided late.
const NOTSENT_LOWAT: u32 = 32 * 1024;

/// Silence after which the kernel begins to ask whether the other end is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// Whether what is accepted has the options of its listener from the start (`tcp(7)`).
pub(super) const INHERITS: bool = cfg!(target_os = "linux");

/// Sets the options of an accepted socket; where those are inherited, of the listener instead, which
/// saves six calls for each connection. What is sent may stay for `write_within` without being
/// acknowledged, or without room for more.
pub(super) fn prepare(socket: &SockRef<'_>, write_within: Duration) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        socket.set_tcp_user_timeout(Some(write_within))?;
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::SockRef;

    use super::{INHERITS, KEEPALIVE_EVERY, KEEPALIVE_IDLE, prepare};

    const WRITE_WITHIN: Duration = Duration::from_secs(21);

    #[test]
    fn what_is_accepted_notices_that_its_client_has_vanished() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if INHERITS {
            prepare(&SockRef::from(&listener), WRITE_WITHIN).unwrap();
        }
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        if !INHERITS {
            prepare(&accepted, WRITE_WITHIN).unwrap();
        }
        assert!(accepted.tcp_nodelay().unwrap());
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(accepted.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
        #[cfg(target_os = "linux")]
        {
            assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(WRITE_WITHIN));
            assert_eq!(accepted.tcp_notsent_lowat().unwrap(), super::NOTSENT_LOWAT);
        }
    }
}

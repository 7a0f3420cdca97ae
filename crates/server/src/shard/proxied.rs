//! A connection that a proxy has begun with a PROXY header: who its client is has to be known before
//! anything else is read.
//!
//! No byte behind the header is read here, so that whatever is spoken on the connection begins
//! untouched.

use std::io::{self, Read};
use std::net::SocketAddr;

use fanfare_core::code::Code;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::{Persistence, append_problem};
use fanfare_protocol::proxy::{NotAHeader, Progress, Source, read_header};
use mio::net::TcpStream;

use super::http::{Http, Judge};
use super::step::Step;

/// A connection whose header has not come whole.
#[derive(Debug)]
pub(super) struct Proxied {
    proxy: SocketAddr,
    read: Vec<u8>,
}

impl Proxied {
    /// What comes from this proxy, or from who is none.
    pub(super) fn new(proxy: SocketAddr) -> Self {
        Self { proxy, read: Vec::new() }
    }

    /// Reads what there is of the header. When it is whole, gives the connection that follows.
    pub(super) fn advance(
        &mut self,
        socket: &mut TcpStream,
        judge: &Judge,
        out: &mut Vec<u8>,
    ) -> Step {
        if !judge.terms.proxies.trusted.contains(self.proxy.ip()) {
            return refuse("It comes from nobody in `proxies.trusted`.", out);
        }
        loop {
            let wanted = match read_header(&self.read) {
                Ok(Progress::Needs(wanted)) => wanted,
                Ok(Progress::Whole(source)) => return Step::Greet(Box::new(self.client(source))),
                Err(error) => return refuse(told(error), out),
            };
            let before = self.read.len();
            self.read.resize(before + wanted, 0);
            let outcome = socket.read(self.read.get_mut(before..).unwrap_or_default());
            self.read.truncate(before + *outcome.as_ref().unwrap_or(&0));
            match outcome {
                Ok(0) => return Step::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Step::Gone,
            }
        }
    }

    fn client(&self, source: Source) -> Http {
        match source {
            Source::Client(address) => Http::new(address),
            Source::Proxy | Source::Unknown => Http::new(self.proxy),
        }
    }
}

fn told(error: NotAHeader) -> &'static str {
    match error {
        NotAHeader::Missing => "It does not begin with a PROXY header.",
        NotAHeader::Version1 => "Its PROXY header is one of version 1, and only 2 is spoken.",
        NotAHeader::Unknown => "Its PROXY header has a version or command that does not exist.",
        NotAHeader::TooLong => "Its PROXY header is too long.",
        NotAHeader::CutOff => "Its PROXY header is cut off.",
        NotAHeader::Checksum => "Its PROXY header has a wrong checksum.",
    }
}

fn refuse(detail: &'static str, out: &mut Vec<u8>) -> Step {
    let hint = "`proxies.protocol` is v2, so that every connection has to begin with a PROXY header \
                of version 2 (in haproxy `send-proxy-v2`), and come from `proxies.trusted`.";
    let problem = Problem::new(Code::ProxyRefused, detail, hint);
    append_problem(out, &problem, &AllowedOrigin::None, Persistence::Close);
    Step::Refuse(problem.code())
}

//! Extensions: what a client offers in `Sec-WebSocket-Extensions` and what is answered (RFC 6455
//! section 9.1). The one that is known is permessage-deflate (RFC 7692), without context takeover
//! in either direction: what is sent is deflated once and shared by every reader, and a connection
//! that says nothing keeps no window.

use super::handshake::is_token_byte;

/// An offer of permessage-deflate that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeflateAnswer {
    /// The offer says nothing of the server's window.
    Plain,
    /// The offer names the server's window, as the largest there is, and the answer has to as well
    /// (RFC 7692 section 7.1.2.1).
    WindowNamed,
}

impl DeflateAnswer {
    /// The value of `Sec-WebSocket-Extensions` in the 101.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Plain => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            }
            Self::WindowNamed => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=15"
            }
        }
    }
}

/// The first offer of a header's value that can be accepted. One that demands a smaller window of
/// the server, or has a parameter that RFC 7692 does not know, repeats or forbids, is declined.
/// Nothing is looked for behind what is no list of extensions.
#[must_use]
pub fn accept_deflate(value: &[u8]) -> Option<DeflateAnswer> {
    let mut list = List { rest: value };
    loop {
        while list.passes(b',') {}
        let mut offer = Offer::of(list.token()?);
        while list.passes(b';') {
            let parameter = list.token()?;
            let value = if list.passes(b'=') { Some(list.value()?) } else { None };
            offer.take(parameter, value);
        }
        if !list.is_at_end() && !list.passes(b',') {
            return None;
        }
        if let Some(answer) = offer.answer() {
            return Some(answer);
        }
    }
}

/// One offer, as far as it was read.
struct Offer {
    acceptable: bool,
    /// The parameters seen, a bit each.
    seen: u8,
}

impl Offer {
    fn of(name: &[u8]) -> Self {
        Self { acceptable: name == b"permessage-deflate", seen: 0 }
    }

    fn take(&mut self, parameter: &[u8], value: Option<&[u8]>) {
        let bit = match (parameter, value) {
            (b"server_no_context_takeover", None) => 1,
            (b"client_no_context_takeover", None) => 2,
            // How far back a client looks is its own affair: whatever it is, it is understood.
            (b"client_max_window_bits", None) => 4,
            (b"client_max_window_bits", Some(bits)) if is_window(bits) => 4,
            (b"server_max_window_bits", Some(b"15")) => SERVER_WINDOW,
            _ => 0,
        };
        self.acceptable &= bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
    }

    fn answer(&self) -> Option<DeflateAnswer> {
        let answer = match self.seen & SERVER_WINDOW {
            0 => DeflateAnswer::Plain,
            _ => DeflateAnswer::WindowNamed,
        };
        self.acceptable.then_some(answer)
    }
}

/// The bit of `server_max_window_bits`.
const SERVER_WINDOW: u8 = 8;

/// Whether it is a whole number from 8 to 15 without leading zeros.
fn is_window(bits: &[u8]) -> bool {
    matches!(bits, [b'8' | b'9'] | [b'1', b'0'..=b'5'])
}

/// What is left of a list of extensions.
struct List<'a> {
    rest: &'a [u8],
}

impl<'a> List<'a> {
    fn is_at_end(&mut self) -> bool {
        self.rest = self.rest.trim_ascii_start();
        self.rest.is_empty()
    }

    fn passes(&mut self, mark: u8) -> bool {
        match self.rest.trim_ascii_start().split_first() {
            Some((first, rest)) if *first == mark => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let end = rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(rest.len());
        let (token, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A parameter's value: a token, which may stand in quotes.
    fn value(&mut self) -> Option<&'a [u8]> {
        if !self.passes(b'"') {
            return self.token();
        }
        let token = self.token()?;
        self.passes(b'"').then_some(token)
    }
}

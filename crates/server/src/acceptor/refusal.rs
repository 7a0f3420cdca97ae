//! Connections over the limit: told so, kindly and with bounded effort.
//!
//! An `EventSource` gives up for ever on a 503 but comes back after a stream that broke off, so the
//! request is looked at before it is answered: an event stream gets its `retry:` and is aborted,
//! everyone else gets the problem. At most [`REFUSALS_MAX`] wait at once; for one more the oldest
//! is answered unread.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

/// Refused connections that are waited for at once.
const REFUSALS_MAX: usize = 256;

/// How long a refused client has to send its request, and then to take its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tokens of refused connections begin here, above those of listeners.
const TOKENS: usize = 1 << 20;

/// Bytes of a request that are looked at.
const LOOK_BYTES: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Refusals {
    waiting: VecDeque<Waiting>,
    next_token: usize,
    retry: Range<Duration>,
    draw: u64,
}

#[derive(Debug)]
struct Waiting {
    socket: TcpStream,
    token: Token,
    until: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come yet.
    Unread,
    /// The answer is written; what still comes is read away, since closing over unread bytes would
    /// reset the connection and could take the answer with it.
    Answered,
}

impl Refusals {
    pub(super) fn new(retry: Range<Duration>) -> Self {
        Self { waiting: VecDeque::new(), next_token: TOKENS, retry, draw: 0x9E37_79B9_7F4A_7C15 }
    }

    pub(super) fn add(&mut self, mut socket: TcpStream, now: Instant, poll: &Poll) {
        if self.waiting.len() >= REFUSALS_MAX {
            self.finish_oldest(poll);
        }
        let token = Token(self.next_token);
        self.next_token =
            if self.next_token == usize::MAX - 1 { TOKENS } else { self.next_token + 1 };
        let registered = poll.registry().register(&mut socket, token, Interest::READABLE);
        if registered.is_ok() {
            self.waiting.push_back(Waiting {
                socket,
                token,
                until: now + PATIENCE,
                stage: Stage::Unread,
            });
            // The request is often there already, and then no event would come for it.
            self.ready(token, poll);
        }
    }

    /// The socket with this token can be read.
    pub(super) fn ready(&mut self, token: Token, poll: &Poll) {
        let Ok(place) = self.waiting.binary_search_by_key(&token.0, |waiting| waiting.token.0)
        else {
            return;
        };
        let retry = self.draw_retry();
        let Some(waiting) = self.waiting.get_mut(place) else {
            return;
        };
        if waiting.advance(retry) == Progress::Over
            && let Some(waiting) = self.waiting.remove(place)
        {
            close(waiting, poll);
        }
    }

    /// Answers or closes whoever had its time.
    pub(super) fn expire(&mut self, now: Instant, poll: &Poll) {
        while self.waiting.front().is_some_and(|waiting| waiting.until <= now) {
            self.finish_oldest(poll);
        }
    }

    /// When [`Self::expire`] is wanted.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.until)
    }

    fn finish_oldest(&mut self, poll: &Poll) {
        let retry = self.draw_retry();
        if let Some(mut waiting) = self.waiting.pop_front() {
            if waiting.stage == Stage::Unread {
                waiting.answer(&[], retry);
            }
            close(waiting, poll);
        }
    }

    fn draw_retry(&mut self) -> Duration {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        let span = self.retry.end.saturating_sub(self.retry.start).as_millis();
        let share = u128::from(self.draw) % span.max(1);
        self.retry.start + Duration::from_millis(u64::try_from(share).unwrap_or(0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waits,
    Over,
}

impl Waiting {
    fn advance(&mut self, retry: Duration) -> Progress {
        let mut bytes = [0; LOOK_BYTES];
        // Bounded, so that a client that never stops sending is no work for ever.
        for _ in 0..16 {
            match self.socket.read(&mut bytes) {
                Ok(0) => return Progress::Over,
                Ok(read) if self.stage == Stage::Unread => {
                    self.answer(bytes.get(..read).unwrap_or_default(), retry);
                    self.stage = Stage::Answered;
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Progress::Waits;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Progress::Over,
            }
        }
        Progress::Over
    }

    fn answer(&mut self, request: &[u8], retry: Duration) {
        let answer = if wants_events(request) { soft_refusal(retry) } else { problem(retry) };
        // A fresh socket has room for it; where it has not, nobody reads it either.
        let written = self.socket.write_all(answer.as_bytes());
        if written.is_ok() {
            let _gone = self.socket.shutdown(Shutdown::Write);
        }
    }
}

fn close(mut waiting: Waiting, poll: &Poll) {
    // Closing takes it out of the poll in any case.
    let _closed = poll.registry().deregister(&mut waiting.socket);
}

/// Whether the request asks for `text/event-stream`, which only needs to be right for browsers.
fn wants_events(request: &[u8]) -> bool {
    let wanted = b"text/event-stream";
    request.starts_with(b"GET ")
        && request.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
}

fn soft_refusal(retry: Duration) -> String {
    // Chunked and without its last chunk: the body is aborted, not ended.
    let line = format!("retry: {}\n", retry.as_millis());
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n\
         Vary: Accept, Origin\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n\
         Access-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{line}\r\n",
        line.len()
    )
}

fn problem(retry: Duration) -> String {
    let code = fanfare_core::code::Code::ConnectionsFull;
    let row = code.row();
    let body = format!(
        "{{\"type\":\"about:blank#{name}\",\"title\":\"{sentence}\",\"status\":{status},\"code\":\"{name}\",\
         \"detail\":\"{sentence}\",\"hint\":\"raise limits.connections_max, or come back later\"}}",
        name = row.name,
        sentence = row.sentence,
        status = row.status,
    );
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
         Cache-Control: no-store\r\nVary: Accept, Origin\r\nX-Content-Type-Options: nosniff\r\n\
         Retry-After: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        retry.as_secs().max(1),
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::wants_events;

    #[test]
    fn an_event_source_is_recognised() {
        assert!(wants_events(b"GET /c/a HTTP/1.1\r\naccept: Text/Event-Stream\r\n\r\n"));
        assert!(!wants_events(b"POST /c/a HTTP/1.1\r\naccept: text/event-stream\r\n"));
        assert!(!wants_events(b"GET / HTTP/1.1\r\n\r\n"));
        assert!(!wants_events(b""));
    }
}

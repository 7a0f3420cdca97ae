//! Connections over the limit: told so, kindly and with bounded effort.
//!
//! An `EventSource` gives up for ever on a 503 but comes back after a stream that broke off, so the
//! request is looked at before it is answered, as `answer` says. At most [`REFUSALS_MAX`] wait at
//! once; for one more the oldest is answered with what has come of its request.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use socket2::SockRef;

use super::AcceptorOptions;
use super::answer::{Ending, Limit, Seen, answer};
use crate::limit::Terms;

/// Refused connections that are waited for at once.
const REFUSALS_MAX: usize = 256;

/// How long a refused client has to send its request, and then to take its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tokens of refused connections begin here, above those of listeners.
const TOKENS: usize = 1 << 20;

/// Bytes of a request that are looked at.
const LOOK_BYTES: usize = 4 * 1024;

/// The refused who wait for their answer, or for their end after it.
#[derive(Debug)]
pub(super) struct Refusals {
    waiting: VecDeque<Waiting>,
    next_token: usize,
    options: Arc<ArcSwap<AcceptorOptions>>,
    draw: u64,
}

#[derive(Debug)]
struct Waiting {
    socket: TcpStream,
    token: Token,
    until: Instant,
    limit: Limit,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its request is not whole yet, and lies in the kernel until it is.
    Unread,
    /// The answer is written; what still comes is read away, since closing over unread bytes would
    /// reset the connection and could take the answer with it.
    Answered,
}

impl Refusals {
    /// Nobody waits. Who is refused comes back after some time that the options say.
    pub(super) fn new(options: Arc<ArcSwap<AcceptorOptions>>) -> Self {
        let draw = 0x9E37_79B9_7F4A_7C15;
        Self { waiting: VecDeque::new(), next_token: TOKENS, options, draw }
    }

    /// Takes a connection that is over a limit.
    pub(super) fn add(&mut self, mut socket: TcpStream, limit: Limit, now: Instant, poll: &Poll) {
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
                limit,
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
        if waiting.advance(retry, &self.options.load()) == Progress::Over
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
                let mut bytes = [0; LOOK_BYTES];
                let come = waiting.socket.peek(&mut bytes).unwrap_or(0);
                let options = self.options.load();
                let seen = Seen::of(bytes.get(..come).unwrap_or_default(), &options.policy);
                waiting.answer(&seen, retry, &options.terms);
            }
            close(waiting, poll);
        }
    }

    fn draw_retry(&mut self) -> Duration {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        let retry = self.options.load().retry.clone();
        let span = retry.end.saturating_sub(retry.start).as_millis();
        let share = u128::from(self.draw) % span.max(1);
        retry.start + Duration::from_millis(u64::try_from(share).unwrap_or(0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waits,
    Over,
}

impl Waiting {
    fn advance(&mut self, retry: Duration, options: &AcceptorOptions) -> Progress {
        match self.stage {
            Stage::Unread => self.look(retry, options),
            Stage::Answered => self.read_away(),
        }
    }

    /// Answers if the request's head has come, or as much of it as is looked at.
    fn look(&mut self, retry: Duration, options: &AcceptorOptions) -> Progress {
        let mut bytes = [0; LOOK_BYTES];
        let come = match self.socket.peek(&mut bytes) {
            Ok(0) => return Progress::Over,
            Ok(come) => come,
            Err(error) => return progress_after(&error),
        };
        let seen = Seen::of(bytes.get(..come).unwrap_or_default(), &options.policy);
        if !seen.is_whole() && come < LOOK_BYTES {
            return Progress::Waits;
        }
        self.answer(&seen, retry, &options.terms);
        self.stage = Stage::Answered;
        self.read_away()
    }

    fn read_away(&mut self) -> Progress {
        let mut bytes = [0; LOOK_BYTES];
        // Bounded, so that a client that never stops sending is no work for ever.
        for _ in 0..16 {
            match self.socket.read(&mut bytes) {
                Ok(0) => return Progress::Over,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return progress_after(&error),
            }
        }
        Progress::Over
    }

    fn answer(&mut self, seen: &Seen, retry: Duration, terms: &Terms) {
        let (answer, ending) = answer(seen, self.limit, terms, retry);
        // A fresh socket has room for it; where it has not, nobody reads it either.
        let written = self.socket.write_all(&answer);
        match ending {
            Ending::Close if written.is_ok() => {
                let _gone = self.socket.shutdown(Shutdown::Write);
            }
            Ending::Close => {}
            Ending::Reset => {
                let _gone = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
            }
        }
    }
}

/// What a failed look at a socket means.
fn progress_after(error: &Error) -> Progress {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Progress::Waits,
        _ => Progress::Over,
    }
}

fn close(mut waiting: Waiting, poll: &Poll) {
    // Closing takes it out of the poll in any case.
    let _closed = poll.registry().deregister(&mut waiting.socket);
}

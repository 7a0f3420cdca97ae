//! What the code of one connection wants done next.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{Opening, Request};
use fanfare_core::start::Subscription;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::v1::Token;

use super::http::Http;
use super::inquiry::Inquiry;
use super::websocket::Large;
use crate::auth::{Caller, Rounds};
use crate::limit::{ClientAddress, Sender};

/// What is to be done after bytes of a client were decoded. Whatever was appended to the output
/// goes out before it.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing until something happens.
    Wait,
    /// There is more to read or decode, after everyone else had a turn.
    Yield,
    /// A channel's owner is asked; the connection has taken note that it waits.
    Ask {
        /// The connection's number for it.
        request: u64,
        /// The channel.
        channel: ChannelName,
        /// The question.
        question: Request,
        /// Bytes that it brings along.
        bytes: usize,
    },
    /// A clerk is to read a message; the connection has taken note that it waits.
    HandIn {
        /// The connection's number for it.
        request: u64,
        /// The message.
        large: Box<Large>,
    },
    /// A channel is added.
    Subscribe {
        /// The connection's number for it.
        request: u64,
        /// The channel and where to start.
        subscription: Subscription,
    },
    /// A channel is dropped.
    Unsubscribe {
        /// The connection's number for it.
        request: u64,
        /// The channel.
        channel: ChannelName,
    },
    /// The application's backend is asked first.
    Inquire(Box<Inquiry>),
    /// New credentials were shown and found good.
    Refresh {
        /// The connection's number for it.
        request: u64,
        /// Who the client is with them.
        caller: Box<Caller>,
    },
    /// New credentials were shown whose issuer's keys are being fetched.
    AwaitKeys {
        /// The connection's number for it.
        request: u64,
        /// What was shown.
        token: Token,
        /// What is waited for.
        rounds: Rounds,
    },
    /// Its proxy has said who is there, and the client's first request follows.
    Greet(Box<Http>),
    /// The connection becomes a reader.
    Become(Box<Becoming>),
    /// The edge takes the connection over.
    HandOver,
    /// A WebSocket that has sent its close frame waits for the client's.
    AwaitClose,
    /// The same, for this reason, which is counted.
    AwaitCloseFor(Code),
    /// The client was told this refusal, which is counted, and goes on.
    Told(Code),
    /// As [`Self::Finish`], for this reason, which is counted.
    Refuse(Code),
    /// The connection is finished with: what is written goes out, then it is closed.
    Finish,
    /// The client is gone.
    Gone,
}

/// What an HTTP connection turns into.
#[derive(Debug)]
pub(super) enum Becoming {
    /// A stream, when the core has opened it, where it comes from and whom it counts for.
    Stream(super::stream::Stream, Opening, (ClientAddress, Sender)),
    /// A WebSocket, when the core has opened it, where it comes from and whom it counts for.
    Socket(super::websocket::Session, Box<Opening>, (ClientAddress, Sender)),
    /// A WebSocket that is told by its close frame why it is not opened.
    Refused(super::websocket::Session),
    /// A stream that is told why it does not begin.
    RefusedStream(super::stream::Stream, Problem),
}

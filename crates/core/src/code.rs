//! The closed table of everything that a client can be told when it is refused.
//!
//! Each protocol maps a code to its own numbers: HTTP to a status, WebSocket to a close code. A
//! test keeps the table of `docs/protocol.md` equal to this one.

use Retry::{Later, Never, SameKey};

/// Why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// The channel's name breaks a rule of channel names.
    ChannelInvalid = 1,
    /// The request names no channel.
    ChannelMissing = 2,
    /// The request names more channels than one connection may have.
    ChannelsTooMany = 3,
    /// The place to start from cannot be read.
    SinceInvalid = 4,
    /// A parameter of the request cannot be read or contradicts another.
    ParameterInvalid = 5,
    /// The body is not what its content type says.
    BodyInvalid = 6,
    /// The content type is not type/subtype with well-formed parameters.
    ContentTypeInvalid = 7,
    /// Text is taken as UTF-8 only.
    CharsetUnsupported = 8,
    /// The payload is larger than the limit.
    PayloadTooLarge = 9,
    /// A batch has more items than the limit.
    ItemsTooMany = 10,
    /// The WebSocket handshake is not valid.
    HandshakeInvalid = 11,
    /// The request needs a WebSocket upgrade of version 13.
    UpgradeRequired = 12,
    /// None of the offered subprotocols is known.
    SubprotocolUnknown = 13,
    /// The request head is larger than the limit.
    HeadTooLarge = 14,
    /// The request did not arrive in time.
    RequestTimeout = 15,
    /// The request cannot be read as HTTP.
    RequestMalformed = 16,
    /// Nothing is served under this path.
    NotFound = 17,
    /// The path does not take this method.
    MethodNotAllowed = 18,
    /// The Host is not one this server answers to.
    HostRefused = 19,
    /// The Origin is not allowed.
    OriginRefused = 20,
    /// The request carries no credentials that are known.
    Unauthorized = 21,
    /// The credentials do not allow this.
    Forbidden = 22,
    /// The channel's head is not the expected one.
    ExpectFailed = 23,
    /// The channel has ended.
    ChannelEnded = 24,
    /// The idempotency key was used for something else.
    KeyReused = 25,
    /// The server holds as many channels as it may.
    ChannelsFull = 26,
    /// The server holds as many connections as it may.
    ConnectionsFull = 27,
    /// Too much is on its way.
    Overloaded = 28,
    /// The publication was certainly not stored.
    Unavailable = 29,
    /// Nobody knows whether the publication was stored; repeat it with the same key.
    OutcomeUnknown = 30,
    /// The server is shutting down.
    Draining = 31,
    /// Who decides on the request did not answer in time.
    AuthorityTimeout = 32,
    /// The connection already reads the channel.
    AlreadySubscribed = 33,
    /// The connection does not read the channel.
    NotSubscribed = 34,
    /// The command is not one of the protocol.
    CommandInvalid = 35,
    /// The reader was too slow.
    Slow = 36,
    /// The stream of this session is gone.
    SessionUnknown = 37,
    /// Something in the server broke.
    Internal = 38,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: the request has to change.
    Never,
    /// Yes, after a while.
    Later,
    /// Yes, and only with the same idempotency key.
    SameKey,
}

/// What is known of one code.
#[derive(Debug)]
pub struct Row {
    /// The code.
    pub code: Code,
    /// The stable word on the wire.
    pub name: &'static str,
    /// The HTTP status that it is told with.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retry: Retry,
    /// What it means, in one sentence for the client.
    pub sentence: &'static str,
}

impl Code {
    /// The code's row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        // A test holds that a code's number is its place in the table, counted from one.
        let place = self as usize - 1;
        TABLE.get(place).unwrap_or(&TABLE[TABLE.len() - 1])
    }

    /// The stable word on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The HTTP status that it is told with.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().status
    }
}

const fn row(
    code: Code,
    name: &'static str,
    status: u16,
    retry: Retry,
    sentence: &'static str,
) -> Row {
    Row { code, name, status, retry, sentence }
}

/// Every code, in the order of their numbers.
pub static TABLE: &[Row] = &[
    row(
        Code::ChannelInvalid,
        "channel-invalid",
        400,
        Never,
        "The channel's name breaks a rule of channel names.",
    ),
    row(Code::ChannelMissing, "no-channel", 400, Never, "The request names no channel."),
    row(
        Code::ChannelsTooMany,
        "too-many-channels",
        400,
        Never,
        "The request names more channels than one connection may have.",
    ),
    row(Code::SinceInvalid, "since-invalid", 400, Never, "The place to start from cannot be read."),
    row(
        Code::ParameterInvalid,
        "parameter-invalid",
        400,
        Never,
        "A parameter of the request cannot be read or contradicts another.",
    ),
    row(
        Code::BodyInvalid,
        "body-invalid",
        400,
        Never,
        "The body is not what its content type says.",
    ),
    row(
        Code::ContentTypeInvalid,
        "content-type-invalid",
        400,
        Never,
        "The content type is not type/subtype with well-formed parameters.",
    ),
    row(
        Code::CharsetUnsupported,
        "charset-unsupported",
        415,
        Never,
        "Text is taken as UTF-8 only.",
    ),
    row(
        Code::PayloadTooLarge,
        "payload-too-large",
        413,
        Never,
        "The payload is larger than the limit.",
    ),
    row(Code::ItemsTooMany, "too-many-items", 413, Never, "A batch has more items than the limit."),
    row(
        Code::HandshakeInvalid,
        "handshake-invalid",
        400,
        Never,
        "The WebSocket handshake is not valid.",
    ),
    row(
        Code::UpgradeRequired,
        "upgrade-required",
        426,
        Never,
        "The request needs a WebSocket upgrade of version 13.",
    ),
    row(
        Code::SubprotocolUnknown,
        "subprotocol-unknown",
        400,
        Never,
        "None of the offered subprotocols is known.",
    ),
    row(
        Code::HeadTooLarge,
        "head-too-large",
        431,
        Never,
        "The request head is larger than the limit.",
    ),
    row(Code::RequestTimeout, "request-timeout", 408, Later, "The request did not arrive in time."),
    row(
        Code::RequestMalformed,
        "request-malformed",
        400,
        Never,
        "The request cannot be read as HTTP.",
    ),
    row(Code::NotFound, "not-found", 404, Never, "Nothing is served under this path."),
    row(
        Code::MethodNotAllowed,
        "method-not-allowed",
        405,
        Never,
        "The path does not take this method.",
    ),
    row(
        Code::HostRefused,
        "host-refused",
        403,
        Never,
        "The Host is not one this server answers to.",
    ),
    row(Code::OriginRefused, "origin-refused", 403, Never, "The Origin is not allowed."),
    row(
        Code::Unauthorized,
        "unauthorized",
        401,
        Never,
        "The request carries no credentials that are known.",
    ),
    row(Code::Forbidden, "forbidden", 403, Never, "The credentials do not allow this."),
    row(
        Code::ExpectFailed,
        "expect-failed",
        409,
        Never,
        "The channel's head is not the expected one.",
    ),
    row(Code::ChannelEnded, "channel-ended", 409, Never, "The channel has ended."),
    row(
        Code::KeyReused,
        "key-reused",
        422,
        Never,
        "The idempotency key was used for something else.",
    ),
    row(
        Code::ChannelsFull,
        "channels-full",
        507,
        Later,
        "The server holds as many channels as it may.",
    ),
    row(
        Code::ConnectionsFull,
        "connections-full",
        503,
        Later,
        "The server holds as many connections as it may.",
    ),
    row(Code::Overloaded, "overloaded", 503, Later, "Too much is on its way."),
    row(Code::Unavailable, "unavailable", 503, Later, "The publication was certainly not stored."),
    row(
        Code::OutcomeUnknown,
        "outcome-unknown",
        503,
        SameKey,
        "Nobody knows whether the publication was stored; repeat it with the same key.",
    ),
    row(Code::Draining, "draining", 503, Later, "The server is shutting down."),
    row(
        Code::AuthorityTimeout,
        "authority-timeout",
        503,
        Later,
        "Who decides on the request did not answer in time.",
    ),
    row(
        Code::AlreadySubscribed,
        "already-subscribed",
        409,
        Never,
        "The connection already reads the channel.",
    ),
    row(
        Code::NotSubscribed,
        "not-subscribed",
        409,
        Never,
        "The connection does not read the channel.",
    ),
    row(
        Code::CommandInvalid,
        "command-invalid",
        400,
        Never,
        "The command is not one of the protocol.",
    ),
    row(Code::Slow, "slow", 503, Later, "The reader was too slow."),
    row(Code::SessionUnknown, "session-unknown", 404, Never, "The stream of this session is gone."),
    row(Code::Internal, "internal", 500, Later, "Something in the server broke."),
];

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn every_code_finds_its_own_row() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, place + 1, "{}", row.name);
            assert_eq!(row.code.name(), row.name);
        }
    }
}

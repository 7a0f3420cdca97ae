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
    /// A parameter has a value that is not allowed.
    ParameterInvalid = 5,
    /// Two parameters contradict each other.
    ParameterConflict = 6,
    /// The content type is not type/subtype with well-formed parameters.
    ContentTypeInvalid = 7,
    /// The payload is declared as JSON and is not.
    JsonInvalid = 8,
    /// The payload is text by its type and is not UTF-8.
    TextInvalid = 9,
    /// The batch is neither a JSON array nor NDJSON of items.
    BatchInvalid = 10,
    /// The frame, or the body, is not a command.
    CommandInvalid = 11,
    /// There is no such command.
    CommandUnknown = 12,
    /// The WebSocket handshake is not valid.
    HandshakeInvalid = 13,
    /// None of the offered subprotocols is known.
    SubprotocolUnknown = 14,
    /// The request's body cannot be read as HTTP.
    RequestMalformed = 15,
    /// The request carries no credentials that are known.
    Unauthorized = 16,
    /// The credentials do not allow this.
    Forbidden = 17,
    /// The Host is not one this server answers to.
    HostRefused = 18,
    /// The Origin is not allowed.
    OriginRefused = 19,
    /// Nothing is served under this path.
    NotFound = 20,
    /// The stream of this session is gone.
    SessionGone = 21,
    /// The path does not take this method.
    MethodNotAllowed = 22,
    /// The request did not arrive in time.
    RequestTimeout = 23,
    /// The channel's head is not the expected one.
    ExpectFailed = 24,
    /// The channel has ended.
    ChannelEnded = 25,
    /// The connection already reads the channel.
    AlreadySubscribed = 26,
    /// The connection does not read the channel.
    NotSubscribed = 27,
    /// The payload is larger than the limit.
    PayloadTooLarge = 28,
    /// The batch has more items or bytes than the limit.
    BatchTooLarge = 29,
    /// Text is taken as UTF-8 only.
    CharsetUnsupported = 30,
    /// The idempotency key was used for something else.
    KeyReused = 31,
    /// The request has headers of a WebSocket and no Upgrade.
    UpgradeRequired = 32,
    /// The only version of WebSocket here is 13.
    VersionUnsupported = 33,
    /// The request head is larger than the limit.
    HeadTooLarge = 34,
    /// Something in the server broke.
    Internal = 35,
    /// The server holds as many connections as it may.
    ConnectionsFull = 36,
    /// Too much is on its way.
    Overloaded = 37,
    /// The publication was certainly not stored.
    NotApplied = 38,
    /// Nobody knows whether the publication was stored; repeat it with the same key.
    OutcomeUnknown = 39,
    /// The server is shutting down.
    Draining = 40,
    /// Who decides on the request did not answer in time.
    AuthorityTimeout = 41,
    /// The server holds as many channels as it may.
    ChannelsFull = 42,
    /// The disk has no room for what would have to be stored.
    StorageFull = 43,
    /// The channel does not tell who reads it.
    PresenceOff = 44,
    /// Too much of this came in a short time.
    RateLimited = 45,
    /// The address or user holds as many connections as it may.
    ConnectionsLimited = 46,
    /// The connection does not come from a proxy that is trusted.
    ProxyRefused = 47,
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
        TABLE.get(place).unwrap_or(&TABLE[Self::Internal as usize - 1])
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
        "A parameter has a value that is not allowed.",
    ),
    row(
        Code::ParameterConflict,
        "parameter-conflict",
        400,
        Never,
        "Two parameters contradict each other.",
    ),
    row(
        Code::ContentTypeInvalid,
        "content-type-invalid",
        400,
        Never,
        "The content type is not type/subtype with well-formed parameters.",
    ),
    row(
        Code::JsonInvalid,
        "json-invalid",
        400,
        Never,
        "The payload is declared as JSON and is not.",
    ),
    row(
        Code::TextInvalid,
        "text-invalid",
        400,
        Never,
        "The payload is text by its type and is not UTF-8.",
    ),
    row(
        Code::BatchInvalid,
        "batch-invalid",
        400,
        Never,
        "The batch is neither a JSON array nor NDJSON of items.",
    ),
    row(
        Code::CommandInvalid,
        "command-invalid",
        400,
        Never,
        "The frame, or the body, is not a command.",
    ),
    row(Code::CommandUnknown, "command-unknown", 400, Never, "There is no such command."),
    row(
        Code::HandshakeInvalid,
        "handshake-invalid",
        400,
        Never,
        "The WebSocket handshake is not valid.",
    ),
    row(
        Code::SubprotocolUnknown,
        "subprotocol-unknown",
        400,
        Never,
        "None of the offered subprotocols is known.",
    ),
    row(
        Code::RequestMalformed,
        "request-malformed",
        400,
        Never,
        "The request's body cannot be read as HTTP.",
    ),
    row(
        Code::Unauthorized,
        "unauthorized",
        401,
        Never,
        "The request carries no credentials that are known.",
    ),
    row(Code::Forbidden, "forbidden", 403, Never, "The credentials do not allow this."),
    row(
        Code::HostRefused,
        "host-refused",
        403,
        Never,
        "The Host is not one this server answers to.",
    ),
    row(Code::OriginRefused, "origin-refused", 403, Never, "The Origin is not allowed."),
    row(Code::NotFound, "not-found", 404, Never, "Nothing is served under this path."),
    row(Code::SessionGone, "session-gone", 404, Never, "The stream of this session is gone."),
    row(
        Code::MethodNotAllowed,
        "method-not-allowed",
        405,
        Never,
        "The path does not take this method.",
    ),
    row(Code::RequestTimeout, "request-timeout", 408, Later, "The request did not arrive in time."),
    row(
        Code::ExpectFailed,
        "expect-failed",
        409,
        Never,
        "The channel's head is not the expected one.",
    ),
    row(Code::ChannelEnded, "channel-ended", 409, Never, "The channel has ended."),
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
        Code::PayloadTooLarge,
        "payload-too-large",
        413,
        Never,
        "The payload is larger than the limit.",
    ),
    row(
        Code::BatchTooLarge,
        "batch-too-large",
        413,
        Never,
        "The batch has more items or bytes than the limit.",
    ),
    row(
        Code::CharsetUnsupported,
        "charset-unsupported",
        415,
        Never,
        "Text is taken as UTF-8 only.",
    ),
    row(
        Code::KeyReused,
        "key-reused",
        422,
        Never,
        "The idempotency key was used for something else.",
    ),
    row(
        Code::UpgradeRequired,
        "upgrade-required",
        426,
        Never,
        "The request has headers of a WebSocket and no Upgrade.",
    ),
    row(
        Code::VersionUnsupported,
        "websocket-version",
        426,
        Never,
        "The only version of WebSocket here is 13.",
    ),
    row(
        Code::HeadTooLarge,
        "head-too-large",
        431,
        Never,
        "The request head is larger than the limit.",
    ),
    row(Code::Internal, "internal", 500, Later, "Something in the server broke."),
    row(
        Code::ConnectionsFull,
        "connections-full",
        503,
        Later,
        "The server holds as many connections as it may.",
    ),
    row(Code::Overloaded, "overloaded", 503, Later, "Too much is on its way."),
    row(Code::NotApplied, "not-applied", 503, Later, "The publication was certainly not stored."),
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
        Code::ChannelsFull,
        "channels-full",
        507,
        Later,
        "The server holds as many channels as it may.",
    ),
    row(
        Code::StorageFull,
        "storage-full",
        507,
        Later,
        "The disk has no room for what would have to be stored.",
    ),
    row(Code::PresenceOff, "presence-off", 403, Never, "The channel does not tell who reads it."),
    row(Code::RateLimited, "rate-limited", 429, Later, "Too much of this came in a short time."),
    row(
        Code::ConnectionsLimited,
        "too-many-connections",
        429,
        Later,
        "The address or user holds as many connections as it may.",
    ),
    row(
        Code::ProxyRefused,
        "proxy-refused",
        403,
        Never,
        "The connection does not come from a proxy that is trusted.",
    ),
];

#[cfg(test)]
mod tests {
    use super::{Retry, TABLE};

    const DOCS: &str = include_str!("../../../docs/protocol.md");

    #[test]
    fn every_code_finds_its_own_row() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, place + 1, "{}", row.name);
            assert_eq!(row.code.name(), row.name);
        }
    }

    #[test]
    fn the_documentation_has_every_code_with_an_anchor_and_no_other() {
        let lines: Vec<&str> = DOCS.lines().filter(|line| line.starts_with("| <a id=\"")).collect();
        let expected: Vec<String> = TABLE
            .iter()
            .map(|row| {
                let retry = match row.retry {
                    Retry::Never => "no",
                    Retry::Later => "yes",
                    Retry::SameKey => "same key",
                };
                let (name, status, sentence) = (row.name, row.status, row.sentence);
                let anchor = format!("<a id=\"{name}\"></a>");
                format!("| {anchor}{name} | {status} | {retry} | {sentence} |")
            })
            .collect();
        assert_eq!(lines, expected);
    }
}

//! Why a request for a WebSocket gets an HTTP answer instead: each reason by name, with its
//! status, its sentence and what to change.

/// What is wrong with an opening handshake (RFC 6455 section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `Upgrade: websocket` on another method than GET.
    #[error("a WebSocket opens with GET")]
    NotGet,
    /// `Upgrade: websocket` on HTTP/1.0.
    #[error("a WebSocket opens over HTTP/1.1")]
    NotHttp11,
    /// An extended CONNECT of HTTP/2 to something else than a WebSocket.
    #[error("the only :protocol of an extended CONNECT is websocket")]
    ProtocolUnknown,
    /// No Host, or an empty one.
    #[error("the Host header is missing")]
    HostMissing,
    /// More than one Host.
    #[error("there is more than one Host header")]
    HostRepeated,
    /// `Sec-WebSocket-Key` or `Sec-WebSocket-Version`, but no `Upgrade: websocket`.
    #[error("Sec-WebSocket headers came without Upgrade: websocket")]
    UpgradeMissing,
    /// No `Connection` header with the token `upgrade`.
    #[error("the Connection header does not say upgrade")]
    ConnectionMissing,
    /// A `Content-Length` above 0 or a `Transfer-Encoding`: its body would be read as frames.
    #[error("a WebSocket's opening request has no body")]
    BodyPresent,
    /// No `Sec-WebSocket-Version`.
    #[error("the Sec-WebSocket-Version header is missing")]
    VersionMissing,
    /// More than one `Sec-WebSocket-Version`.
    #[error("there is more than one Sec-WebSocket-Version header")]
    VersionRepeated,
    /// A version other than 13.
    #[error("the only Sec-WebSocket-Version is 13")]
    VersionUnsupported,
    /// No `Sec-WebSocket-Key`.
    #[error("the Sec-WebSocket-Key header is missing")]
    KeyMissing,
    /// More than one `Sec-WebSocket-Key`.
    #[error("there is more than one Sec-WebSocket-Key header")]
    KeyRepeated,
    /// A key that is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    KeyInvalid,
    /// A `Sec-WebSocket-Protocol` that is not a list of tokens.
    #[error("Sec-WebSocket-Protocol is not a list of tokens")]
    ProtocolsMalformed,
    /// The same subprotocol offered twice.
    #[error("Sec-WebSocket-Protocol offers the same twice")]
    ProtocolsRepeated,
    /// More than [`super::PROTOCOLS_OFFERED_MAX`] subprotocols offered.
    #[error("Sec-WebSocket-Protocol offers too many")]
    ProtocolsTooMany,
    /// Subprotocols offered, none of them known; a browser would drop the connection anyway.
    #[error("none of the offered subprotocols is known")]
    SubprotocolUnknown,
    /// More than one `bearer.` offered: which of the tokens counts would be a guess.
    #[error("more than one bearer token is offered")]
    BearerRepeated,
}

impl Refusal {
    /// 426 where another handshake would do, 400 otherwise.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UpgradeMissing | Self::VersionMissing | Self::VersionUnsupported => 426,
            Self::NotGet
            | Self::NotHttp11
            | Self::ProtocolUnknown
            | Self::HostMissing
            | Self::HostRepeated
            | Self::ConnectionMissing
            | Self::BodyPresent
            | Self::VersionRepeated
            | Self::KeyMissing
            | Self::KeyRepeated
            | Self::KeyInvalid
            | Self::ProtocolsMalformed
            | Self::ProtocolsRepeated
            | Self::ProtocolsTooMany
            | Self::SubprotocolUnknown
            | Self::BearerRepeated => 400,
        }
    }

    /// The headers its status demands (RFC 6455 section 4.4, RFC 9110 section 15.5.22).
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self.status() {
            426 => &[
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
            ],
            _ => &[],
        }
    }

    /// What to change.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::UpgradeMissing | Self::NotHttp11 | Self::ConnectionMissing => PROXY_HINT,
            Self::ProtocolUnknown => "Send `:protocol: websocket`.",
            Self::NotGet => "Use GET for a WebSocket; to publish with POST leave out Upgrade.",
            Self::HostMissing | Self::HostRepeated => "Send exactly one Host header.",
            Self::BodyPresent => "Leave out Content-Length and Transfer-Encoding.",
            Self::VersionMissing | Self::VersionRepeated | Self::VersionUnsupported => {
                "Send exactly one Sec-WebSocket-Version: 13."
            }
            Self::KeyMissing | Self::KeyRepeated | Self::KeyInvalid => {
                "Send exactly one Sec-WebSocket-Key: 16 random bytes in base64, 24 characters \
                 that end with ==."
            }
            Self::ProtocolsMalformed | Self::ProtocolsRepeated | Self::ProtocolsTooMany => {
                "Offer each subprotocol once, at most 64, separated by commas."
            }
            Self::SubprotocolUnknown => {
                "Add fanfare.raw (payloads) or fanfare.v1 (JSON) to the subprotocols you offer, \
                 beside any bearer.<token>; or offer none to get fanfare.raw's behaviour."
            }
            Self::BearerRepeated => "Offer one bearer.<token>.",
        }
    }
}

const PROXY_HINT: &str = "If a proxy stands between, it has removed it. For nginx: \
                          proxy_http_version 1.1; \
                          proxy_set_header Upgrade $http_upgrade; \
                          proxy_set_header Connection \"upgrade\";";

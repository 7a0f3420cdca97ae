//! How TLS connections are accepted: what is offered to clients, and what they choose.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::aws_lc_rs::cipher_suite as suite;

use super::certificates::Certificates;
use super::failure::Failure;
use super::resolver::Resolver;
use super::session::Session;

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// The protocol in which a certificate authority looks at who controls a name (RFC 8737).
pub(super) const CHALLENGE: &[u8] = b"acme-tls/1";

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// HTTP as it is.
    Plain,
    /// HTTP in TLS.
    Secure,
}

/// What is spoken inside a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Application {
    /// HTTP/1.1, or the client did not say.
    Http1,
    /// HTTP/2, which the edge speaks.
    Http2,
    /// Nothing: the handshake itself is what a certificate authority came for.
    Challenge,
}

/// Begins sessions for accepted connections.
#[derive(Debug, Clone)]
pub(crate) struct Acceptance {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Acceptance {
    /// Sessions with these certificates.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub(crate) fn new(certificates: Arc<Certificates>) -> Result<Self> {
        let mut provider = aws_lc_rs::default_provider();
        // Authenticated encryption with forward secrecy alone, the ones that phones and servers
        // have in hardware first; rustls offers nothing weaker either.
        provider.cipher_suites = vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ];
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .context("TLS 1.2 and 1.3 cannot be offered")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver::new(Arc::clone(&certificates))));
        // Their keys change every six hours, and are accepted for as long again.
        config.ticketer = aws_lc_rs::Ticketer::new().context("keys for tickets cannot be made")?;
        // A client that comes back brings what it needs in its ticket.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        // Every client gets the first of the list that it can, which is as strong as any and the
        // cheapest.
        config.ignore_client_order = true;
        config.alpn_protocols = [HTTP2, HTTP1, CHALLENGE].map(<[u8]>::to_vec).into();
        Ok(Self { config: Arc::new(config), certificates })
    }

    /// A session that waits for its client's hello.
    ///
    /// # Errors
    /// A mistake of the server's own.
    pub(crate) fn begin(&self) -> Result<Session, Failure> {
        Session::accept(&self.config)
    }

    /// The certificates that clients are shown.
    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }
}

/// What the name of a protocol, as agreed on in the handshake, stands for.
pub(super) fn application_of(agreed: Option<&[u8]>) -> Application {
    match agreed {
        Some(HTTP2) => Application::Http2,
        Some(CHALLENGE) => Application::Challenge,
        _ => Application::Http1,
    }
}

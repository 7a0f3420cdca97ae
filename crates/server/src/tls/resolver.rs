//! Which certificate a client is shown.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::acceptance::CHALLENGE;
use super::certificates::{Certificate, Certificates};

/// Looks certificates up by the name that a client asks for.
#[derive(Debug)]
pub(super) struct Resolver {
    certificates: Arc<Certificates>,
}

impl Resolver {
    pub(super) fn new(certificates: Arc<Certificates>) -> Self {
        Self { certificates }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        // Who looks for a challenge offers nothing else (RFC 8737, section 3).
        let mut offered = hello.alpn().into_iter().flatten();
        if offered.next() == Some(CHALLENGE) && offered.next().is_none() {
            return self.certificates.challenge(name?);
        }
        let first = || self.certificates.find(|first| Some(Arc::clone(&first.certified)));
        if self.certificates.count() < 2 {
            return first();
        }
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let fitting = name.and_then(|name| {
            self.certificates
                .find(|each| is_valid_for(each, &name).then(|| Arc::clone(&each.certified)))
        });
        fitting.or_else(first)
    }
}

fn is_valid_for(certificate: &Certificate, name: &ServerName<'_>) -> bool {
    let parsed = certificate.certified.cert.first().map(ParsedCertificate::try_from);
    parsed
        .is_some_and(|parsed| parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok()))
}

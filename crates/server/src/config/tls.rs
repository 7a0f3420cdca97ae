//! Builds what is set about TLS: where it is spoken, and which certificates are shown there.

use std::net::SocketAddr;

use super::address;
use super::effective::Rows;
use super::mistake::Mistake;
use super::settings::{CertificateFiles, Tls};
use super::table::{self, Key};

/// The settings, and everything wrong with them beside each other.
pub(super) fn tls(top: &Rows) -> (Tls, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut mistake = |key: &'static Key, what: String, change: String| {
        let what = format!("`{}` {what}", top.name(key));
        mistakes.push(Mistake { origin: top.origin(key), what, change });
    };
    let mut listen: Vec<SocketAddr> = Vec::new();
    for text in top.list(&table::TLS_LISTEN) {
        match address::listen(text) {
            Ok(address) => listen.push(address),
            Err(change) => mistake(&table::TLS_LISTEN, format!("has {text:?}"), change),
        }
    }
    if listen.len() > ADDRESSES_MAX {
        mistake(&table::TLS_LISTEN, "has more than 16 addresses".into(), "remove some".into());
    }
    let certificates = top.list(&table::TLS_CERTIFICATE);
    let keys = top.list(&table::TLS_KEY);
    if certificates.len() != keys.len() {
        let (certificates, keys) = (certificates.len(), keys.len());
        let what = format!("has {keys} files, and `tls.certificate` has {certificates}");
        mistake(&table::TLS_KEY, what, "name one key for each certificate, in their order".into());
    }
    let files = certificates.iter().zip(keys);
    let certificates: Vec<_> = files
        .map(|(certificate, key)| CertificateFiles {
            certificate: certificate.into(),
            key: key.into(),
        })
        .collect();
    if listen.is_empty() && !certificates.is_empty() {
        let change = "say where with `tls.listen`, such as `0.0.0.0:443`".into();
        mistake(&table::TLS_CERTIFICATE, "is set, and TLS is spoken nowhere".into(), change);
    }
    if !listen.is_empty() && certificates.is_empty() && keys.is_empty() {
        let change = "name the files with `tls.certificate` and `tls.key`".into();
        mistake(&table::TLS_LISTEN, "is set, and there is no certificate".into(), change);
    }
    (Tls { listen, certificates }, mistakes)
}

/// As for `listen`.
const ADDRESSES_MAX: usize = 16;

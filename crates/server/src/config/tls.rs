//! Builds what is set about TLS: where it is spoken, and which certificates are shown there.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::address;
use super::effective::Rows;
use super::mistake::Mistake;
use super::settings::{Acme, CertificateFiles, Tls};
use super::storage_keys;
use super::table::Key;
use super::tls_keys;

/// The settings, and everything wrong with them beside each other.
pub(super) fn tls(top: &Rows) -> (Tls, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut mistake = |key: &'static Key, what: String, change: String| {
        let what = format!("`{}` {what}", top.name(key));
        mistakes.push(Mistake { origin: top.origin(key), what, change });
    };
    let mut listen: Vec<SocketAddr> = Vec::new();
    for text in top.list(&tls_keys::TLS_LISTEN) {
        match address::listen(text) {
            Ok(address) => listen.push(address),
            Err(change) => mistake(&tls_keys::TLS_LISTEN, format!("has {text:?}"), change),
        }
    }
    if listen.len() > ADDRESSES_MAX {
        mistake(&tls_keys::TLS_LISTEN, "has more than 16 addresses".into(), "remove some".into());
    }
    let certificates = top.list(&tls_keys::TLS_CERTIFICATE);
    let keys = top.list(&tls_keys::TLS_KEY);
    if certificates.len() != keys.len() {
        let (certificates, keys) = (certificates.len(), keys.len());
        let what = format!("has {keys} files, and `tls.certificate` has {certificates}");
        mistake(
            &tls_keys::TLS_KEY,
            what,
            "name one key for each certificate, in their order".into(),
        );
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
        mistake(&tls_keys::TLS_CERTIFICATE, "is set, and TLS is spoken nowhere".into(), change);
    }
    let acme = acme(top, &mut mistake);
    if listen.is_empty() && acme.is_some() {
        let change = "say where with `tls.listen`; the authority looks at port 443".into();
        mistake(&tls_keys::ACME_DOMAINS, "is set, and TLS is spoken nowhere".into(), change);
    }
    if !listen.is_empty() && certificates.is_empty() && keys.is_empty() && acme.is_none() {
        let change =
            "name the files with `tls.certificate` and `tls.key`, or have one issued with \
                      `acme.domains`"
                .into();
        mistake(&tls_keys::TLS_LISTEN, "is set, and there is no certificate".into(), change);
    }
    (Tls { listen, certificates, acme }, mistakes)
}

fn acme(top: &Rows, mistake: &mut impl FnMut(&'static Key, String, String)) -> Option<Acme> {
    let domains = top.list(&tls_keys::ACME_DOMAINS);
    if domains.is_empty() {
        return None;
    }
    for domain in domains {
        let name = address::host(domain).is_ok_and(|host| host.contains('.'));
        if !name || domain.contains([':', '*']) || domain.parse::<IpAddr>().is_ok() {
            let change = "write names such as `live.example.com`; TLS-ALPN-01 proves no others";
            mistake(&tls_keys::ACME_DOMAINS, format!("has {domain:?}"), change.into());
        }
    }
    let url = top.text(&tls_keys::ACME_URL).unwrap_or_default().trim();
    if !url.starts_with("https://") || address::url(url).is_err() {
        let change = "write the https URL of the authority's directory".into();
        mistake(&tls_keys::ACME_URL, format!("is {url:?}"), change);
    }
    let contact = top.text(&tls_keys::ACME_CONTACT);
    if let Some(contact) = contact.filter(|contact| !contact.contains('@')) {
        let change = "write an address for mail, such as `ops@example.com`".into();
        mistake(&tls_keys::ACME_CONTACT, format!("is {contact:?}"), change);
    }
    let folder = top.text(&tls_keys::ACME_FOLDER).map_or_else(
        || PathBuf::from(top.text(&storage_keys::LOG_DIRECTORY).unwrap_or_default()).join("acme"),
        PathBuf::from,
    );
    Some(Acme {
        domains: domains.iter().map(|domain| domain.trim().to_ascii_lowercase()).collect(),
        url: url.to_owned(),
        contact: contact.map(str::to_owned),
        ca: top.text(&tls_keys::ACME_CA).map(PathBuf::from),
        folder,
    })
}

/// As for `listen`.
const ADDRESSES_MAX: usize = 16;

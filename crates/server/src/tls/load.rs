//! Reads certificates and keys in PEM, and says what is wrong with them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificates::{Certificate, unix_seconds};
use super::validity::validity;
use crate::config::settings::CertificateFiles;

/// Bytes of a file at most: whoever names `/dev/zero` is told so.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a certificate and its key.
pub(super) fn load(files: &CertificateFiles) -> Result<Certificate> {
    let (path, key_path) = (files.certificate.display(), files.key.display());
    let certificates = read(&files.certificate)?;
    let key = read(&files.key)?;
    certificate(&certificates, &key, path.to_string())
        .with_context(|| format!("the certificate {path} with the key {key_path}"))
}

/// A certificate and its key, both in PEM.
pub(super) fn certificate(certificates: &[u8], key: &[u8], source: String) -> Result<Certificate> {
    let chain = chain(certificates)?;
    let (valid_from, valid_until) = ends(&chain)?;
    let certified = certified(chain, private_key(key)?)?;
    Ok(Certificate { certified: Arc::new(certified), valid_from, valid_until, source })
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        PemError::NoItemsFound => anyhow::anyhow!(
            "there is no private key in the file; it has to be in PEM and not encrypted"
        ),
        other => anyhow::Error::from(other).context("the private key cannot be read"),
    })
}

fn ends(chain: &[CertificateDer<'_>]) -> Result<(u64, u64)> {
    let Some(ends) = chain.first().and_then(|first| validity(first)) else {
        bail!("the first certificate does not say when it expires, so it is none");
    };
    Ok(ends)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey> {
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .context("the key is not that of the first certificate, or is of no kind that TLS has")
}

/// What is wrong with a file, and what to change, as an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) change: &'static str,
}

/// What is wrong with the file of a certificate and with that of its key; nothing if clients can be
/// shown it now.
pub(crate) fn look(files: &CertificateFiles) -> [Option<Wrong>; 2] {
    let chain = read_file(&files.certificate)
        .context("it cannot be read")
        .and_then(|pem| chain(&pem))
        .and_then(|chain| ends(&chain).map(|ends| (chain, ends)));
    let key = read_file(&files.key).context("it cannot be read").and_then(|pem| private_key(&pem));
    let of_certificate = |error: &anyhow::Error| Wrong {
        what: format!("{error:#}"),
        change: "name a PEM file with the certificate, then those that lead to its root",
    };
    let of_key = |error: &anyhow::Error| Wrong {
        what: format!("{error:#}"),
        change: "name the PEM file with the certificate's private key",
    };
    match (chain, key) {
        (Ok((chain, ends)), Ok(key)) => {
            let together = certified(chain, key).err();
            [untimely(ends), together.as_ref().map(of_key)]
        }
        (Ok((_, ends)), Err(error)) => [untimely(ends), Some(of_key(&error))],
        (chain, key) => [chain.err().as_ref().map(of_certificate), key.err().as_ref().map(of_key)],
    }
}

/// That it is not the time of a certificate, if so.
fn untimely((from, until): (u64, u64)) -> Option<Wrong> {
    let now = unix_seconds();
    let days = |seconds: u64| seconds.div_ceil(24 * 3600);
    if until <= now {
        let what = format!("the certificate expired {} days ago", days(now - until));
        return Some(Wrong { what, change: "renew it" });
    }
    let what = || format!("the certificate begins in {} days", days(from - now));
    (from > now).then(|| Wrong { what: what(), change: "look whether the clock is right" })
}

/// The certificates of a file in PEM, at least one.
pub(super) fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .context("a certificate in the file cannot be read")?;
    if chain.is_empty() {
        bail!("there is no certificate in the file; it has to be in PEM");
    }
    Ok(chain)
}

/// Reads a small file; says which if it cannot.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    read_file(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The same, for who says that themselves.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}

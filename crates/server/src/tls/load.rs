//! Reads certificates and keys in PEM, and says what is wrong with them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificates::Certificate;
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
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        PemError::NoItemsFound => anyhow::anyhow!(
            "there is no private key in the file; it has to be in PEM and not encrypted"
        ),
        other => anyhow::Error::from(other).context("the private key cannot be read"),
    })?;
    let Some((valid_from, valid_until)) = chain.first().and_then(|first| validity(first)) else {
        bail!("the first certificate does not say when it expires, so it is none");
    };
    let provider = aws_lc_rs::default_provider();
    let certified = CertifiedKey::from_der(chain, key, &provider)
        .context("the key is not that of the first certificate, or is of no kind that TLS has")?;
    Ok(Certificate { certified: Arc::new(certified), valid_from, valid_until, source })
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

/// Reads a small file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let reading = || {
        let file = std::fs::File::open(path)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)
    };
    let length = { reading }().with_context(|| format!("{} cannot be read", path.display()))?;
    if length as u64 > FILE_BYTES_MAX {
        bail!("{} is larger than 1 MiB", path.display());
    }
    Ok(bytes)
}

//! TLS from the other side: what the commands that talk to a server trust, and how they connect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::load::{chain, read};

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Trust {
    /// Those that the system believes.
    #[default]
    System,
    /// Those that lead to one in this file, and no others.
    File(PathBuf),
}

impl Trust {
    /// What to connect with.
    ///
    /// # Errors
    /// If the file is of no use, or the system believes nobody.
    pub(crate) fn connector(&self) -> Result<Connector> {
        let roots = match self {
            Self::System => system()?,
            Self::File(path) => from_file(path)?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS 1.2 and 1.3 cannot be offered")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Connector { connector: TlsConnector::from(Arc::new(config)) })
    }
}

/// Makes TLS of sockets that are connected already.
#[derive(Clone)]
pub(crate) struct Connector {
    connector: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// Shakes hands with a server of this name or address.
    ///
    /// # Errors
    /// The certificate is not believed, or the server speaks no TLS.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        socket: S,
    ) -> std::io::Result<TlsStream<S>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        self.connector.connect(name, socket).await
    }

    /// Whether a handshake failed because nobody that is believed has issued the certificate.
    pub(crate) fn is_unknown_issuer(error: &std::io::Error) -> bool {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        matches!(
            cause,
            Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
        )
    }
}

fn system() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let error = found.errors.into_iter().next().map(|error| error.to_string());
        anyhow::bail!(
            "the system has no certificates to believe ({}); install them (ca-certificates), or \
             name a file",
            error.unwrap_or_else(|| "none was found".to_owned())
        );
    }
    Ok(roots)
}

fn from_file(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates = chain(&read(path)?).with_context(|| path.display().to_string())?;
    for certificate in certificates {
        roots
            .add(certificate)
            .with_context(|| format!("a certificate in {} cannot be a root", path.display()))?;
    }
    Ok(roots)
}

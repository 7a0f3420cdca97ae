//! How connections come that do not come plainly: in TLS, by a certificate that is made on the spot,
//! and each with a token of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::folder::Folder;
use crate::auth::token::{Algorithm, GRANTS, SigningKey};

/// The flags that say how.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct MannerFlags {
    /// Have connections come in TLS, by a certificate that is made for this run.
    #[arg(long)]
    tls: bool,
    /// Have each connection show a token of its own, of another user each.
    #[arg(long)]
    token: bool,
}

/// How connections come.
#[derive(Debug)]
pub(super) struct Manner {
    tls: Option<Tls>,
    /// The secret that tokens are signed with.
    secret: Option<String>,
}

#[derive(Debug)]
struct Tls {
    config: Arc<ClientConfig>,
    address: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    /// Where the two are, as long as they are needed.
    _folder: Folder,
}

impl MannerFlags {
    /// Whether connections come in TLS.
    pub(super) fn tls(self) -> bool {
        self.tls
    }

    /// Whether they come as they do without a flag.
    pub(super) fn is_plain(self) -> bool {
        !self.tls && !self.token
    }

    /// In words, behind what is measured.
    pub(super) fn words(self) -> String {
        let tls = if self.tls { ", in TLS 1.3" } else { "" };
        let token = if self.token { ", each with a token" } else { "" };
        format!("{tls}{token}")
    }

    /// What it takes.
    ///
    /// # Errors
    /// If no certificate can be made or kept.
    pub(super) fn manner(self) -> Result<Manner> {
        let secret = || format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Ok(Manner {
            tls: self.tls.then(Tls::make).transpose()?,
            // Who measures on loopback keeps nobody out.
            secret: self.token.then(secret),
        })
    }
}

impl Tls {
    fn make() -> Result<Self> {
        let folder = Folder::new()?;
        let key = KeyPair::generate().context("no key can be made")?;
        let certificate = CertificateParams::new(vec![NAME.to_owned()])
            .and_then(|params| params.self_signed(&key))
            .context("no certificate can be made")?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone())?;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Everyone is new.
        config.resumption = Resumption::disabled();
        let path = |name: &str| folder.path().join(name);
        let (certificate_path, key_path) = (path("certificate.pem"), path("key.pem"));
        fs::write(&certificate_path, certificate.pem())?;
        fs::write(&key_path, key.serialize_pem())?;
        // It is free for a moment at least, in which the server takes it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self {
            config: Arc::new(config),
            address: free,
            certificate: certificate_path,
            key: key_path,
            _folder: folder,
        })
    }
}

impl Manner {
    /// The variables that a Fanfare is started with.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut add = |name: &str, value: String| variables.push((name.to_owned(), value));
        if let Some(tls) = &self.tls {
            add("FANFARE_TLS__LISTEN", tls.address.to_string());
            add("FANFARE_TLS__CERTIFICATE", tls.certificate.display().to_string());
            add("FANFARE_TLS__KEY", tls.key.display().to_string());
        }
        if let Some(secret) = &self.secret {
            add("FANFARE_ISSUERS__BENCH__SECRET", secret.clone());
        }
        variables
    }

    /// Where they come to, if that is not where others do.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|tls| tls.address)
    }

    /// Shakes hands on a socket that still blocks, if they come in TLS.
    ///
    /// # Errors
    /// If the server speaks none, or shows another certificate.
    pub(super) fn secure(&self, socket: &mut TcpStream) -> Result<Option<Box<ClientConnection>>> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let name = ServerName::try_from(NAME)?;
        let mut session = ClientConnection::new(Arc::clone(&tls.config), name)?;
        session.complete_io(socket).context("no TLS handshake")?;
        Ok(Some(Box::new(session)))
    }

    /// Puts the token of the one with this number into the head of its request.
    ///
    /// # Errors
    /// If none can be signed.
    pub(super) fn show(&self, request: &mut Vec<u8>, place: usize) -> Result<()> {
        let Some(secret) = &self.secret else { return Ok(()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = serde_json::json!({
            "sub": format!("u{place}"),
            "exp": now + TOKEN_SECONDS,
            GRANTS: {"subscribe": ["**"], "presence": ["**"]},
        });
        let key = SigningKey::of_secret(secret.as_bytes());
        let token = key.token(Algorithm::Hs256, None, &claims.to_string());
        let token = token.map_err(|why| anyhow!("a token cannot be signed: {why}"))?;
        // Before the empty line that ends the head.
        request.truncate(request.len().saturating_sub(2));
        request.extend_from_slice(format!("Authorization: Bearer {token}\r\n\r\n").as_bytes());
        Ok(())
    }
}

/// Whom the certificate is for.
const NAME: &str = "localhost";

/// How long a token holds; longer than anybody measures.
const TOKEN_SECONDS: u64 = 24 * 3600;

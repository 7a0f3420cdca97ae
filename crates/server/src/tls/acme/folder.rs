//! What is kept of an authority: the account, and the certificate with its key.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use instant_acme::AccountCredentials;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use serde::{Deserialize, Serialize};

use super::super::certificates::Certificate;
use super::super::load;

const ACCOUNT: &str = "account.json";

/// The certificates and their key, in PEM.
const ISSUED: &str = "issued.pem";

/// A folder that nobody else may look into.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// An account, and at which authority it is.
#[derive(Serialize, Deserialize)]
struct Kept<C> {
    url: String,
    credentials: C,
}

impl Folder {
    /// Makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let told = || format!("the folder {} for certificates cannot be used", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(told)?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(told)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The account at the authority of this URL, if there is one.
    pub(super) fn account(&self, url: &str) -> Result<Option<AccountCredentials>> {
        let path = self.path.join(ACCOUNT);
        if !path.exists() {
            return Ok(None);
        }
        let kept: Kept<AccountCredentials> = serde_json::from_slice(&load::read(&path)?)
            .with_context(|| format!("{} holds no account; remove it", path.display()))?;
        Ok((kept.url == url).then_some(kept.credentials))
    }

    /// Keeps the account at the authority of this URL.
    pub(super) async fn keep_account(&self, url: &str, kept: &AccountCredentials) -> Result<()> {
        let kept = Kept { url: url.to_owned(), credentials: kept };
        self.write(ACCOUNT, serde_json::to_vec_pretty(&kept)?).await
    }

    /// The certificate that was issued, if there is one and it is for all of these names.
    pub(super) fn issued(&self, domains: &[String]) -> Result<Option<Certificate>> {
        let path = self.path.join(ISSUED);
        if !path.exists() {
            return Ok(None);
        }
        certificate(&load::read(&path)?, domains).map(Some)
    }

    /// Keeps a certificate with its key.
    pub(super) async fn keep_issued(&self, pem: Vec<u8>) -> Result<()> {
        self.write(ISSUED, pem).await
    }

    /// Writes a file whole or not at all.
    async fn write(&self, name: &'static str, bytes: Vec<u8>) -> Result<()> {
        let folder = self.path.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let path = folder.join(name);
            let fresh = folder.join(format!("{name}.new"));
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&folder)?.sync_all()
        });
        writing.await?.with_context(|| format!("{name} cannot be kept in {}", self.path.display()))
    }
}

/// A certificate with its key, if it is for all of these names.
pub(super) fn certificate(pem: &[u8], domains: &[String]) -> Result<Certificate> {
    let certificate = load::certificate(pem, pem, format!("acme: {}", domains.join(", ")))?;
    let first = certificate.certified.cert.first().context("there is no certificate")?;
    let parsed = ParsedCertificate::try_from(first).context("the certificate cannot be read")?;
    for domain in domains {
        let name = ServerName::try_from(domain.as_str())?;
        let fits = verify_server_name(&parsed, &name).is_ok();
        ensure!(fits, "the certificate is not for {domain}");
    }
    Ok(certificate)
}

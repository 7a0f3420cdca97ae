//! TLS from end to end: what works in clear works in TLS, on shards and on the edge, and it ends as
//! TLS ends.

mod asking;
mod certificates;
mod checking;
mod command;
mod ending;
mod http2;
mod memory;
pub(crate) mod proxied;
mod reading;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use crate::cli::run::Folder;
use crate::server::Server;
use crate::wire::Wire;

/// The versions that are spoken.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// What issues certificates, and where they are.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Fanfare's tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = Folder::new();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The file that clients believe.
    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes a certificate for these names with a new key, as `NAME.pem` and `NAME.key`.
    fn issue(&self, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.folder.path().join(format!("{file}.{ending}"));
        let (chain, private) = (path("pem"), path("key"));
        fs::write(&chain, certificate.pem()).unwrap();
        fs::write(&private, key.serialize_pem()).unwrap();
        (chain, private)
    }

    fn client_config(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// A server with a plain port and one with TLS.
struct Secure {
    server: Server,
    authority: Authority,
    address: String,
    configs: [Arc<ClientConfig>; 2],
}

impl Secure {
    /// `fanfare dev` with a certificate for 127.0.0.1.
    fn start(settings: &[(&str, &str)]) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("server", &["127.0.0.1", "localhost"]);
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let tls = [
            ("FANFARE_TLS__LISTEN", "127.0.0.1:0"),
            ("FANFARE_TLS__CERTIFICATE", certificate),
            ("FANFARE_TLS__KEY", key),
        ];
        let server = Server::dev(&[&tls, settings].concat());
        let line = server.line_with("https://");
        let (_, address) = line.split_once("https://").unwrap();
        let address = address.trim().trim_end_matches('/').to_owned();
        let configs = VERSIONS.map(|version| Arc::new(authority.client_config(&[version])));
        Self { server, authority, address, configs }
    }

    /// A connection in each version.
    fn each(&self) -> impl Iterator<Item = Wire> {
        self.configs.iter().map(|config| self.connect_with(config))
    }

    /// A connection in TLS 1.3.
    fn connect(&self) -> Wire {
        self.connect_with(&self.configs[1])
    }

    fn connect_with(&self, config: &Arc<ClientConfig>) -> Wire {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        Wire::secure(&self.address, ClientConnection::new(Arc::clone(config), name).unwrap())
    }

    /// A figure of `/metrics`, which nothing in TLS is needed for.
    fn figure(&self, name: &str) -> u64 {
        self.server.connect().figure(name)
    }
}

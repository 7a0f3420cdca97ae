//! Sessions against rustls' own client, without sockets: what goes wrong here hangs or leaks there.

mod certificates;
mod sessions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::session::Handshake;
use super::{Acceptance, Certificates, Failure, Session};
use crate::config::settings::CertificateFiles;

/// A folder that is gone when its test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("fanfare-tls-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a certificate of its own for this name, and gives what clients need to believe it.
    fn write(&self, file: &str, name: &str) -> (CertificateFiles, RootCertStore) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let files = CertificateFiles {
            certificate: self.0.join(format!("{file}.pem")),
            key: self.0.join(format!("{file}.key")),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        (files, roots)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the system's temporary folder, which is emptied anyway.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

const NAME: &str = "live.example";

/// A server and what its clients believe.
struct Side {
    acceptance: Acceptance,
    roots: RootCertStore,
    _folder: Folder,
}

impl Side {
    fn new() -> Self {
        let folder = Folder::new();
        let (files, roots) = folder.write("a", NAME);
        let certificates = Certificates::read(vec![files]).unwrap();
        Self { acceptance: Acceptance::new(certificates).unwrap(), roots, _folder: folder }
    }

    fn client_config(&self, version: &'static rustls::SupportedProtocolVersion) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth()
    }

    fn pair(&self, config: ClientConfig) -> Pair {
        self.pair_of(&Arc::new(config))
    }

    fn pair_of(&self, config: &Arc<ClientConfig>) -> Pair {
        let name = ServerName::try_from(NAME).unwrap();
        Pair {
            client: ClientConnection::new(Arc::clone(config), name).unwrap(),
            session: self.acceptance.begin().unwrap(),
            plain: Vec::new(),
            cut: usize::MAX,
            handshake: None,
        }
    }
}

/// Two ends without a network.
struct Pair {
    client: ClientConnection,
    session: Session,
    /// What the server has read.
    plain: Vec<u8>,
    /// Bytes that arrive together at most.
    cut: usize,
    handshake: Option<Handshake>,
}

impl Pair {
    /// Moves bytes until neither end has more to say.
    fn pump(&mut self) -> Result<(), Failure> {
        loop {
            let mut sent = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut sent).unwrap();
            }
            for piece in sent.chunks(self.cut) {
                self.give(piece)?;
            }
            let answer = std::mem::take(self.session.unsent());
            if sent.is_empty() && answer.is_empty() {
                return Ok(());
            }
            self.take(&answer);
        }
    }

    /// The server reads this.
    fn give(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 * 1024];
        let kept = self.session.restore(&mut buffer);
        buffer[kept..kept + piece.len()].copy_from_slice(piece);
        let bytes = &mut buffer[..kept + piece.len()];
        if let Some(handshake) = self.session.receive(bytes, &mut self.plain)? {
            assert_eq!(self.handshake.replace(handshake), None, "a handshake ends once");
        }
        Ok(())
    }

    /// The client reads this.
    fn take(&mut self, mut ciphertext: &[u8]) {
        while !ciphertext.is_empty() {
            self.client.read_tls(&mut ciphertext).unwrap();
            self.client.process_new_packets().unwrap();
        }
    }

    /// The server says this, and the client reads it. Gives the sizes of the records.
    fn say(&mut self, plain: &[u8]) -> Vec<usize> {
        let mut sealed = Vec::new();
        self.session.seal(plain, &mut sealed).unwrap();
        let mut sizes = Vec::new();
        let mut rest = sealed.as_slice();
        while let [_, _, _, high, low, behind @ ..] = rest {
            let size = usize::from(u16::from_be_bytes([*high, *low]));
            sizes.push(size);
            rest = &behind[size..];
        }
        let mut read = Vec::new();
        let mut rest = sealed.as_slice();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().unwrap();
            // It fails for want of more, and has read what there was then.
            let _end = std::io::Read::read_to_end(&mut self.client.reader(), &mut read);
        }
        assert_eq!(read, plain);
        sizes
    }
}

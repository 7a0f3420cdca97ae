//! The certificates that clients are shown, and how they are replaced while the server runs.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::sign::CertifiedKey;

use super::load::load;
use crate::config::settings::CertificateFiles;

/// How often files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long before its end a certificate is warned of, once a day.
const WARN_BEFORE: Duration = Duration::from_hours(14 * 24);
const WARN_EVERY: Duration = Duration::from_hours(24);

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    /// Since when it is valid, in Unix seconds.
    pub(super) valid_from: u64,
    /// When it expires, in Unix seconds.
    pub(super) valid_until: u64,
    /// Where it comes from, for people.
    pub(super) source: String,
}

/// The certificates that clients are shown. New ones are for the handshakes after them.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Vec<CertificateFiles>,
    from_files: ArcSwap<Vec<Certificate>>,
    /// The one that a certificate authority has issued by itself.
    issued: ArcSwapOption<Certificate>,
    /// What a certificate authority that looks at who controls a name is shown, by that name.
    challenges: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
    /// What the files looked like when they were read last.
    stamps: Mutex<Vec<Stamp>>,
    /// What came of asking an authority: failures first.
    issues: [AtomicU64; 2],
}

/// What tells one content of a file from another without reading it.
type Stamp = Option<(SystemTime, u64)>;

impl Certificates {
    /// The certificates in these files.
    ///
    /// # Errors
    /// The first file that is of no use, and why.
    pub(crate) fn read(files: Vec<CertificateFiles>) -> Result<Arc<Self>> {
        let stamps = stamps(&files);
        let from_files = load_all(&files)?;
        let certificates = Self {
            files,
            from_files: ArcSwap::from_pointee(from_files),
            issued: ArcSwapOption::empty(),
            challenges: ArcSwap::default(),
            stamps: Mutex::new(stamps),
            issues: Default::default(),
        };
        certificates.warn_of_ends();
        Ok(Arc::new(certificates))
    }

    /// Reads the files again and shows what is there, if all of it fits together. Says in the log
    /// what came of it.
    pub(crate) fn reload(&self) {
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps(&self.files);
        match load_all(&self.files) {
            Ok(read) => {
                for certificate in &read {
                    tracing::info!(
                        certificate = certificate.source,
                        days_left = days_left(certificate.valid_until),
                        "a certificate was read again"
                    );
                }
                self.from_files.store(Arc::new(read));
                self.warn_of_ends();
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "certificates could not be read again: the ones before stay"
            ),
        }
    }

    /// Reads the files again if they have changed.
    pub(crate) fn reload_if_changed(&self) {
        let stamps = stamps(&self.files);
        if *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) != stamps {
            self.reload();
        }
    }

    /// Looks for changes for ever.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut warned = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let certificates = Arc::clone(&self);
            // A disk that does not answer keeps nobody else waiting.
            let looking = tokio::task::spawn_blocking(move || certificates.reload_if_changed());
            if looking.await.is_err() {
                tracing::error!("certificates could not be looked at");
            }
            if warned.elapsed() >= WARN_EVERY {
                warned = tokio::time::Instant::now();
                self.warn_of_ends();
            }
        }
    }

    /// Shows this one from now on, beside those from files.
    pub(super) fn show_issued(&self, certificate: Certificate) {
        self.issued.store(Some(Arc::new(certificate)));
    }

    /// The one that was issued and is shown.
    pub(super) fn issued(&self) -> Option<Arc<Certificate>> {
        self.issued.load_full()
    }

    /// Answers who asks for these names in the protocol of challenges, and for no others.
    pub(super) fn show_challenges(&self, challenges: HashMap<String, Arc<CertifiedKey>>) {
        self.challenges.store(Arc::new(challenges));
    }

    /// Counts what came of asking an authority.
    pub(super) fn count_issue(&self, issued: bool) {
        self.issues[usize::from(issued)].fetch_add(1, Ordering::Relaxed);
    }

    /// Certificates that an authority has issued since the start, and times that it did not.
    pub(crate) fn issues(&self) -> [u64; 2] {
        let [failed, issued] = &self.issues;
        [issued.load(Ordering::Relaxed), failed.load(Ordering::Relaxed)]
    }

    /// The certificate for a challenge about this name.
    pub(super) fn challenge(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.challenges.load().get(name).cloned()
    }

    /// Gives each certificate to `see` until that finds what it looks for.
    pub(super) fn find<T>(&self, mut see: impl FnMut(&Certificate) -> Option<T>) -> Option<T> {
        let from_files = self.from_files.load();
        let issued = self.issued.load();
        from_files.iter().chain(issued.as_deref()).find_map(&mut see)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.from_files.load().len() + usize::from(self.issued.load().is_some())
    }

    /// Where each comes from and when it expires, in Unix seconds.
    pub(crate) fn ends(&self) -> Vec<(String, u64)> {
        let mut ends = Vec::new();
        self.find(|certificate| {
            ends.push((certificate.source.clone(), certificate.valid_until));
            None::<()>
        });
        ends
    }

    fn warn_of_ends(&self) {
        for (certificate, until) in self.ends() {
            let left = until.saturating_sub(unix_seconds());
            if left == 0 {
                tracing::error!(certificate, "a certificate has expired");
            } else if left < WARN_BEFORE.as_secs() {
                tracing::warn!(certificate, days_left = days_left(until), "a certificate expires");
            }
        }
    }
}

fn load_all(files: &[CertificateFiles]) -> Result<Vec<Certificate>> {
    files.iter().map(load).collect()
}

fn stamps(files: &[CertificateFiles]) -> Vec<Stamp> {
    files.iter().flat_map(|pair| [stamp(&pair.certificate), stamp(&pair.key)]).collect()
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// The time now, in Unix seconds.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whole days until then.
fn days_left(until: u64) -> u64 {
    until.saturating_sub(unix_seconds()) / (24 * 3600)
}

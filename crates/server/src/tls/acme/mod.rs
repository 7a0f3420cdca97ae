//! Certificates by naming a domain: an authority that speaks ACME (RFC 8555) issues them after it
//! has looked for a proof at the TLS port itself (TLS-ALPN-01, RFC 8737).
//!
//! One task keeps the certificate fresh. What was issued is kept in a folder, so that a restart
//! asks for nothing.

mod folder;
mod http;
mod order;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use instant_acme::{Account, NewAccount};

use super::Trust;
use super::certificates::{Certificate, Certificates, unix_seconds};
use crate::config::settings::Acme;
use folder::Folder;
use http::Https;

/// The pause after the first failure; each one after it is twice as long. Authorities allow few
/// failures an hour.
const PAUSE_MIN: Duration = Duration::from_mins(2);
const PAUSE_MAX: Duration = Duration::from_hours(6);

/// How often it is looked whether the certificate is due, so that a clock that was set wrong does
/// not matter for long.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// How long issuing may take in all.
const ISSUE_WITHIN: Duration = Duration::from_mins(5);

/// Keeps the certificate for some domains fresh.
#[derive(Debug)]
pub(crate) struct Keeper {
    settings: Acme,
    folder: Folder,
    certificates: Arc<Certificates>,
}

impl Keeper {
    /// Shows what was issued before, if it still fits.
    ///
    /// # Errors
    /// If the folder cannot be used, or the authority's own certificate cannot be checked.
    pub(crate) fn open(settings: Acme, certificates: &Arc<Certificates>) -> Result<Self> {
        let folder = Folder::open(&settings.folder)?;
        // What is wrong with it is said at the start and not an hour later.
        Https::new(&trust(&settings))?;
        match folder.issued(&settings.domains) {
            Ok(Some(certificate)) => certificates.show_issued(certificate),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the certificate that was issued before is of no use: another one is asked for"
            ),
        }
        Ok(Self { settings, folder, certificates: Arc::clone(certificates) })
    }

    /// Asks for a certificate whenever one is due, for ever.
    pub(crate) async fn keep(self) {
        let mut failures = 0;
        loop {
            let left = self.certificates.issued().map_or(0, |issued| seconds_to_renewal(&issued));
            if left > 0 {
                tokio::time::sleep(Duration::from_secs(left).min(LOOK_EVERY)).await;
                continue;
            }
            let issuing = tokio::time::timeout(ISSUE_WITHIN, self.issue());
            let outcome = issuing.await.context("it took longer than five minutes");
            self.certificates.show_challenges(std::collections::HashMap::new());
            match outcome.flatten() {
                Ok(()) => {
                    failures = 0;
                    // If the clocks disagree it may look due at once, and authorities count these.
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => {
                    self.certificates.count_issue(false);
                    let pause = pause_after(failures);
                    failures += 1;
                    tracing::error!(
                        error = format!("{error:#}"),
                        domains = self.settings.domains.join(", "),
                        again_in_seconds = pause.as_secs(),
                        "no certificate was issued"
                    );
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn issue(&self) -> Result<()> {
        let account = self.account().await?;
        let domains = &self.settings.domains;
        let pem = order::issue(&account, domains, &self.certificates).await?;
        let certificate = folder::certificate(&pem, domains)?;
        self.folder.keep_issued(pem).await?;
        tracing::info!(
            domains = domains.join(", "),
            renewal_in_days = seconds_to_renewal(&certificate) / (24 * 3600),
            "a certificate was issued"
        );
        self.certificates.count_issue(true);
        self.certificates.show_issued(certificate);
        Ok(())
    }

    /// The account at the authority, which is made if there is none yet.
    async fn account(&self) -> Result<Account> {
        let url = &self.settings.url;
        let builder = || -> Result<_> {
            let https = Https::new(&trust(&self.settings))?;
            Ok(Account::builder_with_http(Box::new(https)))
        };
        if let Some(credentials) = self.folder.account(url)? {
            let known = builder()?.from_credentials(credentials).await;
            return known.with_context(|| format!("the authority at {url} cannot be asked"));
        }
        let contact = self.settings.contact.as_ref().map(|address| format!("mailto:{address}"));
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = builder()?.create(&new, url.clone(), None).await;
        let (account, credentials) =
            made.with_context(|| format!("the authority at {url} gives no account"))?;
        self.folder.keep_account(url, &credentials).await?;
        Ok(account)
    }
}

/// Whom to believe to be the authority.
fn trust(settings: &Acme) -> Trust {
    settings.ca.clone().map_or(Trust::System, Trust::File)
}

/// How long a certificate is not asked for again: until a third of its life is left.
fn seconds_to_renewal(certificate: &Certificate) -> u64 {
    let life = certificate.valid_until.saturating_sub(certificate.valid_from);
    (certificate.valid_until - life / 3).saturating_sub(unix_seconds())
}

/// The pause after so many failures in a row before this one.
fn pause_after(failures: u32) -> Duration {
    let longest = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(PAUSE_MAX);
    // Up to a quarter less, so that servers that failed together do not come back together.
    longest.mul_f64(1.0 - fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PAUSE_MAX, pause_after};

    #[test]
    fn pauses_grow_up_to_a_bound_and_few_failures_fall_into_an_hour() {
        let mut within = Duration::ZERO;
        let mut tries = 1;
        while within + pause_after(tries) <= Duration::from_secs(3600) {
            within += pause_after(tries - 1);
            tries += 1;
        }
        assert!(tries <= 6, "{tries}");
        for failures in [20, 40, u32::MAX] {
            let pause = pause_after(failures);
            assert!(pause <= PAUSE_MAX && pause >= PAUSE_MAX / 2, "{pause:?}");
        }
    }
}

//! What a scrape tells of TLS.

use super::sample::{Sample, Value};
use crate::tls::{Certificates, Failure, TlsFigures};

/// Handshakes, and how long certificates still last.
pub(super) fn samples(certificates: Option<&Certificates>, figures: &TlsFigures) -> Vec<Sample> {
    let named = |names: &[&str], counts: &[u64]| {
        names.iter().map(|name| (*name).to_owned()).zip(counts.iter().copied()).collect()
    };
    let [issued, failed] = certificates.map(Certificates::issues).unwrap_or_default();
    vec![
        Sample {
            name: "fanfare_acme_issued",
            help: "Certificates issued by the authority of acme.url",
            value: Value::Counter(issued),
        },
        Sample {
            name: "fanfare_acme_failures",
            help: "Times that no certificate was issued when one was due",
            value: Value::Counter(failed),
        },
        Sample {
            name: "fanfare_tls_handshakes",
            help: "TLS handshakes, in full or resumed by a ticket",
            value: Value::Counters("kind", named(&TlsFigures::KINDS, &figures.handshakes)),
        },
        Sample {
            name: "fanfare_tls_failures",
            help: "TLS connections of shards that were broken off, by reason",
            value: Value::Counters("reason", named(&Failure::REASONS, &figures.failures)),
        },
        Sample {
            name: "fanfare_tls_certificate_expiry_seconds",
            help: "When each certificate expires, in Unix seconds",
            value: Value::Gauges(
                "certificate",
                certificates.map(Certificates::ends).unwrap_or_default(),
            ),
        },
    ]
}

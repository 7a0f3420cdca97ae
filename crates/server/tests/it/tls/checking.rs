//! `check` opens what a configuration names, and says what is wrong with each file.

use std::fs;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::Authority;
use crate::cli::run::{Outcome, fanfare, finish};

impl Authority {
    /// What `check` says of a configuration in the folder of the certificates.
    fn check(&self, configuration: &str) -> Outcome {
        let folder = self.folder.path();
        fs::write(folder.join("fanfare.toml"), configuration).unwrap();
        finish(fanfare(&["check"]).current_dir(folder).spawn().unwrap())
    }
}

#[test]
fn every_file_that_is_of_no_use_is_named_with_its_key_and_place() {
    let authority = Authority::new();
    authority.issue("good", &["live.example.test"]);
    authority.issue("other", &["other.example.test"]);
    let folder = authority.folder.path();
    let key = KeyPair::generate().unwrap();
    let mut old = CertificateParams::new(vec!["old.example.test".to_owned()]).unwrap();
    old.not_after = date_time_ymd(2021, 1, 1);
    let old = old.signed_by(&key, &authority.issuer).unwrap();
    fs::write(folder.join("old.pem"), old.pem()).unwrap();
    fs::write(folder.join("old.key"), key.serialize_pem()).unwrap();
    fs::write(folder.join("public.pem"), key.public_key_pem()).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    let tls = |certificates: &str, keys: &str| {
        format!(
            "[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = [{certificates}]\nkey = [{keys}]\n"
        )
    };
    let good = tls("'good.pem', 'other.pem'", "'good.key', 'other.key'");
    let issuer = "[issuers.app]\npublic_key = 'public.pem'\n";
    let outcome = authority.check(&format!("{good}{issuer}"));
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(0), "OK: fanfare.toml\n"));

    let wrong = tls("'good.pem', 'old.pem', 'gone.pem'", "'other.key', 'old.key', 'empty'");
    let issuers =
        "[issuers.app]\npublic_key = 'good.pem'\n[issuers.id]\nissuer = 'id'\njwks = 'empty'\n";
    let outcome = authority.check(&format!("{wrong}{issuers}"));
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(2), ""), "{}", outcome.stderr);
    let told: Vec<_> = outcome.stderr.lines().collect();
    let expected = [
        (
            "fanfare.toml:6: `issuers.app.public_key` names good.pem, which has no keys: ",
            "PUBLIC KEY",
        ),
        ("fanfare.toml:9: `issuers.id.jwks` names empty, which has no keys: ", "RFC 7517"),
        ("fanfare.toml:4: `tls.key` names other.key: the key is not that of the", "private key"),
        ("fanfare.toml:3: `tls.certificate` names old.pem: the certificate expired ", "renew it"),
        ("fanfare.toml:3: `tls.certificate` names gone.pem: it cannot be read: ", "its root"),
        ("fanfare.toml:4: `tls.key` names empty: there is no private key in", "private key"),
    ];
    assert_eq!(told.len(), expected.len(), "{}", outcome.stderr);
    for (line, (begins, has)) in told.into_iter().zip(expected) {
        assert!(line.starts_with(begins) && line.contains(has), "{line}");
    }
}

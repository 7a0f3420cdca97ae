//! Which certificate is shown, and when a new one is.

use rustls::version::TLS13;

use super::super::{Acceptance, Certificates};
use super::{Folder, NAME, Side};

/// The sources of what is shown.
fn ends(certificates: &Certificates) -> Vec<String> {
    certificates.ends().into_iter().map(|(source, _)| source).collect()
}

#[test]
fn the_name_that_is_asked_for_decides_and_the_first_is_for_everyone_else() {
    let folder = Folder::new();
    let (first, _) = folder.write("first", "other.example");
    let (second, roots) = folder.write("second", NAME);
    let certificates = Certificates::read(vec![first, second]).unwrap();
    let acceptance = Acceptance::new(certificates).unwrap();
    let side = Side { acceptance, roots, _folder: folder };
    // The client believes the second one alone.
    side.pair(side.client_config(&TLS13)).pump().unwrap();
}

#[test]
fn a_new_certificate_is_shown_to_the_next_client_and_a_bad_one_to_nobody() {
    let folder = Folder::new();
    let (files, roots) = folder.write("a", NAME);
    let certificates = Certificates::read(vec![files.clone()]).unwrap();
    let acceptance = Acceptance::new(std::sync::Arc::clone(&certificates)).unwrap();
    let mut side = Side { acceptance, roots, _folder: folder };
    side.pair(side.client_config(&TLS13)).pump().unwrap();

    // A certificate whose key has not come yet, as while files are copied.
    let (other, newer) = side._folder.write("b", NAME);
    std::fs::copy(&other.certificate, &files.certificate).unwrap();
    certificates.reload();
    side.pair(side.client_config(&TLS13)).pump().unwrap();
    std::fs::write(&files.certificate, "no certificate").unwrap();
    certificates.reload_if_changed();
    side.pair(side.client_config(&TLS13)).pump().unwrap();
    std::fs::remove_file(&files.certificate).unwrap();
    certificates.reload_if_changed();
    side.pair(side.client_config(&TLS13)).pump().unwrap();
    assert_eq!(ends(&certificates), [files.certificate.display().to_string()]);

    std::fs::copy(&other.certificate, &files.certificate).unwrap();
    std::fs::copy(&other.key, &files.key).unwrap();
    certificates.reload_if_changed();
    side.roots = newer;
    side.pair(side.client_config(&TLS13)).pump().unwrap();
}

#[test]
fn mistakes_in_files_are_said_in_words() {
    let folder = Folder::new();
    let (files, _) = folder.write("a", NAME);
    let (other, _) = folder.write("b", NAME);
    let told = |certificate: &std::path::Path, key: &std::path::Path| {
        let files = crate::config::settings::CertificateFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        format!("{:#}", Certificates::read(vec![files]).unwrap_err())
    };
    let missing = folder.path().join("missing.pem");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    assert!(told(&missing, &files.key).contains("missing.pem cannot be read"));
    assert!(told(&empty, &files.key).contains("there is no certificate in the file"));
    assert!(told(&files.certificate, &empty).contains("there is no private key in the file"));
    assert!(told(&files.certificate, &other.key).contains("not that of the first certificate"));
    let zero = std::path::Path::new("/dev/zero");
    assert!(told(zero, &files.key).contains("larger than 1 MiB"));
    let keys = std::fs::read_to_string(&files.key).unwrap();
    assert!(!told(&files.certificate, &other.key).contains(&keys[40..60]), "a key is told");
}

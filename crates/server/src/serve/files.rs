//! The files that settings name, opened as a server opens them: `fanfare check` says what is wrong
//! with each, before a server is started with it.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::auth::token::{Algorithms, KeySet};
use crate::config::credential::{JWKS, PUBLIC_KEY};
use crate::config::effective::{Effective, Rows};
use crate::config::hook_keys::HOOK_CA;
use crate::config::mistake::Mistake;
use crate::config::settings::{Issuer, KeysAt, Settings};
use crate::config::table::Key;
use crate::config::tls_keys::{ACME_CA, TLS_CERTIFICATE, TLS_KEY};
use crate::tls::{self, Trust};

/// A file of an issuer: the key of the configuration that names it, and how its keys are read.
struct KeyFile<'a> {
    key: &'static Key,
    path: &'a Path,
    read: fn(&[u8], Algorithms) -> Result<KeySet, String>,
}

/// The keys in the files of an issuer.
///
/// # Errors
///
/// The first file that cannot be read, or has no keys.
pub(super) fn keys(issuer: &Issuer) -> Result<KeySet> {
    key_files(issuer).try_fold(KeySet::default(), |keys, file| {
        let named =
            || format!("`issuers.{}.{}` ({})", issuer.name, file.key.name, shown(file.path));
        Ok(keys.with(file.keys(issuer.algorithms).with_context(named)?))
    })
}

/// What is wrong with the files that settings name, each with where it is named.
pub(crate) fn mistakes(settings: &Settings, effective: &Effective) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for issuer in &settings.auth.issuers {
        let Some(rows) = effective.issuers.get(&issuer.name) else { continue };
        mistakes.extend(key_files(issuer).filter_map(|file| file.mistake(issuer, rows)));
    }
    for files in &settings.tls.certificates {
        let [certificate, key] = tls::look(files);
        for (key, path, wrong) in
            [(&TLS_CERTIFICATE, &files.certificate, certificate), (&TLS_KEY, &files.key, key)]
        {
            mistakes.extend(wrong.map(|wrong| Mistake {
                origin: effective.top.origin(key),
                what: format!("`{}` names {}: {}", key.name, shown(path), wrong.what),
                change: wrong.change.to_owned(),
            }));
        }
    }
    let acme = settings.tls.acme.as_ref().and_then(|acme| acme.ca.as_deref());
    let authorities = [(&ACME_CA, acme), (&HOOK_CA, settings.hooks.ca.as_deref())];
    let authorities = authorities.into_iter().filter_map(|(key, path)| Some((key, path?)));
    mistakes.extend(authorities.filter_map(|(key, path)| authority(key, path, &effective.top)));
    mistakes
}

/// What is wrong with a file that says whom to believe.
fn authority(key: &'static Key, path: &Path, top: &Rows) -> Option<Mistake> {
    let error = Trust::File(path.to_path_buf()).connector().err()?;
    Some(Mistake {
        origin: top.origin(key),
        what: format!("`{}` is of no use: {error:#}", key.name),
        change: "name a PEM file with the root of the certificate that is to be believed"
            .to_owned(),
    })
}

fn key_files(issuer: &Issuer) -> impl Iterator<Item = KeyFile<'_>> {
    let pem = issuer.public_key.as_deref();
    let pem = pem.map(|path| KeyFile { key: &PUBLIC_KEY, path, read: KeySet::of_pem });
    let set = issuer.jwks.as_ref().and_then(KeysAt::file);
    let set = set.map(|path| KeyFile { key: &JWKS, path, read: KeySet::of_jwks });
    pem.into_iter().chain(set)
}

impl KeyFile<'_> {
    fn keys(&self, allowed: Algorithms) -> Result<KeySet> {
        let bytes = tls::read_file(self.path).context("cannot be read")?;
        (self.read)(&bytes, allowed).map_err(|why| anyhow!("has no keys: {why}"))
    }

    fn mistake(&self, issuer: &Issuer, rows: &Rows) -> Option<Mistake> {
        let error = self.keys(issuer.algorithms).err()?;
        let change = if self.key.name == PUBLIC_KEY.name {
            "name a PEM file with its public keys (`PUBLIC KEY`)"
        } else {
            "name a file with a set of its public keys in JSON (RFC 7517), or their URL"
        };
        Some(Mistake {
            origin: rows.origin(self.key),
            what: format!("`{}` names {}, which {error:#}", rows.name(self.key), shown(self.path)),
            change: change.to_owned(),
        })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

//! Builds what shows who somebody is: publishers' keys and issuers of tokens, checked one by one and
//! against each other.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;

use super::address;
use super::credential::{
    ALGORITHMS, AUDIENCE, HASH, ISSUER, JWKS, LEEWAY, PUBLIC_KEY, PUBLISHER_KEY_KEYS,
    REQUIRE_EXPIRY, SECRET,
};
use super::effective::{Effective, Rows};
use super::mistake::Mistake;
use super::place::{ISSUERS, PUBLISHER_KEYS};
use super::settings::{Auth, Issuer, KeysAt, NamedKey};
use super::table::{self, Key};
use crate::auth::grant::{Grants, PATTERNS_MAX, Pattern, Right};
use crate::auth::key::KeyHash;
use crate::auth::token::{Algorithm, Algorithms, SECRET_BYTES_MIN, TRIES_MAX};

/// What of a configuration shows who somebody is, and what is wrong with it.
pub(super) fn auth(effective: &Effective) -> (Auth, Vec<Mistake>) {
    let mut admitting = Admitting { effective, mistakes: Vec::new() };
    let number = |key| effective.top.number(key).unwrap_or_default();
    let auth = Auth {
        publisher_keys: admitting.publisher_keys(),
        keys: admitting.named_keys(),
        issuers: admitting.issuers(),
        token_bytes_max: usize::try_from(number(&table::TOKEN_BYTES_MAX)).unwrap_or(usize::MAX),
        tokens_remembered_max: usize::try_from(number(&table::TOKENS_REMEMBERED_MAX))
            .unwrap_or(usize::MAX),
        cookie: admitting.cookie(),
        query_token: effective.top.switch(&table::QUERY_TOKEN).unwrap_or_default(),
        expiry_notice: effective.top.duration(&table::EXPIRY_NOTICE).unwrap_or_default(),
        expiry_grace: effective.top.duration(&table::EXPIRY_GRACE).unwrap_or_default(),
    };
    (auth, admitting.mistakes)
}

struct Admitting<'a> {
    effective: &'a Effective,
    mistakes: Vec<Mistake>,
}

impl Admitting<'_> {
    fn publisher_keys(&mut self) -> Vec<String> {
        let top = &self.effective.top;
        let keys = top.list(&table::PUBLISHER_KEYS);
        if !keys.iter().all(|key| address::is_publisher_key(key)) {
            let what = "has a key that cannot be sent in a header";
            let change = "use 1 to 255 visible ASCII characters without a comma";
            self.mistake(top, &table::PUBLISHER_KEYS, what, change);
        }
        keys.to_vec()
    }

    fn cookie(&mut self) -> Option<String> {
        let top = &self.effective.top;
        let name = top.text(&table::COOKIE)?.to_owned();
        if !address::is_token(&name) {
            let what = format!("is {name:?}, which is no cookie's name");
            let change = "use letters, digits, `-`, `_` and the like, as RFC 6265 has them";
            self.mistake(top, &table::COOKIE, &what, change);
        }
        Some(name)
    }

    fn named_keys(&mut self) -> Vec<NamedKey> {
        let mut keys = Vec::with_capacity(self.effective.keys.len());
        let mut names: BTreeMap<KeyHash, &str> = BTreeMap::new();
        for (name, rows) in &self.effective.keys {
            let Some(hash) = rows.text(&HASH).and_then(KeyHash::parse) else {
                let change = format!("write the line that `fanfare token keys {name}` prints");
                self.mistake(rows, &HASH, "is no `sha256:` with 64 hexadecimal digits", &change);
                continue;
            };
            if let Some(other) = names.insert(hash, name) {
                let what = format!("is that of `{PUBLISHER_KEYS}.{other}` as well");
                self.mistake(rows, &HASH, &what, "give each its own key");
            }
            let grants = self.grants(rows);
            if Right::ALL.into_iter().all(|right| !grants.give(right)) {
                let what = "belongs to a key that grants nothing";
                let change = "say in `publish` to which channels, such as [\"**\"]";
                self.mistake(rows, &HASH, what, change);
            }
            keys.push(NamedKey { name: name.clone(), hash, grants });
        }
        keys
    }

    fn grants(&mut self, rows: &Rows) -> Grants {
        let mut grants = Grants::default();
        let mut count = 0;
        for key in PUBLISHER_KEY_KEYS {
            let Some(right) = Right::of(key.name) else { continue };
            let mut patterns = Vec::new();
            for text in rows.list(key) {
                match Pattern::new(text, None) {
                    Ok(pattern) if !pattern.is_vain() => patterns.push(pattern),
                    Ok(_) => {
                        let what = format!("has {text:?}, and a key has no subject");
                        self.mistake(rows, key, &what, "write the pattern without `{sub}`");
                    }
                    Err(error) => {
                        let change = format!("correct the pattern: {error}");
                        self.mistake(rows, key, &format!("has {text:?}"), &change);
                    }
                }
            }
            count += patterns.len();
            if count > PATTERNS_MAX {
                let what = format!("makes more than {PATTERNS_MAX} patterns of this key");
                self.mistake(rows, key, &what, "write fewer and wider ones");
            }
            grants = grants.with(right, patterns);
        }
        grants
    }

    fn issuers(&mut self) -> Vec<Issuer> {
        let mut issuers = Vec::with_capacity(self.effective.issuers.len());
        let mut names: BTreeMap<Option<&str>, &str> = BTreeMap::new();
        for (name, rows) in &self.effective.issuers {
            let issuer = rows.text(&ISSUER);
            if let Some(other) = names.insert(issuer, name) {
                let what = format!("is that of `{ISSUERS}.{other}` as well");
                let change = "say what the tokens of each have in `iss`";
                self.mistake(rows, &ISSUER, &what, change);
            }
            let issuer = Issuer {
                name: name.clone(),
                issuer: issuer.map(str::to_owned),
                audience: rows.list(&AUDIENCE).to_vec(),
                jwks: self.jwks(rows),
                secrets: self.secrets(rows),
                public_key: rows.text(&PUBLIC_KEY).map(Into::into),
                algorithms: Self::algorithms(rows),
                leeway: rows.duration(&LEEWAY).unwrap_or_default(),
                require_expiry: rows.switch(&REQUIRE_EXPIRY).unwrap_or(true),
            };
            if issuer.jwks.is_none() && issuer.secrets.is_empty() && issuer.public_key.is_none() {
                let what = "belongs to an issuer without any key";
                self.mistake(rows, &JWKS, what, "set it, or `secret`, or `public_key`");
            }
            issuers.push(issuer);
        }
        issuers
    }

    fn jwks(&mut self, rows: &Rows) -> Option<KeysAt> {
        let text = rows.text(&JWKS)?;
        if !text.contains("://") {
            return Some(KeysAt::File(text.into()));
        }
        let uri: Option<Uri> = address::url(text).ok().and_then(|url| url.parse().ok());
        let is_private = |uri: &Uri| match uri.scheme_str() {
            Some("https") => true,
            _ => matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")),
        };
        if uri.as_ref().is_some_and(is_private) {
            return Some(KeysAt::Url(text.to_owned()));
        }
        let change = "write an `https://` URL, `http://` with a loopback host, or a file's path";
        self.mistake(rows, &JWKS, &format!("is {text:?}"), change);
        None
    }

    fn secrets(&mut self, rows: &Rows) -> Vec<Vec<u8>> {
        let mut secrets = Vec::new();
        if rows.list(&SECRET).len() > TRIES_MAX {
            let what =
                format!("has more than {TRIES_MAX}, which is as many as a token is tried with");
            self.mistake(rows, &SECRET, &what, "take out those that sign nothing any more");
        }
        for text in rows.list(&SECRET) {
            let bytes = match text.strip_prefix("base64:") {
                Some(base64) => STANDARD.decode(base64).ok(),
                None => Some(text.as_bytes().to_vec()),
            };
            match bytes {
                Some(bytes) if bytes.len() >= SECRET_BYTES_MIN => secrets.push(bytes),
                Some(_) => {
                    let what = format!(
                        "has fewer than {SECRET_BYTES_MIN} bytes, so that it can be guessed"
                    );
                    self.mistake(rows, &SECRET, &what, "make one with `openssl rand -base64 32`");
                }
                None => {
                    self.mistake(rows, &SECRET, "is no base64", "correct what follows `base64:`");
                }
            }
        }
        secrets
    }

    fn algorithms(rows: &Rows) -> Algorithms {
        let listed = rows.list(&ALGORITHMS);
        if listed.is_empty() {
            return Algorithms::all();
        }
        listed.iter().filter_map(|name| Algorithm::of(name)).collect()
    }

    fn mistake(&mut self, rows: &Rows, key: &'static Key, what: &str, change: &str) {
        self.mistakes.push(Mistake {
            origin: rows.origin(key),
            what: format!("`{}` {what}", rows.name(key)),
            change: change.to_owned(),
        });
    }
}

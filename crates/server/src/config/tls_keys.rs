//! Keys about TLS: where it is spoken, and with which certificates or by which authority.

use super::table::{Key, Kind, Standard, Takes};

pub(crate) static TLS_LISTEN: Key = Key {
    name: "tls.listen",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "The addresses to speak TLS on, beside those of `listen`, each `address:port`, at most \
            16. See [TLS](tls.md).",
};

pub(crate) static TLS_CERTIFICATE: Key = Key {
    name: "tls.certificate",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "Files in PEM, each with a certificate and those that lead to its root. Of several the \
            first is shown that is valid for the name that a client asks for, else the first. They \
            are read again when they change. Watch `fanfare_tls_certificate_expiry_seconds`.",
};

pub(crate) static TLS_KEY: Key = Key {
    name: "tls.key",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "Files in PEM, each with the private key of a certificate, in the order of \
            `tls.certificate`.",
};

pub(crate) static ACME_DOMAINS: Key = Key {
    name: "acme.domains",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "Names for which a certificate is issued by itself and kept fresh, by an authority that \
            speaks ACME and looks for its proof at port 443 of each (TLS-ALPN-01). Naming one agrees \
            to the authority's terms. Watch `fanfare_acme_failures_total`.",
};

pub(crate) static ACME_URL: Key = Key {
    name: "acme.url",
    kind: Kind::Text,
    default: Standard::Value("https://acme-v02.api.letsencrypt.org/directory"),
    takes: Takes::Restart,
    about: "The directory of that authority.",
};

pub(crate) static ACME_CONTACT: Key = Key {
    name: "acme.contact",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "The mail address that the authority may write to.",
};

pub(crate) static ACME_CA: Key = Key {
    name: "acme.ca",
    kind: Kind::Text,
    default: Standard::Unset,
    takes: Takes::Restart,
    about: "A file in PEM with whom to believe to be the authority, and nobody else; for one of your \
            own. Without it: whom the system believes.",
};

pub(crate) static ACME_FOLDER: Key = Key {
    name: "acme.folder",
    kind: Kind::Text,
    default: Standard::Computed { how: "`acme` in `log.directory`", example: "\".fanfare/acme\"" },
    takes: Takes::Restart,
    about: "Where the account at the authority and what it issued are kept, for this process alone.",
};

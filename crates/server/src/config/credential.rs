//! The tables of keys for credentials: those that each publisher's key has, under `[keys.NAME]`, and
//! those of an issuer of tokens, under `[issuers.NAME]`.

use std::time::Duration;

use super::table::{Key, Kind, Standard, Takes};

/// Publishers' keys of one configuration at most.
pub(crate) const KEYS_MAX: usize = 10_000;

/// Issuers of one configuration at most.
pub(crate) const ISSUERS_MAX: usize = 64;

/// Every key of a publisher's key, in the order in which documents list them.
pub(crate) static PUBLISHER_KEY_KEYS: [&Key; 6] =
    [&HASH, &GRANTS_SUBSCRIBE, &GRANTS_PUBLISH, &GRANTS_PRESENCE, &GRANTS_HISTORY, &GRANTS_MANAGE];

pub(crate) static HASH: Key = Key {
    name: "hash",
    kind: Kind::Text,
    default: Standard::Computed {
        how: "none, it has to be said",
        example: "\"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"",
    },
    takes: Takes::Reload,
    about: "The hash of the key, `sha256:` and 64 hexadecimal digits. `fanfare token keys NAME` makes \
            a key and prints this line.",
};

pub(crate) static GRANTS_SUBSCRIBE: Key = granted(
    "subscribe",
    "Patterns of the channels that its holder may read: `*` is any run without `:`, `**` any run.",
);

pub(crate) static GRANTS_PUBLISH: Key =
    granted("publish", "Patterns of the channels that its holder may publish to.");

pub(crate) static GRANTS_PRESENCE: Key = granted(
    "presence",
    "Patterns of the channels whose members its holder may list, and be told of.",
);

pub(crate) static GRANTS_HISTORY: Key =
    granted("history", "Patterns of the channels whose history its holder may ask for.");

pub(crate) static GRANTS_MANAGE: Key = granted(
    "manage",
    "Patterns of the channels that its holder may remove and, where it may publish, end.",
);

const fn granted(name: &'static str, about: &'static str) -> Key {
    let default = Standard::Computed { how: "none", example: "[\"chat:**\"]" };
    Key { name, kind: Kind::List, default, takes: Takes::Reload, about }
}

/// Every key of an issuer, in the order in which documents list them.
pub(crate) static ISSUER_KEYS: [&Key; 8] =
    [&ISSUER, &AUDIENCE, &JWKS, &SECRET, &PUBLIC_KEY, &ALGORITHMS, &LEEWAY, &REQUIRE_EXPIRY];

pub(crate) static ISSUER: Key = Key {
    name: "issuer",
    kind: Kind::Text,
    default: Standard::Computed {
        how: "tokens that name no issuer are its own",
        example: "\"https://id.example.com/\"",
    },
    takes: Takes::Reload,
    about: "What its tokens say in `iss`, exactly. Its keys check no other tokens; no two issuers have \
            the same.",
};

pub(crate) static AUDIENCE: Key = Key {
    name: "audience",
    kind: Kind::List,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "What a token has to name in `aud`, one of these at least. Without it, a token that is \
            for somebody is refused.",
};

pub(crate) static JWKS: Key = Key {
    name: "jwks",
    kind: Kind::Text,
    default: Standard::Computed {
        how: "none",
        example: "\"https://id.example.com/.well-known/jwks.json\"",
    },
    takes: Takes::Reload,
    about: "Where its public keys are: an `https://` URL (`http://` on this machine only), which is \
            fetched again and again, or a file. Redirects are not followed.",
};

pub(crate) static SECRET: Key = Key {
    name: "secret",
    kind: Kind::SecretList,
    default: Standard::Unset,
    takes: Takes::Reload,
    about: "The secret that it signs with (HS256, HS384, HS512), 32 bytes at least, or up to four while \
            one takes the place of another. One that begins with `base64:` is bytes in base64.",
};

pub(crate) static PUBLIC_KEY: Key = Key {
    name: "public_key",
    kind: Kind::Text,
    default: Standard::Computed { how: "none", example: "\"/etc/fanfare/issuer.pem\"" },
    takes: Takes::Reload,
    about: "A PEM file with its public keys (`PUBLIC KEY`): RSA, EC on P-256, P-384 or P-521, or \
            Ed25519.",
};

pub(crate) static ALGORITHMS: Key = Key {
    name: "algorithms",
    kind: Kind::Choices(&[
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "ES512", "EdDSA",
    ]),
    default: Standard::Computed { how: "all that its keys are for", example: "[\"RS256\"]" },
    takes: Takes::Reload,
    about: "The algorithms that its tokens may be signed with. Which of them a key is for, the key \
            decides, never the token.",
};

pub(crate) static LEEWAY: Key = Key {
    name: "leeway",
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_mins(5) },
    default: Standard::Value("30s"),
    takes: Takes::Reload,
    about: "How far its clock may be apart from ours: a token is taken so long after it has expired, \
            and before it begins.",
};

pub(crate) static REQUIRE_EXPIRY: Key = Key {
    name: "require_expiry",
    kind: Kind::Switch,
    default: Standard::Value("true"),
    takes: Takes::Reload,
    about: "Whether a token has to say when it expires (`exp`). One that does not is good until the \
            issuer's key goes.",
};

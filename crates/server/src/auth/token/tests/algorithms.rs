//! Every algorithm, by keys from every place; and no key by another's algorithm.

use serde_json::json;

use super::super::algorithm::{Algorithm, Algorithms, KeyKind};
use super::super::keys::KeySet;
use super::{Pair, SECRET, claims, issuer, reason, set, taking, told};

const KINDS: [KeyKind; 6] =
    [KeyKind::Secret, KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519];

/// The same with one bit of its signature changed.
fn flipped(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{rest}.{first}{}", &signature[1..])
}

#[test]
fn every_algorithm_is_checked_by_a_key_from_every_place() {
    for kind in KINDS {
        let (pair, other) = (Pair::new(kind), Pair::new(kind));
        let mut places = vec![("file or secret", None, pair.keys(Algorithms::all()))];
        if kind != KeyKind::Secret {
            places.push(("set", Some("k1"), set(&[other.named("k0"), pair.named("k1")])));
            places.push(("set without kid", None, set(&[other.jwk.clone(), pair.jwk.clone()])));
            places.push(("set, token without kid", None, set(&[pair.named("k1")])));
        }
        for (place, kid, keys) in places {
            let tokens = taking([issuer(keys)]);
            for algorithm in Algorithms::of(kind).iter() {
                let name = format!("{} from {place}", algorithm.name());
                let token = pair.signing.token(algorithm, kid, &claims(json!({}))).unwrap();
                assert_eq!(told(&tokens, &token), "", "{name}");
                assert_eq!(reason(&tokens, &flipped(&token)), "signature", "{name}");
                let swapped = pair.signing.token(algorithm, kid, &claims(json!({"sub": "eve"})));
                let (_, signature) = token.rsplit_once('.').unwrap();
                let swapped = swapped.unwrap();
                let (message, _) = swapped.rsplit_once('.').unwrap();
                let swapped = format!("{message}.{signature}");
                assert_eq!(reason(&tokens, &swapped), "signature", "{name}: other claims");
            }
        }
        if kind != KeyKind::Secret {
            let tokens = taking([issuer(other.keys(Algorithms::all()))]);
            for algorithm in Algorithms::of(kind).iter() {
                let token = pair.signing.token(algorithm, None, &claims(json!({}))).unwrap();
                assert_eq!(reason(&tokens, &token), "signature", "another's {}", algorithm.name());
            }
        }
    }
}

#[test]
fn no_key_checks_the_algorithm_of_another_kind() {
    let pairs = KINDS.map(|kind| (kind, Pair::new(kind)));
    for (kind, pair) in &pairs {
        let tokens = taking([issuer(pair.keys(Algorithms::all()))]);
        for (_, other) in pairs.iter().filter(|(other, _)| other != kind) {
            let algorithm = other.signing.algorithm();
            let token = other.signing.token(algorithm, None, &claims(json!({}))).unwrap();
            assert_eq!(reason(&tokens, &token), "algorithm", "{kind:?} {}", algorithm.name());
        }
    }
}

#[test]
fn only_what_an_issuer_signs_with_is_taken() {
    let pair = Pair::new(KeyKind::Rsa);
    let allowed: Algorithms = [Algorithm::Ps256].into_iter().collect();
    let mut listed = issuer(pair.keys(Algorithms::all()));
    listed.algorithms = allowed;
    let by_issuer = taking([listed]);
    let mut jwk = pair.jwk.clone();
    jwk["alg"] = "PS256".into();
    let by_key = taking([issuer(set(&[jwk]))]);
    for algorithm in Algorithms::of(KeyKind::Rsa).iter() {
        let token = pair.signing.token(algorithm, None, &claims(json!({}))).unwrap();
        let expected = if algorithm == Algorithm::Ps256 { "holds" } else { "algorithm" };
        assert_eq!(reason(&by_issuer, &token), expected, "{}", algorithm.name());
        assert_eq!(reason(&by_key, &token), expected, "a key's own: {}", algorithm.name());
    }
}

#[test]
fn a_secret_is_for_what_it_is_long_enough_for() {
    for (bytes, algorithms) in [(32, 1), (48, 2), (64, 3)] {
        let tokens = taking([issuer(KeySet::of_secret(&SECRET[..bytes], Algorithms::all()))]);
        let signing = super::SigningKey::of_secret(&SECRET[..bytes]);
        for (place, algorithm) in Algorithms::of(KeyKind::Secret).iter().enumerate() {
            let token = signing.token(algorithm, None, &claims(json!({}))).unwrap();
            let expected = if place < algorithms { "holds" } else { "algorithm" };
            assert_eq!(reason(&tokens, &token), expected, "{} by {bytes}", algorithm.name());
        }
    }
}

#[test]
fn what_cannot_check_signatures_is_passed_over_in_a_set() {
    let (pair, weak) = (Pair::new(KeyKind::P256), "AQAB");
    let mut encrypting = pair.named("enc");
    encrypting["use"] = "enc".into();
    let mut deriving = pair.named("derive");
    deriving["key_ops"] = json!(["deriveBits"]);
    let mut short = pair.named("short");
    short["x"] = weak.into();
    let mut off = pair.named("off");
    off["y"] = off["x"].clone();
    let mut wrong = pair.named("wrong");
    wrong["alg"] = "RS256".into();
    let others = [
        encrypting,
        deriving,
        short,
        off,
        json!({"kty": "RSA", "kid": "weak", "n": weak, "e": weak}),
        json!({"kty": "oct", "kid": "secret", "k": weak}),
        json!({"kty": "OKP", "crv": "X25519", "x": weak}),
        json!({"kty": "new"}),
        json!(7),
    ];
    for other in &others {
        let text = json!({"keys": [other]}).to_string();
        assert!(KeySet::of_jwks(text.as_bytes(), Algorithms::all()).is_err(), "{text}");
    }
    let mut keys = others.to_vec();
    keys.push(pair.named("good"));
    let tokens = taking([issuer(set(&keys))]);
    let token = pair.signing.token(Algorithm::Es256, Some("good"), &claims(json!({}))).unwrap();
    assert_eq!(told(&tokens, &token), "");
    let text = json!({"keys": [wrong]}).to_string();
    let set = KeySet::of_jwks(text.as_bytes(), Algorithms::all()).unwrap();
    let token = pair.signing.token(Algorithm::Es256, Some("wrong"), &claims(json!({}))).unwrap();
    assert_eq!(
        reason(&taking([issuer(set)]), &token),
        "algorithm",
        "a key of RS256 is for no other"
    );
}

#[test]
fn files_without_keys_say_so() {
    let wrong = super::pem("PUBLIC KEY", b"no key");
    for (text, words) in [
        ("", "no section `PUBLIC KEY`"),
        ("-----BEGIN PUBLIC KEY-----\n?", "no PEM"),
        (&wrong, "none of RSA"),
    ] {
        let why = KeySet::of_pem(text.as_bytes(), Algorithms::all()).unwrap_err();
        assert!(why.contains(words), "{text:?}: {why}");
    }
    for text in ["", "[]", "{\"keys\":1}", "{\"keys\":[]}"] {
        assert!(KeySet::of_jwks(text.as_bytes(), Algorithms::all()).is_err(), "{text}");
    }
}

//! What has been tried against tokens elsewhere, tried here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::super::algorithm::{Algorithm, Algorithms, KeyKind};
use super::super::jws::is_token;
use super::super::keys::KeySet;
use super::super::sign::SigningKey;
use super::{Pair, SECRET, claims, headed, issuer, reason, set, signed, taking, told};

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn a_token_that_nobody_signed_does_not_hold() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let claims = encode(&claims(json!({})));
    for name in
        ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "HS1", "\\u0000", "RS256\\u0000"]
    {
        let header = encode(&format!("{{\"alg\":\"{name}\",\"typ\":\"JWT\"}}"));
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{claims}.{signature}");
            assert!(is_token(token.as_bytes()));
            assert_eq!(reason(&tokens, &token), "algorithm", "{name:?}");
        }
    }
    for header in ["{}", "{\"alg\":null}", "{\"alg\":[\"HS256\"]}", "{\"alg\":256}"] {
        let token = format!("{}.{claims}.AAAA", encode(header));
        assert_eq!(reason(&tokens, &token), "malformed", "{header}");
    }
    let unsigned = format!("{}.{claims}.", encode("{\"alg\":\"HS256\"}"));
    assert_eq!(reason(&tokens, &unsigned), "signature");
}

#[test]
fn a_public_key_is_no_secret() {
    for kind in [KeyKind::Rsa, KeyKind::P256, KeyKind::Ed25519] {
        let pair = Pair::new(kind);
        let tokens = taking([issuer(pair.keys(Algorithms::all()).with(set(&[pair.named("k1")])))]);
        let pem = pair.public_pem.as_bytes();
        let coordinate = pair.jwk.get("n").or(pair.jwk.get("x")).unwrap().as_str().unwrap();
        let raw = URL_SAFE_NO_PAD.decode(coordinate).unwrap();
        let trimmed = pair.public_pem.trim_end().as_bytes();
        for secret in [pem, trimmed, &raw, coordinate.as_bytes(), b""] {
            for algorithm in Algorithms::of(KeyKind::Secret).iter() {
                for kid in [None, Some("k1")] {
                    let token =
                        SigningKey::of_secret(secret).token(algorithm, kid, &claims(json!({})));
                    assert_eq!(reason(&tokens, &token.unwrap()), "algorithm", "{kind:?} {kid:?}");
                }
            }
        }
    }
}

#[test]
fn a_token_does_not_bring_its_own_key() {
    let (ours, theirs) = (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256));
    let tokens = taking([issuer(set(&[ours.named("k1")]))]);
    for with in [
        json!({"jwk": theirs.jwk}),
        json!({"jku": "http://127.0.0.1:1/keys"}),
        json!({"x5u": "http://169.254.169.254/latest/meta-data"}),
        json!({"x5c": [theirs.public_pem]}),
        json!({"kid": "k1", "jwk": theirs.named("k1")}),
    ] {
        let mut header = with.clone();
        header["alg"] = "ES256".into();
        let token = headed(&theirs.signing, Algorithm::Es256, &header.to_string());
        assert_eq!(reason(&tokens, &token), "signature", "{with}");
    }
    let header = "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}";
    let token = headed(&ours.signing, Algorithm::Es256, header);
    assert_eq!(reason(&tokens, &token), "malformed", "what must be understood is not");
}

#[test]
fn the_name_of_a_key_is_compared_and_nothing_else() {
    let pair = Pair::new(KeyKind::P256);
    let tokens = taking([issuer(set(&[pair.named("k1")]))]);
    let token = |kid: &str| pair.signing.token(Algorithm::Es256, Some(kid), &claims(json!({})));
    assert_eq!(reason(&tokens, &token("k1").unwrap()), "holds");
    for kid in [
        "",
        "K1",
        "k1 ",
        "k1\0",
        "k2",
        "../../../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "http://127.0.0.1/keys",
        "' OR '1'='1",
        "$(id)",
        "|ls",
        "\u{202e}k1",
    ] {
        assert_eq!(reason(&tokens, &token(kid).unwrap()), "key", "{kid:?}");
    }
    assert_eq!(told(&tokens, &token("k2").unwrap()), "no key with kid k2");
    for header in [
        format!("{{\"alg\":\"ES256\",\"kid\":\"{}\"}}", "k".repeat(257)),
        "{\"alg\":\"ES256\",\"kid\":1}".to_owned(),
        "{\"alg\":\"ES256\",\"kid\":[\"k1\"]}".to_owned(),
    ] {
        let token = headed(&pair.signing, Algorithm::Es256, &header);
        assert_eq!(reason(&tokens, &token), "malformed", "{header}");
    }
}

#[test]
fn keys_with_one_name_do_not_stand_in_for_each_other() {
    let (first, second, rsa) =
        (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256), Pair::new(KeyKind::Rsa));
    let eve = Pair::new(KeyKind::P256);
    let keys = set(&[rsa.named("k"), first.named("k"), second.named("k")]);
    let tokens = taking([issuer(keys)]);
    for (pair, expected) in
        [(&first, "holds"), (&second, "holds"), (&rsa, "holds"), (&eve, "signature")]
    {
        let algorithm = pair.signing.algorithm();
        let token = pair.signing.token(algorithm, Some("k"), &claims(json!({}))).unwrap();
        assert_eq!(reason(&tokens, &token), expected);
    }
}

#[test]
fn the_keys_of_an_issuer_check_its_own_tokens_only() {
    let (ours, theirs) = (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256));
    let mut first = issuer(set(&[ours.named("k")]));
    first.issuer = Some("https://a.example".to_owned());
    let mut second = issuer(set(&[theirs.named("k")]));
    (second.name, second.issuer) = ("b".to_owned(), Some("https://b.example".to_owned()));
    let third = issuer(KeySet::of_secret(SECRET, Algorithms::all()));
    let tokens = taking([first, second, third]);
    let by = |pair: &Pair, name: &str| {
        let claims = claims(json!({"iss": name}));
        pair.signing.token(Algorithm::Es256, Some("k"), &claims).unwrap()
    };
    for (token, expected) in [
        (by(&ours, "https://a.example"), "holds"),
        (by(&theirs, "https://b.example"), "holds"),
        (by(&theirs, "https://a.example"), "signature"),
        (by(&ours, "https://b.example"), "signature"),
        (by(&ours, "https://a.example/"), "issuer"),
        (by(&ours, "HTTPS://a.example"), "issuer"),
        (by(&ours, ""), "issuer"),
        (signed(&claims(json!({}))), "holds"),
        (signed(&claims(json!({"iss": "https://a.example"}))), "algorithm"),
        (signed(&claims(json!({"iss": null}))), "claim"),
        (signed(&claims(json!({"iss": ["https://a.example"]}))), "claim"),
    ] {
        assert_eq!(reason(&tokens, &token), expected, "{token}");
    }
    let user = |pair: &Pair, name: &str| {
        let holder = tokens.verify(by(pair, name).as_bytes(), super::NOW).unwrap();
        crate::auth::Caller::holding(holder).user().unwrap().to_string()
    };
    assert_ne!(
        user(&ours, "https://a.example"),
        user(&theirs, "https://b.example"),
        "two of one name are told apart"
    );
}

#[test]
fn what_is_long_or_deep_is_refused_before_anything_is_computed() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let padded = |bytes: usize| signed(&claims(json!({"x": "y".repeat(bytes)})));
    assert_eq!(reason(&tokens, &padded(4_000)), "holds");
    assert_eq!(reason(&tokens, &padded(8_000)), "too-long");
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = |depth: usize| {
        signed(&format!("{{\"exp\":{},\"x\":{}}}", super::NOW_SECONDS + 9, nested(depth)))
    };
    assert_eq!(reason(&tokens, &deep(7)), "holds");
    for depth in [8, 9, 100, 127, 128, 129, 2_500] {
        assert_eq!(reason(&tokens, &deep(depth)), "malformed", "{depth}");
    }
    assert_eq!(reason(&tokens, &signed(&"[".repeat(5_000))), "malformed");
    assert_eq!(reason(&tokens, &signed(&"{\"a\":".repeat(1_000))), "malformed");
    let header = format!("{{\"alg\":\"HS256\",\"x\":{}}}", nested(2_000));
    let signing = SigningKey::of_secret(SECRET);
    assert_eq!(reason(&tokens, &headed(&signing, Algorithm::Hs256, &header)), "malformed");
}

#[test]
fn what_is_said_twice_is_refused() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let exp = super::NOW_SECONDS + 9;
    for text in [
        format!("{{\"exp\":1,\"exp\":{exp}}}"),
        format!("{{\"exp\":{exp},\"exp\":{exp}}}"),
        format!("{{\"exp\":{exp},\"sub\":\"ada\",\"\\u0073ub\":\"root\"}}"),
        format!("{{\"exp\":{exp},\"fanfare\":{{\"publish\":[],\"publish\":[\"**\"]}}}}"),
        format!("{{\"exp\":{exp},\"x\":[{{\"a\":1,\"a\":2}}]}}"),
    ] {
        let words = told(&tokens, &signed(&text));
        assert!(words.starts_with("its claims cannot be read: it has `"), "{text}: {words}");
    }
    for header in
        ["{\"alg\":\"none\",\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}"]
    {
        let signing = SigningKey::of_secret(SECRET);
        let token = headed(&signing, Algorithm::Hs256, header);
        assert_eq!(reason(&tokens, &token), "malformed", "{header}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let good = signed(&claims(json!({})));
    assert_eq!(reason(&tokens, &good), "holds");
    let (message, signature) = good.rsplit_once('.').unwrap();
    // The last character of 32 bytes has two bits that mean nothing.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let sibling = alphabet.chars().nth(place + 1).unwrap();
    let loose = format!("{message}.{}{sibling}", &signature[..signature.len() - 1]);
    for wrong in [
        loose,
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{good}."),
        format!(".{good}"),
        message.to_owned(),
        good.replace('.', ".."),
        "..".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        assert_eq!(reason(&tokens, &wrong), "malformed", "{wrong:?}");
    }
    for (claims, words) in [
        ("", "no JSON object"),
        ("null", "no JSON object"),
        ("[]", "no JSON object"),
        ("\"exp\"", "no JSON object"),
        ("{\"exp\":1}{}", "trailing"),
        ("{\"exp\":1", "EOF"),
    ] {
        let told = told(&tokens, &signed(claims));
        assert!(told.contains(words), "{claims}: {told}");
    }
    let invalid = format!(
        "{}.{}.AAAA",
        encode("{\"alg\":\"HS256\"}"),
        URL_SAFE_NO_PAD.encode(b"{\"a\":\"\xff\"}")
    );
    assert_eq!(reason(&tokens, &invalid), "malformed");
}

#[test]
fn only_what_looks_like_a_token_is_taken_for_one() {
    for (text, is) in [
        ("a.b.c", true),
        ("..", true),
        ("eyJ.e-_.", true),
        ("a.b", false),
        ("a.b.c.d", false),
        ("a.b.c=", false),
        ("a.b c.d", false),
        ("ffk_0123", false),
        ("", false),
    ] {
        assert_eq!(is_token(text.as_bytes()), is, "{text}");
    }
}

#[test]
fn no_changed_token_holds_and_none_breaks_the_reader() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let good = signed(&claims(json!({"fanfare": {"publish": ["chat:*"]}})));
    let mut random = fastrand::Rng::with_seed(11);
    let alphabet = b"ABCabc019-_.=+/\0\xff{}[]\",:";
    for _ in 0..20_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..random.usize(1..4) {
            if bytes.is_empty() {
                break;
            }
            let place = random.usize(0..bytes.len());
            let byte = alphabet[random.usize(0..alphabet.len())];
            match random.u8(0..4) {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => bytes.truncate(place.max(1)),
                _ => {
                    bytes.remove(place);
                }
            }
        }
        let holds = tokens.verify(&bytes, super::NOW).is_ok();
        assert_eq!(holds, bytes == good.as_bytes(), "{}", String::from_utf8_lossy(&bytes));
    }
}

//! What a token claims, check by check, with the words that are told.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::End;
use serde_json::{Value, json};

use super::super::algorithm::Algorithms;
use super::super::issuer::IssuerParts;
use super::super::keys::KeySet;
use super::super::{Failure, Tokens};
use super::{NOW, NOW_SECONDS, SECRET, claims, issuer, reason, signed, taking, told};
use crate::auth::grant::{Grants, Right};
use crate::auth::key::KeyHash;
use crate::auth::{Access, Caller, ChannelAccess, Credentials, PublisherKey};

fn app() -> IssuerParts {
    issuer(KeySet::of_secret(SECRET, Algorithms::all()))
}

fn tokens() -> Tokens {
    taking([app()])
}

#[test]
fn times_are_held_against_the_clock() {
    let now = i64::try_from(NOW_SECONDS).unwrap();
    let at = |claim: &str, from_now: i64| claims(json!({ claim: now + from_now }));
    for (claims, words) in [
        (at("exp", 1), ""),
        (at("exp", -29), ""),
        (at("exp", -30), "expired 30 s ago"),
        (at("exp", -180), "expired 3 min ago"),
        (at("exp", -7_200), "expired 2 h ago"),
        (at("exp", -864_000), "expired 10 days ago"),
        (at("exp", -now), "expired 20833 days ago"),
        (at("nbf", -5), ""),
        (at("nbf", 30), ""),
        (at("nbf", 31), "it begins in 31 s"),
        (at("iat", 30), ""),
        (at("iat", 300), "it was issued 5 min in the future"),
        (at("iat", -9_999), ""),
        (claims(json!({"exp": NOW_SECONDS as f64 + 0.5})), ""),
        (claims(json!({"exp": "1900000000"})), "`exp` is no time in seconds since 1970"),
        (claims(json!({"exp": null})), "`exp` is no time in seconds since 1970"),
        (claims(json!({"exp": -1})), "`exp` is no time in seconds since 1970"),
        (claims(json!({"exp": 1e300})), "`exp` is no time in seconds since 1970"),
        (claims(json!({"exp": NOW})), "`exp` is no time in seconds since 1970"),
        (claims(json!({"nbf": "soon"})), "`nbf` is no time in seconds since 1970"),
        (claims(json!({"iat": {}})), "`iat` is no time in seconds since 1970"),
        ("{\"sub\":\"ada\"}".to_owned(), "it does not say when it expires"),
    ] {
        assert_eq!(told(&tokens(), &signed(&claims)), words, "{claims}");
    }
    let strict = taking([IssuerParts { leeway: 0, ..app() }]);
    assert_eq!(told(&strict, &signed(&at("exp", 0))), "expired 0 s ago");
    assert_eq!(told(&strict, &signed(&at("nbf", 1))), "it begins in 1 s");
    let lasting = taking([IssuerParts { require_expiry: false, ..app() }]);
    assert_eq!(told(&lasting, &signed("{\"sub\":\"ada\"}")), "");
    assert_eq!(told(&lasting, &signed(&at("exp", -31))), "expired 31 s ago");
}

#[test]
fn a_token_is_for_who_it_says() {
    let audience = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (wanted, said, words) in [
        (&[][..], json!({}), ""),
        (&[], json!({"aud": []}), ""),
        (&[], json!({"aud": "shop"}), "it is for shop, and nobody here is called so"),
        (&["live"], json!({"aud": "live"}), ""),
        (&["live"], json!({"aud": ["shop", "live"]}), ""),
        (&["live", "chat"], json!({"aud": "chat"}), ""),
        (&["live"], json!({"aud": "Live"}), "it is for Live, not for live"),
        (&["live", "chat"], json!({"aud": ["a", "b"]}), "it is for a or b, not for live or chat"),
        (&["live"], json!({}), "it is for nobody, and not for live"),
        (&["live"], json!({"aud": 7}), "`aud` is neither a text nor a list of texts"),
        (&["live"], json!({"aud": ["live", 7]}), "`aud` is neither a text nor a list of texts"),
        (&["live"], json!({"aud": null}), "`aud` is neither a text nor a list of texts"),
    ] {
        let tokens = taking([IssuerParts { audience: audience(wanted), ..app() }]);
        assert_eq!(told(&tokens, &signed(&claims(said.clone()))), words, "{wanted:?} {said}");
    }
}

#[test]
fn grants_are_lists_of_patterns() {
    let many: Vec<_> = (0..257).map(|number| format!("a{number}")).collect();
    for (grants, words) in [
        (json!({}), ""),
        (json!({"subscribe": ["chat:*"], "fly": [1]}), ""),
        (json!([]), "`fanfare` is no object of rights with lists of patterns"),
        (json!("**"), "`fanfare` is no object of rights with lists of patterns"),
        (json!({"publish": "**"}), "`fanfare.publish` is no list of patterns"),
        (json!({"publish": ["a", 1]}), "`fanfare.publish` is no list of patterns"),
        (json!({"manage": [""]}), "`fanfare.manage` has ``: a pattern has at least one byte"),
        (
            json!({"history": ["user:{id}"]}),
            "`fanfare.history` has `user:{id}`: `{sub}` is the only thing that stands in braces",
        ),
        (json!({"publish": many}), "`fanfare` has more than 256 patterns"),
    ] {
        let token = signed(&claims(json!({"fanfare": grants})));
        assert_eq!(told(&tokens(), &token), words, "{grants}");
    }
}

fn caller(more: Value) -> Caller {
    let token = signed(&claims(more));
    Caller::holding(tokens().verify(token.as_bytes(), NOW).unwrap())
}

#[test]
fn a_holder_is_who_the_token_says() {
    let grants = json!({"subscribe": ["user:{sub}:**"], "publish": ["chat:*"]});
    let ada = caller(json!({"fanfare": grants}));
    assert_eq!(ada.user().map(|user| &**user), Some("ada"));
    assert_eq!(ada.expires(), Some((NOW_SECONDS + 600 + 30) * 1000), "with the leeway");
    assert_eq!(ada.publisher().as_deref(), Some("token:app:ada"));
    let granted = &ada.holder().unwrap().grants;
    assert!(granted.cover(Right::Subscribe, "user:ada:inbox"));
    assert!(!granted.cover(Right::Subscribe, "user:bob:inbox"));
    assert!(granted.cover(Right::Publish, "chat:a") && !granted.give(Right::Manage));
    assert_eq!(ada.identity(), caller(json!({"jti": "another token"})).identity());
    assert_ne!(ada.identity(), caller(json!({"sub": "bob"})).identity());

    let nobody = |jti: &str| {
        let text = format!("{{\"exp\":{},\"jti\":\"{jti}\"}}", NOW_SECONDS + 9);
        let holder = tokens().verify(signed(&text).as_bytes(), NOW).unwrap();
        Caller::holding(holder)
    };
    assert_eq!(nobody("a").user(), None);
    assert_ne!(nobody("a").identity(), nobody("b").identity(), "without a subject, each by itself");

    let long = claims(json!({"sub": "a".repeat(256)}));
    assert_eq!(told(&tokens(), &signed(&long)), "`sub` is no text of at most 255 bytes");
    assert_eq!(reason(&tokens(), &signed(&claims(json!({"sub": 7})))), "claim");
}

#[test]
fn an_explanation_goes_on_behind_what_failed() {
    let now = NOW_SECONDS;
    let expired = claims(json!({
        "exp": now - 180, "iat": now - 3_780, "aud": "shop", "fanfare": {"subscribe": ["chat:*", "news"]}
    }));
    let tokens = taking([IssuerParts { audience: vec!["live".to_owned()], ..app() }]);
    let examined = tokens.examine(signed(&expired).as_bytes(), NOW);
    let lines: Vec<_> = examined
        .checks
        .iter()
        .map(|(name, outcome)| match outcome {
            Ok(words) => format!("{name} ok {words}"),
            Err(failure) => format!("{name} failed {failure}"),
        })
        .collect();
    assert_eq!(
        lines,
        [
            "form ok HS256, no kid",
            "issuer ok none named (issuers.app)",
            "signature ok of a key of issuers.app",
            "exp failed expired 3 min ago",
            "nbf ok none",
            "iat ok issued 63 min ago",
            "aud failed it is for shop, not for live",
            "sub ok ada",
        ]
    );
    assert!(examined.failure().is_some());
    assert_eq!(examined.granted(), [("subscribe", "chat:*, news".to_owned())]);
    let good = tokens.examine(signed(&claims(json!({"aud": "live"}))).as_bytes(), NOW);
    assert_eq!(good.failure(), None);
    assert!(tokens.examine(b"a.b.c", NOW).failure().is_some());
}

#[test]
fn a_failure_tells_nothing_that_could_break_a_line() {
    let evil = "a\r\nb\0".repeat(100);
    for failure in [
        Failure::AlgorithmUnknown(evil.clone()),
        Failure::IssuerUnknown(Some(evil.clone())),
        Failure::KeyUnknown { issuer: "app".into(), key: Some(evil.clone()), is_looked_for: false },
        Failure::AudienceWrong {
            audience: vec![evil.clone(); 9],
            wanted: Box::new([]),
            issuer: "app".into(),
        },
    ] {
        let words = failure.to_string();
        assert!(words.len() < 1_000 && !words.contains(char::is_control), "{words:?}");
    }
}

#[test]
fn what_a_namespace_lets_every_user_do_takes_a_token_and_no_grant() {
    let rules = |namespace: Option<&str>, users: &[Right]| ChannelAccess {
        namespace: namespace.map(Into::into),
        anonymous_subscribe: false,
        anonymous_publish: false,
        client_publish: true,
        users: users.iter().copied().collect(),
    };
    let key = PublisherKey::named("feed", KeyHash::of(b"secret"), Grants::default());
    let chat = rules(Some("chat"), &[Right::Subscribe, Right::Publish]);
    let access = Access::keyed([key], rules(None, &[]), [("chat:".into(), chat)])
        .with_tokens(Some(Arc::new(tokens())));
    let shows = |secret: &str| {
        let authorization = format!("Bearer {secret}");
        let credentials =
            Credentials { authorization: Some(authorization.as_bytes()), ..Credentials::default() };
        access.caller(credentials, NOW)
    };
    let (chat, news) = (ChannelName::new("chat:a").unwrap(), ChannelName::new("news").unwrap());
    let user = shows(&signed(&claims(json!({}))));
    assert!(access.may_subscribe(&user, &chat).is_ok());
    assert!(access.may_publish(&user, &chat, End::Open).is_ok());
    assert!(access.may_publish_somewhere(&user).is_ok());
    assert!(access.may_look_back(&user, &chat).is_err(), "nor more than that");
    let refusal = crate::auth::tests::known(access.may_subscribe(&user, &news));
    assert_eq!(refusal.code(), Code::Forbidden);
    assert_eq!(refusal.detail(), "The token does not grant `subscribe`.");
    assert!(refusal.hint().contains("`subscribe` to `auth.users`"), "{refusal:?}");
    for (secret, code) in [("secret", Code::Forbidden), ("other", Code::Unauthorized)] {
        let refusal = access.may_subscribe(&shows(secret), &chat).unwrap_err();
        assert_eq!(refusal.code(), code, "a key is no user");
    }
    let expired = shows(&signed(&claims(json!({"exp": NOW_SECONDS - 180}))));
    let refusal = crate::auth::tests::known(access.may_subscribe(&expired, &chat));
    assert_eq!(refusal.code(), Code::Unauthorized);
    let detail = "The token that the request carries does not hold: expired 3 min ago.";
    assert_eq!(refusal.detail(), detail);
}

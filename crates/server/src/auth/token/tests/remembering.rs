//! A signature is checked once; what is remembered is true still when it is used.

use fanfare_core::name::ChannelName;
use fanfare_core::publication::End;
use serde_json::json;

use super::super::Tokens;
use super::super::algorithm::{Algorithm, Algorithms, KeyKind};
use super::super::keys::KeySet;
use super::{NOW, NOW_SECONDS, Pair, SECRET, claims, issuer, reason, set, signed, taking};
use crate::auth::grant::{Grants, Pattern, Right, Rights};
use crate::auth::key::KeyHash;
use crate::auth::{Access, ChannelAccess, Credentials, PublisherKey};

#[test]
fn who_comes_back_is_known() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let token = signed(&claims(json!({})));
    let first = tokens.verify(token.as_bytes(), NOW).unwrap();
    for _ in 0..99 {
        let again = tokens.verify(token.as_bytes(), NOW).unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &again), "nothing is made anew");
    }
    assert_eq!(tokens.figures().verified_count(), 1);
    assert_eq!(tokens.figures().remembered_count(), 99);
}

#[test]
fn what_has_expired_since_is_refused() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let token = signed(&claims(json!({"nbf": NOW_SECONDS})));
    let at = |seconds: u64| tokens.verify(token.as_bytes(), seconds * 1000).is_ok();
    assert!(at(NOW_SECONDS) && at(NOW_SECONDS + 629));
    assert!(!at(NOW_SECONDS + 630), "600 seconds and the leeway");
    assert!(at(NOW_SECONDS - 30) && !at(NOW_SECONDS - 31), "nor before it begins");
}

#[test]
fn a_key_that_goes_takes_its_tokens_along() {
    let (old, new) = (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256));
    let mut parts = issuer(KeySet::default());
    parts.url = Some("http://127.0.0.1:1/keys".to_owned());
    let tokens = taking([parts]);
    let token = |pair: &Pair, kid| {
        pair.signing.token(Algorithm::Es256, Some(kid), &claims(json!({}))).unwrap()
    };
    let (by_old, by_new) = (token(&old, "old"), token(&new, "new"));
    assert_eq!(reason(&tokens, &by_old), "keys-missing");
    let issuer = &tokens.issuers[0];
    issuer.exchange(set(&[old.named("old")]));
    issuer.remote.as_ref().unwrap().end(Ok(NOW));
    assert_eq!((reason(&tokens, &by_old), reason(&tokens, &by_new)), ("holds", "key"));
    // Both are there while one takes the place of the other.
    issuer.exchange(set(&[old.named("old"), new.named("new")]));
    assert_eq!((reason(&tokens, &by_old), reason(&tokens, &by_new)), ("holds", "holds"));
    issuer.exchange(set(&[new.named("new")]));
    assert_eq!((reason(&tokens, &by_old), reason(&tokens, &by_new)), ("key", "holds"));
}

#[test]
fn an_unknown_key_is_looked_for_once_in_a_while() {
    let mut parts = issuer(set(&[Pair::new(KeyKind::P256).named("k1")]));
    parts.url = Some("http://127.0.0.1:1/keys".to_owned());
    let tokens = taking([parts]);
    let issuer = &tokens.issuers[0];
    let remote = issuer.remote.as_ref().unwrap();
    remote.end(Err(()));
    assert!(issuer.look_for_keys(NOW), "the first has them fetched");
    assert!(issuer.look_for_keys(NOW + 1), "others wait for the same fetch");
    remote.end(Err(()));
    assert!(!issuer.look_for_keys(NOW + 2), "it is too soon, however many ask");
    assert!(!issuer.look_for_keys(NOW + 29_999));
    assert!(issuer.look_for_keys(NOW + 30_000));
}

#[test]
fn the_older_ones_are_forgotten_and_checked_again() {
    for (room, least) in [(0, 0), (64, 40)] {
        let keys = KeySet::of_secret(SECRET, Algorithms::all());
        let tokens = Tokens::new([issuer(keys)], 8 * 1024, room);
        let all: Vec<_> =
            (0..1_000).map(|number| signed(&claims(json!({"jti": number})))).collect();
        for token in all.iter().chain(all.iter().rev().take(64)) {
            assert_eq!(reason(&tokens, token), "holds");
        }
        let (verified, known) =
            (tokens.figures().verified_count(), tokens.figures().remembered_count());
        assert_eq!(verified + known, 1_064);
        assert!((least..=64).contains(&known), "of the last 64 with room for {room}: {known}");
    }
}

#[test]
fn a_publish_with_a_known_token_or_key_allocates_nothing_to_be_allowed() {
    let grants = json!({"fanfare": {"publish": ["chat:*", "user:{sub}:**", "*:log:**:x"]}});
    let token = format!("Bearer {}", signed(&claims(grants)));
    let patterns = vec![Pattern::new("chat:*", None).unwrap()];
    let key = PublisherKey::named(
        "feed",
        KeyHash::of(b"secret"),
        Grants::default().with(Right::Publish, patterns),
    );
    let rules = ChannelAccess {
        namespace: None,
        anonymous_subscribe: false,
        anonymous_publish: false,
        client_publish: true,
        users: Rights::default(),
    };
    let keys = KeySet::of_secret(SECRET, Algorithms::all());
    let access = Access::keyed([key], rules, [])
        .with_tokens(Some(std::sync::Arc::new(taking([issuer(keys)]))));
    let channel = ChannelName::new("chat:a").unwrap();
    for authorization in [&token, "Bearer secret"] {
        let publish = || {
            let authorization = Some(authorization.as_bytes());
            let credentials = Credentials { authorization, ..Credentials::default() };
            let caller = access.caller(credentials, NOW);
            assert!(access.may_publish(&caller, &channel, End::Open).is_ok());
        };
        // The first time a token is checked, and a thread made ready to read what is remembered.
        publish();
        let allocations = allocation_counter::measure(publish);
        assert_eq!(allocations.count_total, 0, "{authorization}");
    }
}

#[test]
fn what_many_tokens_grant_is_held_once() {
    let tokens = taking([issuer(KeySet::of_secret(SECRET, Algorithms::all()))]);
    let granted = |subject: &str, pattern: &str| {
        let claims = claims(json!({"sub": subject, "fanfare": {"subscribe": [pattern]}}));
        let holder = tokens.verify(signed(&claims).as_bytes(), NOW).unwrap();
        std::sync::Arc::clone(&holder.grants)
    };
    let same = std::sync::Arc::ptr_eq;
    assert!(same(&granted("ada", "chat:*"), &granted("bob", "chat:*")));
    assert!(!same(&granted("ada", "chat:*"), &granted("ada", "chat:**")));
    let (ada, bob) = (granted("ada", "user:{sub}"), granted("bob", "user:{sub}"));
    assert!(ada.cover(Right::Subscribe, "user:ada") && !ada.cover(Right::Subscribe, "user:bob"));
    assert!(bob.cover(Right::Subscribe, "user:bob") && !bob.cover(Right::Subscribe, "user:ada"));
}

//! A key lets its holder in and nobody else.

use fanfare_core::code::Code;

use super::{Access, Credentials, PublisherKey, Subscribing};

fn with(authorization: &'static str) -> Credentials<'static> {
    Credentials { authorization: Some(authorization.as_bytes()), subprotocol_token: None }
}

#[test]
fn only_holders_of_a_key_publish() {
    let keys = [PublisherKey::new("secret-one"), PublisherKey::new("two")];
    let access = Access::keyed(keys, Subscribing::Anyone);
    let first = access.may_publish(with("Bearer secret-one")).unwrap();
    let second = access.may_publish(with("bearer  two ")).unwrap();
    assert!(first.is_some() && second.is_some());
    assert_ne!(first, second, "each key is a scope of its own");
    for refused in ["Bearer secret-on", "Bearer secret-onf", "Basic two", "Bearer ", "two", ""] {
        let verdict = access.may_publish(with(refused));
        assert_eq!(verdict, Err(Code::Unauthorized), "{refused:?}");
    }
    assert_eq!(access.may_publish(Credentials::default()), Err(Code::Unauthorized));
    assert_eq!(access.may_subscribe(Credentials::default()), Ok(()));
    let mistyped = access.may_subscribe(with("Bearer tow"));
    assert_eq!(mistyped, Err(Code::Unauthorized), "a mistyped key is noticed");
}

#[test]
fn a_browser_socket_shows_its_key_as_a_subprotocol() {
    let access = Access::keyed([PublisherKey::new("two")], Subscribing::Publishers);
    let offered = Credentials { authorization: None, subprotocol_token: Some(b"two") };
    assert!(access.may_publish(offered).is_ok());
    assert_eq!(access.may_subscribe(offered), Ok(()));
    assert_eq!(access.may_subscribe(Credentials::default()), Err(Code::Unauthorized));
}

#[test]
fn dev_asks_nobody() {
    let access = Access::open();
    assert_eq!(access.may_publish(Credentials::default()), Ok(None));
    assert_eq!(access.may_subscribe(Credentials::default()), Ok(()));
}

#[test]
fn keys_are_not_printed() {
    let access = Access::keyed([PublisherKey::new("hush")], Subscribing::Anyone);
    let printed = format!("{access:?} {:?}", with("Bearer hush"));
    assert!(!printed.contains("hush"), "{printed}");
}

//! Who is limited by what, and what they are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;

use super::{ClientAddress, Each, Key, LimitKey, Limiter, Rate, Sender, Tally, Terms, USERS, What};

fn terms() -> Terms {
    let rate = |count| Some(Rate { count, per: Duration::from_secs(1) });
    Terms {
        connections: Each { address: Some(2), user: Some(1), channel: None },
        connect: Each { address: rate(3), user: None, channel: None },
        subscribe: Each { address: None, user: rate(4), channel: rate(2) },
        publish: Each { address: rate(5), user: rate(2), channel: None },
        burst: Duration::from_secs(1),
        ..Terms::default()
    }
}

fn limiter() -> (Arc<Limiter>, Arc<Tally>) {
    let tally = Arc::new(Tally::default());
    (Limiter::new(1_024, Arc::clone(&tally)), tally)
}

fn at(text: &str) -> ClientAddress {
    ClientAddress::of_peer(format!("{text}:1").parse::<SocketAddr>().unwrap())
}

fn sender(address: &str, user: Option<&str>) -> Sender {
    Sender { address: super::address_key(at(address)), user: user.map(|user| Key::of(USERS, user)) }
}

fn channels(names: &[&str]) -> Vec<ChannelName> {
    names.iter().map(|name| ChannelName::new(name).unwrap()).collect()
}

fn count(limiter: &Limiter, limit: LimitKey) -> u64 {
    limiter.limited().find(|(name, _)| *name == limit.name()).unwrap().1
}

#[test]
fn connections_of_an_address_are_limited_in_number_and_rate() {
    let (limiter, tally) = limiter();
    let terms = terms();
    let one = limiter.accept(&terms, at("192.0.2.1")).unwrap().unwrap();
    tally.enter(one);
    tally.enter(limiter.accept(&terms, at("192.0.2.1")).unwrap().unwrap());
    assert_eq!(limiter.accept(&terms, at("192.0.2.1")), Err(LimitKey::AddressConnections));
    assert!(limiter.accept(&terms, at("192.0.2.2")).is_ok(), "another address");
    tally.leave(one);
    assert!(limiter.accept(&terms, at("192.0.2.1")).is_ok());
    assert_eq!(limiter.accept(&terms, at("192.0.2.1")), Err(LimitKey::AddressConnects));
    for _ in 0..100 {
        assert_eq!(limiter.accept(&terms, at("127.0.0.1")), Ok(None), "loopback is free");
    }
    assert_eq!(count(&limiter, LimitKey::AddressConnections), 1);
    assert_eq!(count(&limiter, LimitKey::AddressConnects), 1);
}

#[test]
fn a_reader_counts_for_its_user_and_behind_a_proxy_for_its_address() {
    let (limiter, tally) = limiter();
    let terms = terms();
    let anna = sender("192.0.2.1", Some("anna"));
    let open = |sender: &Sender, counted| limiter.open(&terms, sender, counted, []);
    assert_eq!(open(&anna, true), Ok(()));
    tally.enter(anna.user().unwrap());
    let refusal = open(&anna, true).unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), (Code::ConnectionsLimited, 429));
    assert!(refusal.detail().contains("`limits.connections_per_user_max`"), "{refusal:?}");
    assert_eq!(open(&sender("192.0.2.1", Some("bert")), true), Ok(()));

    let nobody = sender("192.0.2.1", None);
    tally.enter(nobody.address().unwrap());
    tally.enter(nobody.address().unwrap());
    assert_eq!(open(&nobody, true), Ok(()), "it was counted when it was accepted");
    let refusal = open(&nobody, false).unwrap_err();
    assert!(refusal.hint().contains("`proxies.trusted`"), "{refusal:?}");
}

#[test]
fn rates_hold_for_address_user_and_channel() {
    let (limiter, _tally) = limiter();
    let terms = terms();
    let take = |what, sender: &Sender, names: &[&str]| {
        limiter.take(&terms, what, sender, &channels(names)).map_err(|problem| {
            assert_eq!((problem.code(), problem.status()), (Code::RateLimited, 429));
            assert_eq!(problem.retry_after(), Some(1));
            let key = problem.detail().split('`').nth(1).unwrap().to_owned();
            (key, problem.channel().map(str::to_owned))
        })
    };
    let limited = |key: &str, channel: Option<&str>| {
        Err((format!("limits.{key}"), channel.map(str::to_owned)))
    };
    let (anna, bert) = (sender("192.0.2.1", Some("anna")), sender("192.0.2.1", Some("bert")));
    for _ in 0..2 {
        assert_eq!(take(What::Publish, &anna, &["a"]), Ok(()));
        assert_eq!(take(What::Publish, &bert, &["a"]), Ok(()));
    }
    assert_eq!(take(What::Publish, &anna, &["b"]), limited("publish_rate_per_user", None));
    let carl = sender("192.0.2.1", Some("carl"));
    assert_eq!(take(What::Publish, &carl, &["a", "b"]), limited("publish_rate_per_address", None));

    assert_eq!(take(What::Subscribe, &anna, &["x", "y", "z"]), Ok(()));
    assert_eq!(take(What::Subscribe, &bert, &["x"]), Ok(()));
    let full = limited("subscribe_rate_per_channel", Some("x"));
    assert_eq!(take(What::Subscribe, &bert, &["x"]), full.clone());
    assert_eq!(take(What::Subscribe, &anna, &["v", "w"]), limited("subscribe_rate_per_user", None));
    for _ in 0..100 {
        // What is refused costs nothing: not the channels before the one that is full, nor whoever
        // asked.
        assert_eq!(take(What::Subscribe, &bert, &["u", "x"]), full.clone());
    }
    assert_eq!(take(What::Subscribe, &bert, &["t", "u"]), Ok(()));
    for _ in 0..100 {
        assert_eq!(take(What::Subscribe, &Sender::default(), &["x"]), Ok(()), "nobody is limited");
        let unlimited = limiter.take(&Terms::default(), What::Publish, &anna, &channels(&["a"]));
        assert_eq!(unlimited, Ok(()));
    }
}

#[test]
fn a_stranger_over_their_own_limit_takes_nothing_of_a_channel() {
    let (limiter, _tally) = limiter();
    let terms = Terms {
        publish: Each {
            address: terms().publish.user,
            user: None,
            channel: terms().publish.address,
        },
        ..terms()
    };
    let news = channels(&["news"]);
    let publish =
        |address: &str| limiter.take(&terms, What::Publish, &sender(address, None), &news);
    for turn in 0..50 {
        assert_eq!(publish("192.0.2.1").is_ok(), turn < 2);
    }
    for address in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        assert_eq!(publish(address), Ok(()), "two of five are taken");
    }
}

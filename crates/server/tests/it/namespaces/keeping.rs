//! What is kept of a channel, and what its readers are told of their policy.

use super::{KEY, Serving, post};
use crate::wire::body;

#[test]
fn each_namespace_keeps_as_much_as_it_says() {
    let serving = Serving::start();
    let mut wire = serving.connect();
    for number in 1..=5 {
        for channel in ["talk:a", "news:a", "closed"] {
            let answer = post(&mut wire, &format!("/c/{channel}"), &number.to_string(), &[KEY]);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    for (channel, offsets) in [("talk:a", &[4, 5][..]), ("news:a", &[5]), ("closed", &[3, 4, 5])] {
        for target in [format!("/c/{channel}/history"), format!("/c/{channel}?poll=1")] {
            wire.ask(&format!("GET {target} HTTP/1.1"), &[KEY]);
            let answer = wire.answer();
            let told: Vec<u64> = body(&answer)
                .split("\"offset\":")
                .skip(1)
                .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
                .collect();
            assert_eq!(told, offsets, "{target}: {answer}");
        }
    }
}

#[test]
fn the_opening_tells_each_channels_policy() {
    let serving = Serving::start();
    for mut wire in serving.connections() {
        wire.ask("GET /c/talk:a,news:a HTTP/1.1", &["Accept: text/event-stream"]);
        let opening = wire.until("\nid: ");
        let policies = opening.split("\"policy\":\"").skip(1);
        let policies: Vec<_> = policies.map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(policies.contains(&"recover") && policies.contains(&"disconnect"), "{opening}");
    }
}

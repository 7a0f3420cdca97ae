//! Hooks: what is wrong with them is told where it stands, and no secret with it.

use super::{mistake, settings};
use fanfare_core::happening::Wishes;

use crate::config::settings::{Mode, OnFailure};

const SECRETS: &str = "secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n";

#[test]
fn hooks_are_read() {
    let text = format!(
        "[hooks]\n{SECRETS}connect_url = \"http://app:3000/a\"\npublish_url = \"https://b/\"\n\
         publish_on_failure = \"allow\"\nforward_headers = [\"Cookie\", \"x-a\", \"cookie\"]\n\
         timeout = \"250ms\"\n[namespaces.chat]\nask_publish = false\n"
    );
    let read = settings(&text, Mode::Serve).unwrap();
    let hooks = &read.hooks;
    let connect = hooks.connect.as_ref().unwrap();
    assert_eq!(connect.on_failure, OnFailure::Refuse);
    assert_eq!(hooks.publish.as_ref().unwrap().on_failure, OnFailure::Allow);
    assert!(hooks.subscribe.is_none() && hooks.refresh.is_none() && hooks.events.is_none());
    assert_eq!(hooks.forward_headers, ["cookie", "x-a"]);
    assert_eq!(hooks.timeout.as_millis(), 250);
    assert!(read.rest.ask_publish && read.rest.ask_subscribe);
    let chat = &read.namespaces[0].rules;
    assert!(!chat.ask_publish && chat.ask_subscribe);
    assert!(!format!("{read:?}").contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let none = settings("", Mode::Serve).unwrap().hooks;
    assert_eq!(none.forward_headers, ["cookie", "origin", "user-agent", "accept-language"]);
    assert_eq!(none.questions_max, 256);
}

#[test]
fn what_is_told_of_channels_is_inherited_and_can_be_less() {
    let text = format!(
        "presence = true\n[hooks]\n{SECRETS}events_url = \"http://app:3000/a\"\n\
         events = [\"occupancy\", \"members\"]\nevents_grace = \"1s\"\nevents_batch_max = 7\n\
         [namespaces.quiet]\nevents = []\n[namespaces.bare]\npresence = false\n"
    );
    let read = settings(&text, Mode::Serve).unwrap();
    let [occupancy, members] = [true, true];
    assert_eq!(read.rest.events, Wishes { occupancy, members });
    let told = |name: &str| {
        let namespace = read.namespaces.iter().find(|it| it.name == name).unwrap();
        namespace.rules.events
    };
    assert_eq!(told("quiet"), Wishes::default());
    assert_eq!(told("bare"), Wishes { occupancy, members }, "there are none to tell of");
    assert!(read.hooks.events.is_some() && read.hooks.disconnects);
    let terms = read.hooks.event_terms;
    assert_eq!((terms.grace.as_secs(), terms.batch_max), (1, 7));
    assert_eq!((terms.retry_for.as_secs(), terms.bytes_max), (600, 16 << 20));
}

#[test]
fn what_is_wrong_with_hooks_is_told() {
    for (text, expected) in [
        ("connect_url = \"http://a/\"\n", "there is no `hooks.secrets` to sign with"),
        ("secrets = [\"whsec_hunter2\"]\n", "`hooks.secrets` has one that is none"),
        ("SECRETSconnect_url = \"http://u:hunter2@a/\"\n", "is no URL that can be asked; write a"),
        ("SECRETSpublish_url = \"app:3000\"\n", "`hooks.publish_url` is no URL"),
        ("SECRETSrefresh_url = \"http://a/\"\n", "without `hooks.connect_url` there is nobody"),
        ("forward_headers = [\"a b\"]\n", "has \"a b\", which is no header's name"),
        ("events = [\"occupancy\"]\n", "is set, and nobody is told; say in `hooks.events_url`"),
        ("events = [\"vacated\"]\n", "`occupancy`"),
        (
            "SECRETSevents_url = \"http://a/\"\n[namespaces.a]\npresence = false\nevents = [\"members\"]\n",
            "`namespaces.a.events` has `members`, which channels have only with `presence`",
        ),
        ("connect_on_failure = \"open\"\n", "write `refuse` or `allow`"),
        ("timeout = \"2m\"\n", "write a duration from 50ms to 1m"),
    ] {
        let text = format!("[hooks]\n{}", text.replace("SECRETS", SECRETS));
        let told = mistake(&text, Mode::Serve);
        assert!(told.contains(expected), "{text}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

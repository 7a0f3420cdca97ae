//! A key lets its holder in and nobody else, and what is open is what its namespace says.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::End;
use fanfare_protocol::native::problem::Problem;

use super::{Access, Caller, ChannelAccess, Credentials, PublisherKey};

/// What anyone may do, of a namespace or of the rest; for tests of others, too.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) subscribe: bool,
    pub(crate) publish: bool,
    pub(crate) mute: bool,
}

impl Rules {
    fn access(self, namespace: Option<&str>) -> ChannelAccess {
        ChannelAccess {
            namespace: namespace.map(|prefix| prefix.trim_end_matches(':').into()),
            anonymous_subscribe: self.subscribe,
            anonymous_publish: self.publish,
            client_publish: !self.mute,
        }
    }
}

/// Access as in `dev`.
pub(crate) fn everyone() -> Access {
    Access::open(Rules { subscribe: true, publish: true, mute: false }.access(None), [])
}

/// Access for the holder of the key `secret`, and for others as the rules say; each namespace is
/// called what its prefix is called before the colon.
pub(crate) fn keyed<const N: usize>(rest: Rules, namespaces: [(&str, Rules); N]) -> Access {
    let keys = [PublisherKey::new("secret")];
    let namespaces = namespaces.map(|(prefix, rules)| (prefix.into(), rules.access(Some(prefix))));
    Access::keyed(keys, rest.access(None), namespaces)
}

fn with(authorization: &'static str) -> Credentials<'static> {
    Credentials { authorization: Some(authorization.as_bytes()), subprotocol_token: None }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

/// The code of a refusal, and the key of the configuration that its hint names.
fn told(verdict: Result<(), Problem>) -> Option<(Code, String)> {
    let problem = verdict.err()?;
    let hint = problem.hint();
    let key =
        hint.split('`').find(|word| word.ends_with("_subscribe") || word.ends_with("_publish"));
    Some((problem.code(), key.unwrap_or_default().to_owned()))
}

#[test]
fn only_holders_of_a_key_publish() {
    let keys = [PublisherKey::new("secret-one"), PublisherKey::new("two")];
    let rest = Rules { subscribe: true, ..Rules::default() };
    let access = Access::keyed(keys, rest.access(None), []);
    let publish = |credentials| {
        let caller = access.caller(credentials);
        let verdict = access.may_publish(&caller, &channel("a"), End::Open);
        verdict.map(|()| caller.publisher().clone()).map_err(|problem| problem.code())
    };
    let first = publish(with("Bearer secret-one")).unwrap();
    let second = publish(with("bearer  two ")).unwrap();
    assert!(first.is_some() && second.is_some());
    assert_ne!(first, second, "each key is a scope of its own");
    for refused in ["Bearer secret-on", "Bearer secret-onf", "Basic two", "Bearer ", "two", ""] {
        assert_eq!(publish(with(refused)), Err(Code::Unauthorized), "{refused:?}");
    }
    assert_eq!(publish(Credentials::default()), Err(Code::Unauthorized));
    let read = |credentials| {
        let caller = access.caller(credentials);
        access.may_subscribe(&caller, &channel("a")).map_err(|problem| problem.code())
    };
    assert_eq!(read(Credentials::default()), Ok(()));
    let mistyped = read(with("Bearer tow"));
    assert_eq!(mistyped, Err(Code::Unauthorized), "a mistyped key is noticed");
}

#[test]
fn a_browser_socket_shows_its_key_as_a_subprotocol() {
    let access = keyed(Rules::default(), []);
    let offered = Credentials { authorization: None, subprotocol_token: Some(b"secret") };
    let caller = access.caller(offered);
    assert!(caller.publisher().is_some() && caller.is_trusted());
    assert_eq!(access.may_subscribe(&caller, &channel("a")), Ok(()));
}

#[test]
fn dev_asks_nobody() {
    let access = everyone();
    for credentials in [Credentials::default(), with("Bearer what")] {
        let caller = access.caller(credentials);
        assert_eq!(caller.publisher(), &None);
        assert_eq!(access.may_subscribe(&caller, &channel("a")), Ok(()));
        assert_eq!(access.may_publish(&caller, &channel("a"), End::Close), Ok(()));
        assert_eq!(access.may_remove(&caller), Ok(()));
        assert_eq!(access.may_open(&caller, []), Ok(()));
    }
}

/// Channels of a namespace that is all open, one where only reading is, one where WebSockets do not
/// publish, and of none.
const CHANNELS: [&str; 4] = ["talk:a", "news:a", "mute:a", "a"];

fn three() -> Access {
    let open = Rules { subscribe: true, publish: true, mute: false };
    let news = Rules { subscribe: true, ..Rules::default() };
    let mute = Rules { mute: true, ..open };
    keyed(Rules::default(), [("talk:", open), ("news:", news), ("mute:", mute)])
}

/// What a caller is told for each of [`CHANNELS`], by a short word: nothing, or the code and the key
/// to change.
fn each(verdict: impl Fn(&ChannelName) -> Result<(), Problem>) -> Vec<String> {
    let words = CHANNELS.map(|name| match told(verdict(&channel(name))) {
        None => "yes".to_owned(),
        Some((code, key)) => format!("{} {key}", code.status()),
    });
    words.into()
}

#[test]
fn each_namespace_says_what_is_open() {
    let access = three();
    let nobody = access.caller(Credentials::default());
    assert_eq!(
        each(|channel| access.may_subscribe(&nobody, channel)),
        ["yes", "yes", "yes", "401 auth.anonymous_subscribe"]
    );
    let publish = "401 namespaces.news.anonymous_publish";
    let rest = "401 auth.anonymous_publish";
    assert_eq!(
        each(|channel| access.may_publish(&nobody, channel, End::Open)),
        ["yes", publish, "yes", rest]
    );
    assert_eq!(
        each(|channel| access.may_publish(&nobody, channel, End::Close)),
        ["401 "; 4],
        "to end a channel takes a key, wherever"
    );
    let mute = "403 namespaces.mute.client_publish";
    assert_eq!(
        each(|channel| access.may_send(&nobody, channel, End::Open)),
        ["yes", publish, mute, rest]
    );
    assert_eq!(told(access.may_remove(&nobody)).unwrap().0, Code::Unauthorized);

    let holder = access.caller(with("Bearer secret"));
    assert_eq!(each(|channel| access.may_subscribe(&holder, channel)), ["yes"; 4]);
    assert_eq!(each(|channel| access.may_publish(&holder, channel, End::Close)), ["yes"; 4]);
    assert_eq!(
        each(|channel| access.may_send(&holder, channel, End::Close)),
        ["yes", "yes", mute, "yes"],
        "no key helps where frames do not publish"
    );
    assert_eq!(access.may_remove(&holder), Ok(()));

    let mistaken = access.caller(with("Bearer sesame"));
    assert_eq!(each(|channel| access.may_subscribe(&mistaken, channel)), ["401 "; 4]);
    assert_eq!(each(|channel| access.may_publish(&mistaken, channel, End::Open)), ["401 "; 4]);
    let detail = access.may_subscribe(&mistaken, &channel("a")).unwrap_err();
    assert!(detail.detail().contains("none of this server's"), "{detail:?}");
}

#[test]
fn several_are_read_only_if_each_may_be_and_written_to_if_one_may_be() {
    let access = three();
    let nobody = access.caller(Credentials::default());
    let channels = |names: &[&str]| names.iter().map(|name| channel(name)).collect::<Vec<_>>();
    for (names, read, written) in [
        (&["talk:a", "news:a"][..], true, true),
        (&["talk:a", "a"][..], false, true),
        (&["a", "talk:a"][..], false, true),
        (&["news:a"][..], true, false),
        (&["a", "b"][..], false, false),
    ] {
        let channels = channels(names);
        assert_eq!(access.may_open(&nobody, &channels).is_ok(), read, "{names:?}");
        assert_eq!(
            access.may_publish_to_any(&nobody, &channels, End::Open).is_ok(),
            written,
            "{names:?}"
        );
    }
    let refusal = access.may_open(&nobody, &channels(&["talk:a", "b"])).unwrap_err();
    assert_eq!(refusal.channel(), Some("b"), "it says which one");

    let access = keyed(Rules::default(), [("news:", Rules::default())]);
    let verdict = access.may_publish_to_any(&nobody, &channels(&["news:a", "a"]), End::Open);
    let key = "namespaces.news.anonymous_publish".to_owned();
    assert_eq!(told(verdict), Some((Code::Unauthorized, key)), "where nothing is open, too");
    assert_eq!(
        told(access.may_publish_to_any(&nobody, [], End::Open)).unwrap().0,
        Code::Unauthorized
    );
}

/// What the rest and a namespace say, and what is told to anonymous callers and to holders who ask
/// for no channel in particular: to open a connection, a body, a frame.
#[test]
fn what_is_allowed_nowhere_is_refused_before_it_is_asked_for() {
    let open = Rules { subscribe: true, publish: true, mute: false };
    let none = Rules::default();
    let mute = Rules { mute: true, ..open };
    for (rest, namespace, expected) in [
        (none, none, ["401", "401", "401", "yes"]),
        (none, open, ["yes", "yes", "yes", "yes"]),
        (none, Rules { subscribe: false, ..open }, ["yes", "yes", "yes", "yes"]),
        (none, Rules { publish: false, ..open }, ["yes", "401", "401", "yes"]),
        (mute, mute, ["yes", "yes", "403", "403"]),
        (mute, none, ["yes", "yes", "401", "yes"]),
    ] {
        let access = keyed(rest, [("ns:", namespace)]);
        let nobody = access.caller(Credentials::default());
        let holder = access.caller(with("Bearer secret"));
        let word = |verdict: Result<(), Problem>| match verdict {
            Ok(()) => "yes".to_owned(),
            Err(problem) => problem.status().to_string(),
        };
        let words = |caller: &Caller| {
            [
                word(access.may_open(caller, [])),
                word(access.may_publish_somewhere(caller)),
                word(access.may_send_somewhere(caller)),
            ]
        };
        let [open, body, frame] = words(&nobody);
        let [_, _, held] = words(&holder);
        assert_eq!([open, body, frame, held], expected, "{rest:?} {namespace:?}");
    }
}

#[test]
fn the_longest_prefix_decides_who_may() {
    let open = Rules { subscribe: true, ..Rules::default() };
    let namespaces = [("a:", open), ("a:b:", Rules::default()), ("a:b:c:", open)];
    let access = keyed(Rules::default(), namespaces);
    let nobody = access.caller(Credentials::default());
    for (name, may) in
        [("a:1", true), ("a:b", true), ("a:b:1", false), ("a:b:c:1", true), ("b:1", false)]
    {
        assert_eq!(access.may_subscribe(&nobody, &channel(name)).is_ok(), may, "{name}");
    }
}

#[test]
fn keys_are_not_printed() {
    let access = Access::keyed([PublisherKey::new("hush")], Rules::default().access(None), []);
    let printed = format!("{access:?} {:?}", with("Bearer hush"));
    assert!(!printed.contains("hush"), "{printed}");
}

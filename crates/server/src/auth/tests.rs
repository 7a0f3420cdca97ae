//! A key lets its holder in and nobody else, and what is open is what its namespace says.

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Notices;
use fanfare_core::publication::End;
use fanfare_core::start::{Start, Subscription};
use fanfare_protocol::native::problem::Problem;

use super::grant::{Grants, Pattern, Right, Rights};
use super::key::KeyHash;
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
            users: Rights::default(),
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
    Credentials { authorization: Some(authorization.as_bytes()), ..Credentials::default() }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn read_from(channels: &[ChannelName]) -> Vec<Subscription> {
    channels.iter().map(|channel| Subscription::new(channel.clone(), Start::Now)).collect()
}

/// A refusal in the words that `serve` keeps for its log.
pub(crate) fn known(verdict: Result<(), Problem>) -> Problem {
    let mut problem = verdict.unwrap_err();
    let untold = problem.take_untold().unwrap();
    let known = Problem::new(problem.code(), untold.why.into_string(), untold.change.into_string());
    match problem.channel() {
        Some(name) => known.about(&channel(name), None),
        None => known,
    }
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
        let caller = access.caller(credentials, 0);
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
        let caller = access.caller(credentials, 0);
        access.may_subscribe(&caller, &channel("a")).map_err(|problem| problem.code())
    };
    assert_eq!(read(Credentials::default()), Ok(()));
    let mistyped = read(with("Bearer tow"));
    assert_eq!(mistyped, Err(Code::Unauthorized), "a mistyped key is noticed");
}

#[test]
fn a_browser_socket_shows_its_key_as_a_subprotocol() {
    let access = keyed(Rules::default(), []);
    let offered = Credentials { subprotocol_token: Some(b"secret"), ..Credentials::default() };
    let caller = access.caller(offered, 0);
    assert!(caller.publisher().is_some());
    assert_eq!(access.may_subscribe(&caller, &channel("a")), Ok(()));
}

#[test]
fn dev_asks_nobody() {
    let access = everyone();
    for credentials in [Credentials::default(), with("Bearer what")] {
        let caller = access.caller(credentials, 0);
        assert_eq!(caller.publisher(), &None);
        assert_eq!(access.may_subscribe(&caller, &channel("a")), Ok(()));
        assert_eq!(access.may_publish(&caller, &channel("a"), End::Close), Ok(()));
        assert_eq!(access.may_remove(&caller, &channel("a")), Ok(()));
        assert_eq!(access.may_open(&caller, &[]), Ok(()));
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
    let nobody = access.caller(Credentials::default(), 0);
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
    assert_eq!(told(access.may_remove(&nobody, &channel("talk:a"))).unwrap().0, Code::Unauthorized);

    let holder = access.caller(with("Bearer secret"), 0);
    assert_eq!(each(|channel| access.may_subscribe(&holder, channel)), ["yes"; 4]);
    assert_eq!(each(|channel| access.may_publish(&holder, channel, End::Close)), ["yes"; 4]);
    assert_eq!(
        each(|channel| access.may_send(&holder, channel, End::Close)),
        ["yes", "yes", mute, "yes"],
        "no key helps where frames do not publish"
    );
    assert_eq!(access.may_remove(&holder, &channel("a")), Ok(()));

    let mistaken = access.caller(with("Bearer sesame"), 0);
    assert_eq!(each(|channel| access.may_subscribe(&mistaken, channel)), ["401 "; 4]);
    assert_eq!(each(|channel| access.may_publish(&mistaken, channel, End::Open)), ["401 "; 4]);
    let detail = access.may_subscribe(&mistaken, &channel("a")).unwrap_err();
    assert!(detail.detail().contains("none of this server's"), "{detail:?}");
}

#[test]
fn several_are_read_only_if_each_may_be_and_written_to_if_one_may_be() {
    let access = three();
    let nobody = access.caller(Credentials::default(), 0);
    let channels = |names: &[&str]| names.iter().map(|name| channel(name)).collect::<Vec<_>>();
    for (names, read, written) in [
        (&["talk:a", "news:a"][..], true, true),
        (&["talk:a", "a"][..], false, true),
        (&["a", "talk:a"][..], false, true),
        (&["news:a"][..], true, false),
        (&["a", "b"][..], false, false),
    ] {
        let channels = channels(names);
        assert_eq!(access.may_open(&nobody, &read_from(&channels)).is_ok(), read, "{names:?}");
        assert_eq!(
            access.may_publish_to_any(&nobody, &channels, End::Open).is_ok(),
            written,
            "{names:?}"
        );
    }
    let refusal = access.may_open(&nobody, &read_from(&channels(&["talk:a", "b"]))).unwrap_err();
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
        let nobody = access.caller(Credentials::default(), 0);
        let holder = access.caller(with("Bearer secret"), 0);
        let word = |verdict: Result<(), Problem>| match verdict {
            Ok(()) => "yes".to_owned(),
            Err(problem) => problem.status().to_string(),
        };
        let words = |caller: &Caller| {
            [
                word(access.may_open(caller, &[])),
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
    let nobody = access.caller(Credentials::default(), 0);
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

/// Access for the holder of the key `secret`, called `feed`, with a pattern for some rights.
fn granting(patterns: &[(Right, &str)]) -> (Access, Caller) {
    let grants = patterns.iter().fold(Grants::default(), |grants, (right, text)| {
        grants.with(*right, vec![Pattern::new(text, None).unwrap()])
    });
    let key = PublisherKey::named("feed", KeyHash::of(b"secret"), grants);
    let access = Access::keyed([key], Rules::default().access(None), []);
    let caller = access.caller(with("Bearer secret"), 0);
    (access, caller)
}

/// Each right with what asks for it.
type Question = fn(&Access, &Caller, &ChannelName) -> Result<(), Problem>;
const QUESTIONS: [(Right, Question); 5] = [
    (Right::Subscribe, |access, caller, channel| access.may_subscribe(caller, channel)),
    (Right::Publish, |access, caller, channel| access.may_publish(caller, channel, End::Open)),
    (Right::Presence, |access, caller, channel| access.may_list(caller, channel)),
    (Right::History, |access, caller, channel| access.may_look_back(caller, channel)),
    (Right::Manage, |access, caller, channel| access.may_remove(caller, channel)),
];

#[test]
fn a_named_key_may_what_it_grants_and_is_told_what_it_does_not() {
    for (right, _) in QUESTIONS {
        let (access, caller) = granting(&[(right, "chat:*")]);
        for (asked, question) in QUESTIONS {
            let verdict = question(&access, &caller, &channel("chat:a"));
            assert_eq!(verdict.is_ok(), asked == right, "{right:?} is asked for {asked:?}");
        }
        let (name, news) = (right.name(), channel("news"));
        let question = QUESTIONS.iter().find(|(asked, _)| *asked == right).unwrap().1;
        let refusal = known(question(&access, &caller, &news));
        assert_eq!((refusal.code(), refusal.channel()), (Code::Forbidden, Some("news")));
        assert_eq!(
            refusal.detail(),
            format!(
                "The key `feed` does not grant `{name}` here: pattern chat:* does not cover news."
            )
        );
        assert!(refusal.hint().contains(&format!("`keys.feed.{name}`")), "{refusal:?}");
    }
    let (access, caller) = granting(&[]);
    let refusal = known(access.may_subscribe(&caller, &channel("news")));
    assert_eq!(refusal.detail(), "The key `feed` does not grant `subscribe`.");
    assert!(access.may_publish_somewhere(&caller).is_err(), "it publishes nowhere");
    assert!(access.may_send_somewhere(&caller).is_err());
    let anyone = access.caller(Credentials::default(), 0);
    assert_eq!(caller.publisher().as_deref(), Some("key:feed"));
    assert_eq!(anyone.publisher(), &None);
}

#[test]
fn to_end_a_channel_takes_publishing_and_managing() {
    for (patterns, may) in [
        (&[(Right::Publish, "a")][..], false),
        (&[(Right::Manage, "a")][..], false),
        (&[(Right::Publish, "a"), (Right::Manage, "a")][..], true),
    ] {
        let (access, caller) = granting(patterns);
        let verdict = access.may_publish(&caller, &channel("a"), End::Close);
        assert_eq!(verdict.is_ok(), may, "{patterns:?}");
    }
}

#[test]
fn to_be_told_who_reads_takes_the_right_to_list_them() {
    let (access, caller) = granting(&[(Right::Subscribe, "**"), (Right::Presence, "room:*")]);
    for (name, notices, may) in
        [("news", Notices::Off, true), ("news", Notices::On, false), ("room:a", Notices::On, true)]
    {
        let subscription = Subscription { notices, ..Subscription::new(channel(name), Start::Now) };
        assert_eq!(access.may_open(&caller, &[subscription]).is_ok(), may, "{name} {notices:?}");
        assert_eq!(access.may_attach(&caller, &channel(name), notices).is_ok(), may);
    }
}

#[test]
fn of_many_patterns_a_refusal_names_a_few() {
    let patterns = (0..9).map(|number| Pattern::new(&format!("p{number}"), None).unwrap());
    let grants = Grants::default().with(Right::Publish, patterns.collect());
    let key = PublisherKey::named("feed", KeyHash::of(b"secret"), grants);
    let access = Access::keyed([key], Rules::default().access(None), []);
    let caller = access.caller(with("Bearer secret"), 0);
    let refusal = known(access.may_publish(&caller, &channel("a"), End::Open));
    let expected = "The key `feed` does not grant `publish` here: none of the patterns p0, p1, p2, p3 \
                    and 5 more covers a.";
    assert_eq!(refusal.detail(), expected);
}

#[test]
fn a_hash_of_a_key_is_read_as_it_is_written() {
    let hash = KeyHash::of(b"secret");
    assert_eq!(KeyHash::parse(&hash.to_string()), Some(hash));
    let digits = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    assert_eq!(hash.to_string(), format!("sha256:{digits}"));
    for wrong in ["", "sha256:", digits, "sha256:2b", &format!("sha256:+{}", &digits[1..])] {
        assert_eq!(KeyHash::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn who_shows_nothing_is_told_what_would_help_of_what_is_configured() {
    let named = |right: Right| {
        let grants = Grants::default().with(right, vec![Pattern::new("a", None).unwrap()]);
        PublisherKey::named("it", KeyHash::of(b"it"), grants)
    };
    let users = |rights: &[Right]| ChannelAccess {
        users: rights.iter().copied().collect(),
        ..Rules::default().access(None)
    };
    let tokens = || Some(std::sync::Arc::new(super::token::Tokens::new([], 1_024, 0)));
    let (list, reads) = (|| PublisherKey::new("x"), || named(Right::Subscribe));
    let table = [
        (vec![list()], None, users(&[]), "a key", "Send one of `auth.publisher_keys` as"),
        (vec![reads()], None, users(&[]), "a key", "Send one of `keys` that grants `subscribe` as"),
        (
            vec![reads(), list()],
            None,
            users(&[]),
            "a key",
            "one of `keys` that grants `subscribe` or of `auth.publisher_keys` as",
        ),
        (
            vec![],
            tokens(),
            users(&[]),
            "a token",
            "Send a token of one of `issuers` that grants `subscribe` as `Authorization: Bearer <token>`",
        ),
        (
            vec![list()],
            tokens(),
            users(&[Right::Subscribe]),
            "a token or a key",
            "Send any token of one of `issuers`, or one of `auth.publisher_keys` as",
        ),
        (
            vec![named(Right::Publish)],
            None,
            users(&[]),
            "a token or a key",
            "Nobody is configured who may: add a key under `keys` that grants `subscribe`",
        ),
    ];
    for (keys, tokens, rest, noun, hint) in table {
        let access = Access::keyed(keys, rest, []).with_tokens(tokens);
        let caller = access.caller(Credentials::default(), 0);
        let problem = access.may_subscribe(&caller, &channel("a")).unwrap_err();
        let detail = format!("Reading here takes {noun}, and the request carries none.");
        assert_eq!(problem.detail(), detail);
        assert!(problem.hint().contains(hint), "{}", problem.hint());
        assert!(problem.hint().ends_with("set `auth.anonymous_subscribe` to true."));
    }
}

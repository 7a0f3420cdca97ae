//! Changes of a stream as its shard makes them, with an authority that takes its time.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Attendance;
use fanfare_core::publication::SessionId;
use fanfare_core::rate::Pace;
use fanfare_core::settings::Authority;
use fanfare_core::shard::{ConnectionId, Echo, Opening, Verdict};
use fanfare_core::start::{Later, Start, Subscription};
use fanfare_protocol::native::change::Changed;
use fanfare_protocol::native::problem::Problem;
use tokio::sync::oneshot;

use super::{PATIENCE, Running, Wishes};
use crate::auth::tests::{Rules, everyone};
use crate::auth::{Caller, Credentials, Identity};
use crate::node::{Changes, Letter};
use crate::pipe::{PipeItem, PipeReader, pipe};
use crate::shard::{Alteration, Answerer, Change};

type Told = oneshot::Receiver<Result<Vec<Result<Changed, Problem>>, Problem>>;

const SECRET: SessionId = SessionId(42);

/// A stream of shard 0 whose opening the authority has allowed.
struct Stream<'a> {
    running: &'a Running,
    pipe: PipeReader,
    connection: ConnectionId,
    question: u64,
}

/// One shard, so that a question follows an answer at once.
fn asking() -> Wishes {
    let (authority, answerer) = (Authority::Asks, Answerer::Letter);
    Wishes { shards: 1, authority, answerer, ..Wishes::default() }
}

fn nobody() -> Identity {
    everyone().caller(Credentials::default(), 0).identity()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn add(name: &str) -> Alteration {
    Alteration::Add(Subscription::new(channel(name), Start::Now), Later::Carried)
}

impl<'a> Stream<'a> {
    fn open(running: &'a Running) -> Self {
        let mailbox = &running.node.mailboxes()[0];
        let (writer, pipe) = pipe(mailbox.clone(), None);
        running.load.arrive(0);
        mailbox.put(Letter::Subscriber {
            opening: Box::new(Opening {
                format: Format::Ndjson,
                subscriptions: vec![Subscription::new(channel("a"), Start::Now)],
                carried: Cursor::new(),
                session: SECRET,
                echo: Echo::On,
                attendance: Attendance::default(),
                pace: Pace::Usual,
            }),
            caller: everyone().caller(Credentials::default(), 0),
            changes: Changes::Taken,
            address: None,
            pipe: writer,
        });
        running.snapshots();
        let connection = pipe.connection().unwrap();
        Self { running, pipe, connection, question: 0 }
    }

    fn opened(mut self) -> Self {
        self.answer(Verdict::Allowed);
        assert!(matches!(wait(self.pipe.next()), Some(PipeItem::Opened { .. })));
        self
    }

    /// The authority answers the next question about the stream.
    fn answer(&mut self, verdict: Verdict) {
        self.question += 1;
        let (connection, question) = (self.connection, self.question);
        let letter = Letter::Authorised { connection, question, verdict };
        self.running.node.mailboxes()[0].put(letter);
    }

    fn change(&self, wanted: Vec<Alteration>) -> Told {
        self.ask(None, wanted)
    }

    /// Shows credentials that are none of the server's.
    fn renew(&self) -> Told {
        let authorization = Some(&b"Bearer wrong"[..]);
        let credentials = Credentials { authorization, ..Credentials::default() };
        let guarded = crate::auth::tests::keyed(Rules::default(), []);
        self.ask(Some(guarded.caller(credentials, 0)), Vec::new())
    }

    fn ask(&self, renewed: Option<Caller>, wanted: Vec<Alteration>) -> Told {
        let (outcome, told) = oneshot::channel();
        let change = Change {
            connection: self.connection,
            secret: SECRET,
            asker: nobody(),
            renewed,
            wanted,
            outcome,
        };
        self.running.node.mailboxes()[0].put(Letter::Change(Box::new(change)));
        told
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.unwrap() })
}

/// The words of an outcome: the channels that were changed, and the codes of those that were not.
fn words(told: Told) -> Result<Vec<String>, Code> {
    let word = |result: Result<Changed, Problem>| match result {
        Ok(Changed::Added(opened)) => format!("+{}", opened.channel),
        Ok(Changed::Dropped(channel)) => format!("-{channel}"),
        Err(problem) => problem.code().name().to_owned(),
    };
    Ok(wait(told).unwrap().map_err(|problem| problem.code())?.into_iter().map(word).collect())
}

#[test]
fn a_stream_that_is_still_opening_has_no_session_yet() {
    let running = Running::start(&asking());
    let stream = Stream::open(&running);
    assert_eq!(words(stream.change(vec![add("b")])), Err(Code::SessionGone));
    let stream = stream.opened();
    assert_eq!(words(stream.change(Vec::new())), Ok(Vec::new()));
}

#[test]
fn who_does_not_read_renews_nothing() {
    let running = Running::start(&asking());
    let mut stream = Stream::open(&running);
    stream.answer(Verdict::Allowed);
    assert_eq!(words(stream.renew()), Err(Code::Overloaded), "its opening waits to be taken");
    assert!(matches!(wait(stream.pipe.next()), Some(PipeItem::Opened { .. })));
    assert_eq!(words(stream.renew()), Err(Code::Unauthorized), "they are looked at now");
}

#[test]
fn changes_wait_for_the_authority_and_for_each_other() {
    let running = Running::start(&asking());
    let mut stream = Stream::open(&running).opened();
    let first = stream.change(vec![add("b"), add("c"), Alteration::Drop(channel("a"))]);
    let second = stream.change(vec![add("b"), add("a")]);
    // Its asker goes before its turn has come, and so it is not made.
    drop(stream.change(vec![Alteration::Drop(channel("b"))]));
    let last = stream.change(vec![Alteration::Drop(channel("b"))]);
    stream.answer(Verdict::Allowed);
    stream.answer(Verdict::Refused(Code::Forbidden));
    assert_eq!(words(first).unwrap(), ["+b", "forbidden", "-a"]);
    stream.answer(Verdict::Allowed);
    stream.answer(Verdict::Allowed);
    assert_eq!(words(second).unwrap(), ["already-subscribed", "+a"]);
    assert_eq!(words(last).unwrap(), ["-b"]);
}

#[test]
fn an_authority_that_does_not_answer_leaves_the_stream_as_it_is() {
    let mut wishes = asking();
    wishes.options.authority_within = Duration::from_millis(200);
    let running = Running::start(&wishes);
    let stream = Stream::open(&running).opened();
    let told = stream.change(vec![add("b"), Alteration::Drop(channel("a"))]);
    assert_eq!(words(told).unwrap(), ["authority-timeout", "-a"]);
}

#[test]
fn whoever_waits_is_told_that_the_stream_has_gone() {
    let running = Running::start(&asking());
    let stream = Stream::open(&running).opened();
    let waiting: Vec<Told> = (0..17).map(|_| stream.change(vec![add("b")])).collect();
    assert_eq!(words(stream.change(Vec::new())), Err(Code::Overloaded), "one too many");
    let connection = stream.connection;
    drop(stream);
    for told in waiting {
        assert_eq!(words(told), Err(Code::SessionGone));
    }
    running.wait_until("its place is free", |running| running.load.lightest() == 0);
    let (outcome, told) = oneshot::channel();
    let (secret, asker) = (SECRET, nobody());
    let change = Change { connection, secret, asker, renewed: None, wanted: Vec::new(), outcome };
    running.node.mailboxes()[0].put(Letter::Change(Box::new(change)));
    assert_eq!(words(told), Err(Code::SessionGone));
}

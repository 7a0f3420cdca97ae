//! Changes of a stream as its shard makes them, with owners that take their time.

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::name::ChannelName;
use fanfare_core::presence::Attendance;
use fanfare_core::publication::SessionId;
use fanfare_core::rate::Pace;
use fanfare_core::shard::{ConnectionId, Echo, Opening};
use fanfare_core::start::{Later, Start, Subscription};
use fanfare_protocol::native::change::Changed;
use fanfare_protocol::native::problem::Problem;
use tokio::sync::oneshot;

use super::{PATIENCE, Running, Wishes};
use crate::auth::tests::{Rules, everyone};
use crate::auth::{Caller, Credentials, Identity};
use crate::node::{Changes, Letter};
use crate::pipe::{PipeItem, PipeReader, pipe};
use crate::shard::{Alteration, Change};

type Told = oneshot::Receiver<Result<Vec<Result<Changed, Problem>>, Problem>>;

const SECRET: SessionId = SessionId(42);

/// A stream of shard 0, of channels whose owner the test plays.
struct Stream<'a> {
    running: &'a Running,
    pipe: PipeReader,
    connection: ConnectionId,
}

fn nobody() -> Identity {
    everyone().caller(Credentials::default(), 0).identity()
}

impl<'a> Stream<'a> {
    fn open(running: &'a Running) -> Self {
        let mailbox = &running.node.mailboxes()[0];
        let (writer, pipe) = pipe(mailbox.clone(), None);
        running.load.arrive(0);
        mailbox.put(Letter::Subscriber {
            opening: Box::new(Opening {
                format: Format::Ndjson,
                subscriptions: vec![Subscription::new(running.played_channel("a"), Start::Now)],
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
        Self { running, pipe, connection }
    }

    fn opened(self) -> Self {
        self.running.attach(Ok(()));
        assert!(matches!(wait(self.pipe.next()), Some(PipeItem::Opened { .. })));
        self
    }

    fn add(&self, name: &str) -> Alteration {
        let channel = self.running.played_channel(name);
        Alteration::Add(Subscription::new(channel, Start::Now), Later::Carried)
    }

    fn without(&self, name: &str) -> Alteration {
        Alteration::Drop(self.running.played_channel(name))
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

/// What a test calls a channel.
fn letter(channel: &ChannelName) -> &str {
    channel.as_str().trim_end_matches(|end: char| end.is_ascii_digit())
}

/// The words of an outcome: the channels that were changed, and the codes of those that were not.
fn words(told: Told) -> Result<Vec<String>, Code> {
    let word = |result: Result<Changed, Problem>| match result {
        Ok(Changed::Added(opened)) => format!("+{}", letter(&opened.channel)),
        Ok(Changed::Dropped(channel)) => format!("-{}", letter(&channel)),
        Err(problem) => problem.code().name().to_owned(),
    };
    Ok(wait(told).unwrap().map_err(|problem| problem.code())?.into_iter().map(word).collect())
}

#[test]
fn a_stream_that_is_still_opening_has_no_session_yet() {
    let running = Running::start(&Wishes::played());
    let stream = Stream::open(&running);
    assert_eq!(words(stream.change(vec![stream.add("b")])), Err(Code::SessionGone));
    let stream = stream.opened();
    assert_eq!(words(stream.change(Vec::new())), Ok(Vec::new()));
}

#[test]
fn who_does_not_read_renews_nothing() {
    let running = Running::start(&Wishes::played());
    let stream = Stream::open(&running);
    running.attach(Ok(()));
    assert_eq!(words(stream.renew()), Err(Code::Overloaded), "its opening waits to be taken");
    assert!(matches!(wait(stream.pipe.next()), Some(PipeItem::Opened { .. })));
    assert_eq!(words(stream.renew()), Err(Code::Unauthorized), "they are looked at now");
}

#[test]
fn changes_wait_for_owners_and_for_each_other() {
    let running = Running::start(&Wishes::played());
    let stream = Stream::open(&running).opened();
    let first = stream.change(vec![stream.add("b"), stream.add("c"), stream.without("a")]);
    let second = stream.change(vec![stream.add("b"), stream.add("a")]);
    // Its asker goes before its turn has come, and so it is not made.
    drop(stream.change(vec![stream.without("b")]));
    let last = stream.change(vec![stream.without("b")]);
    running.attach(Ok(()));
    running.attach(Err(Code::Forbidden));
    assert_eq!(words(first).unwrap(), ["+b", "forbidden", "-a"]);
    running.attach(Ok(()));
    assert_eq!(words(second).unwrap(), ["already-subscribed", "+a"]);
    assert_eq!(words(last).unwrap(), ["-b"]);
}

#[test]
fn whoever_waits_is_told_that_the_stream_has_gone() {
    let running = Running::start(&Wishes::played());
    let stream = Stream::open(&running).opened();
    let waiting: Vec<Told> = (0..17).map(|_| stream.change(vec![stream.add("b")])).collect();
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

//! The subscribers: many connections of this process, one thread and one poll, that keep books of
//! what they get.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::connect::{Clock, connect};
use super::description::Transport;
use super::histogram::Latencies;
use super::ledger::{Ledger, Tally};
use super::manner::Manner;
use super::mark::CHANNELS_MAX;
use super::member::{Books, Found, Line, Member};
use super::progress::Progress;
use super::subject::Subject;
use super::template::Values;

/// Who subscribes to what: members are dealt to groups in turn, each group with channels of its
/// own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Connections.
    pub(super) members: usize,
    /// Channels of each connection.
    pub(super) per_member: usize,
    /// Groups of connections that have the same channels.
    pub(super) groups: usize,
    /// The number of the first channel of all.
    pub(super) first: usize,
}

/// How subscribers come about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) subject: &'a Subject,
    pub(super) transport: &'a Transport,
    pub(super) shape: Shape,
    pub(super) payload_bytes: usize,
    /// What `--query` says.
    pub(super) query: &'a str,
    pub(super) clock: Clock,
    /// How long nothing may happen while something is waited for.
    pub(super) patience: Duration,
    /// How they come, if not plainly.
    pub(super) manner: Option<&'a Manner>,
}

/// All subscribers of a subject.
#[derive(Debug)]
pub(super) struct Audience<'a> {
    opening: Opening<'a>,
    poll: Poll,
    events: Events,
    members: Vec<Option<Member>>,
    /// Members that have connected and not ended.
    present: usize,
    buffer: Vec<u8>,
    books: Books,
    /// Deliveries that nobody waits for any more.
    given_up: u64,
}

impl Shape {
    /// The same channels for everyone.
    pub(super) fn crowd(members: usize, per_member: usize) -> Self {
        Self { members, per_member, groups: 1, first: 0 }
    }

    /// Groups with one channel each.
    pub(super) fn groups(members: usize, groups: usize) -> Self {
        Self { members, per_member: 1, groups, first: 0 }
    }

    /// The channels of all groups.
    pub(super) fn channels(self) -> impl Iterator<Item = u32> + Clone {
        (self.first..self.first + self.per_member * self.groups)
            .map(|channel| u32::try_from(channel).unwrap_or(u32::MAX))
    }

    /// The first channel of a member.
    pub(super) fn first_channel(self, place: usize) -> usize {
        self.first + place % self.groups.max(1) * self.per_member
    }

    /// The names of a member's channels.
    pub(super) fn names(self, place: usize) -> Vec<String> {
        let first = self.first_channel(place);
        (first..first + self.per_member).map(name).collect()
    }

    /// How many subscribe to this channel.
    pub(super) fn audience(self, channel: u32) -> u64 {
        let group = (channel as usize).saturating_sub(self.first) / self.per_member.max(1);
        let (each, more) = (self.members / self.groups.max(1), self.members % self.groups.max(1));
        (each + usize::from(group < more)) as u64
    }
}

/// What a channel is called.
pub(super) fn name(channel: usize) -> String {
    format!("b{channel}")
}

impl<'a> Audience<'a> {
    /// Opens all subscriptions and waits until they stand.
    ///
    /// # Errors
    /// If one is refused, or nothing happens for too long.
    pub(super) fn open(opening: Opening<'a>, progress: &mut Progress) -> Result<Self> {
        let mut audience = Self::away(opening)?;
        audience.come(false, progress)?;
        audience.books.bytes = 0;
        Ok(audience)
    }

    /// Has those come back who were told these cursors on other connections, and waits until their
    /// subscriptions stand; what they have missed may have begun to come by then.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn resume(
        opening: Opening<'a>,
        cursors: Vec<String>,
        progress: &mut Progress,
    ) -> Result<Self> {
        let mut audience = Self::away(opening)?;
        audience.books.cursors = cursors;
        audience.come(true, progress)?;
        Ok(audience)
    }

    /// The cursor that each was told first.
    pub(super) fn cursors(&self) -> Vec<String> {
        self.books.cursors.clone()
    }

    /// Subscribers that have not connected yet.
    fn away(opening: Opening<'a>) -> Result<Self> {
        let shape = opening.shape;
        if shape.per_member > opening.transport.channels_max {
            let most = opening.transport.channels_max;
            bail!("the description says that a connection has {most} channels at most");
        }
        if shape.first + shape.per_member * shape.groups > CHANNELS_MAX as usize {
            bail!("there are {CHANNELS_MAX} channels at most");
        }
        super::usage::need_files(shape.members)?;
        let mut ledger = Ledger::default();
        ledger.extend(shape.members * shape.per_member);
        let mut audience = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            members: Vec::new(),
            present: 0,
            buffer: vec![0; 64 * 1_024],
            books: Books {
                ledger,
                latencies: None,
                clock: opening.clock,
                payload_bytes: opening.payload_bytes,
                shape,
                greeted: 0,
                bytes: 0,
                cursors: vec![String::new(); shape.members],
            },
            given_up: 0,
            opening,
        };
        audience.members.resize_with(shape.members, || None);
        Ok(audience)
    }

    /// Has all who are away connect, each with the cursor that it was told first if they resume,
    /// and waits until their subscriptions stand.
    fn come(&mut self, resume: bool, progress: &mut Progress) -> Result<()> {
        let count = self.members.len();
        for place in 0..count {
            if self.members.get(place).is_some_and(Option::is_some) {
                continue;
            }
            self.connect(place, resume)?;
            progress.tell(|| format!("opening {} of {count}", place + 1));
            self.greet(self.opening.transport.at_once)?;
        }
        self.greet(1)
    }

    /// Waits until fewer than so many subscriptions have been asked for and do not stand.
    fn greet(&mut self, below: usize) -> Result<()> {
        while self.present.saturating_sub(self.books.greeted) >= below {
            let ended = self.books.ledger.tally().disconnected;
            if self.receive(self.opening.patience)? == 0 {
                bail!(
                    "of {} subscriptions {} do not stand after {} s",
                    self.present,
                    self.present - self.books.greeted,
                    self.opening.patience.as_secs()
                );
            }
            if self.books.ledger.tally().disconnected > ended {
                bail!("the server ended a connection that had asked for a subscription");
            }
        }
        Ok(())
    }

    fn connect(&mut self, place: usize, resume: bool) -> Result<()> {
        let Opening { subject, transport, shape, query, manner, .. } = self.opening;
        let address = manner.and_then(Manner::address).unwrap_or(subject.address);
        let mut socket: std::net::TcpStream = connect(address, place)?.into();
        let secured = manner.map(|manner| manner.secure(&mut socket)).transpose()?;
        socket.set_nonblocking(true)?;
        let mut line = Line::new(TcpStream::from_std(socket), secured.flatten());
        self.poll.registry().register(&mut line.socket, Token(place), Interest::READABLE)?;
        let names = shape.names(place);
        let channels = names.join(&transport.separator);
        let channel = names.first().map_or("", String::as_str);
        let cursor = self.books.cursors.get(place).map_or("", String::as_str);
        let host = &subject.host;
        // A query of the command line's may tell connections apart, too.
        let query = query.replace("{unique}", &place.to_string());
        let query = query.as_str();
        let values = Values {
            host,
            channel,
            channels: &channels,
            query,
            cursor,
            unique: place,
            ..Values::default()
        };
        let request = match (&transport.resume, resume) {
            (Some(resume), true) => resume,
            (None, true) => bail!("the description has no `resume` for this transport"),
            (_, false) => &transport.request,
        };
        let mut out = Vec::new();
        request.fill(&mut out, &values);
        if let Some(manner) = manner {
            manner.show(&mut out, place)?;
        }
        line.write_all(&out).with_context(|| format!("the request of connection {place}"))?;
        if let Some(member) = self.members.get_mut(place) {
            *member = Some(Member::new(line));
            self.present += 1;
        }
        Ok(())
    }

    /// Cuts everyone's connection.
    pub(super) fn cut(&mut self) {
        for member in &mut self.members {
            *member = None;
        }
        (self.present, self.books.greeted) = (0, 0);
    }

    /// Has everyone who is away come back with the cursor that it was told first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn come_back(&mut self, progress: &mut Progress) -> Result<()> {
        self.come(true, progress)
    }

    /// Has these members leave and others come in their places, who begin with what comes first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn replace(
        &mut self,
        places: impl Iterator<Item = usize>,
        progress: &mut Progress,
    ) -> Result<()> {
        let per_member = self.books.shape.per_member;
        for place in places {
            if let Some(member) = self.members.get_mut(place).and_then(Option::take) {
                self.present -= 1;
                self.books.greeted -= usize::from(member.is_live());
            }
            self.books.ledger.begin_anywhere(place * per_member..(place + 1) * per_member);
        }
        self.come(false, progress)
    }

    /// Begins to write down how long everything takes.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn record(&mut self) -> Result<()> {
        self.books.latencies = Some(Latencies::new()?);
        Ok(())
    }

    /// What took how long.
    pub(super) fn recorded(&mut self) -> Option<Latencies> {
        self.books.latencies.take()
    }

    /// Who subscribes to what.
    pub(super) fn shape(&self) -> Shape {
        self.books.shape
    }

    /// Bytes that came since the subscriptions stood.
    pub(super) fn bytes(&self) -> u64 {
        self.books.bytes
    }

    /// Deliveries that came, each counted once.
    pub(super) fn delivered(&self) -> u64 {
        self.books.ledger.delivered()
    }

    /// What became of everything that was expected.
    pub(super) fn tally(&self) -> Tally {
        self.books.ledger.tally()
    }

    /// The same where members came and went, by the numbers that they passed over.
    pub(super) fn tally_by_numbers(&self) -> Tally {
        self.books.ledger.tally_by_numbers()
    }

    /// Says that a publication of this channel is on its way.
    pub(super) fn expect(&mut self, channel: u32) {
        // What was given up and came all the same is nothing to be forgiven later.
        let due = self.books.ledger.expected().saturating_sub(self.books.ledger.delivered());
        self.given_up = self.given_up.min(due);
        let deliveries = self.books.shape.audience(channel);
        self.books.ledger.expect(deliveries);
    }

    /// Waits until everything that is expected has come, but for so many deliveries. What does not
    /// come while nothing else does is given up, and counts as lost.
    ///
    /// # Errors
    /// If a connection says what nobody understands.
    pub(super) fn wait(&mut self, but: u64) -> Result<()> {
        loop {
            let ledger = &self.books.ledger;
            let due = ledger.expected().saturating_sub(ledger.delivered());
            let due = due.saturating_sub(self.given_up);
            if due <= but {
                return Ok(());
            }
            let before = self.books.bytes;
            self.receive_until_quiet(before)?;
            if self.books.bytes == before {
                self.given_up += due;
            }
        }
    }

    /// Receives until something has come, or nothing has for as long as the patience lasts.
    fn receive_until_quiet(&mut self, bytes: u64) -> Result<()> {
        let until = Instant::now() + self.opening.patience;
        while self.books.bytes == bytes {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.receive(left)?;
        }
        Ok(())
    }

    /// Takes what comes within this time.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub(super) fn receive_for(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.receive(left)?;
        }
    }

    /// Takes what comes next, within this time; says how many sockets it came from.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub(super) fn receive(&mut self, time: Duration) -> Result<usize> {
        match self.poll.poll(&mut self.events, Some(time)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(1),
            result => result?,
        }
        let mut heard = 0;
        for event in &self.events {
            let place = event.token().0;
            let Some(Some(member)) = self.members.get_mut(place) else {
                continue;
            };
            heard += 1;
            let transport = self.opening.transport;
            let found = member.read(place, &mut self.buffer, transport, &mut self.books)?;
            if found == Found::End {
                self.books.greeted -= usize::from(member.is_live());
                self.books.ledger.disconnect();
                self.present -= 1;
                if let Some(member) = self.members.get_mut(place) {
                    *member = None;
                }
            }
        }
        Ok(heard)
    }
}

//! Whether somebody may do one more: asked by shards, edge and acceptor before anything is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_protocol::native::problem::Problem;

use super::address::ClientAddress;
use super::bucket::Buckets;
use super::pool::{Pool, Stake};
use super::tally::{Key, Tally};
use super::terms::{Each, LimitKey, Rate, Terms, What};
use crate::auth::Caller;
use crate::config::quantity::show_rate;

/// What all who ask share.
#[derive(Debug)]
pub(crate) struct Limiter {
    buckets: Buckets,
    tally: Arc<Tally>,
    large: Arc<Pool>,
    began: Instant,
    limited: [AtomicU64; LimitKey::ALL.len()],
    told: [AtomicU64; LimitKey::ALL.len()],
}

/// The other end of a connection, and whether its address was counted when it was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The other end, as its PROXY header says if there is one.
    pub address: SocketAddr,
    /// Whether the connection is counted for an address.
    pub counted: bool,
}

/// Who a request counts for; nobody, where no limit holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    address: Option<Key>,
    user: Option<Key>,
}

impl Sender {
    /// The address.
    pub(crate) fn address(&self) -> Option<Key> {
        self.address
    }

    /// The user.
    pub(crate) fn user(&self) -> Option<Key> {
        self.user
    }
}

/// What is asked of one limit.
#[derive(Debug, Clone, Copy)]
struct Share {
    limit: LimitKey,
    /// None where it is not limited.
    rate: Option<Rate>,
    /// Whose; nobody's for who has no limits.
    key: Option<Key>,
    count: usize,
}

impl Share {
    /// What somebody asks for as a user and from an address.
    fn own(terms: &Terms, what: What, sender: &Sender, count: usize) -> [Self; 2] {
        let (Each { address, user, .. }, limits) = (*terms.rates(what), what.limits());
        let share = |limit, rate, key: Option<Key>| {
            let key = key.map(|key| key.with(what as u8));
            Self { limit, rate, key, count }
        };
        [share(limits.user, user, sender.user), share(limits.address, address, sender.address)]
    }

    /// One of what a channel allows; none if that is not limited.
    fn of_channel(terms: &Terms, what: What, channel: &ChannelName) -> Option<Self> {
        let (rate, limit) = (terms.rates(what).channel?, what.limits().channel?);
        let key = Key::of(CHANNELS, channel.as_str()).with(what as u8);
        Some(Self { limit, rate: Some(rate), key: Some(key), count: 1 })
    }

    /// What is told to who has to wait so long for it.
    fn refused(&self, wait: Duration) -> Problem {
        too_often(self.limit, self.rate, wait)
    }
}

impl Limiter {
    /// With room for so many rates; `tally` is what connections are counted in.
    pub(crate) fn new(tracked_max: usize, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            buckets: Buckets::new(tracked_max),
            tally,
            large: Arc::default(),
            began: Instant::now(),
            limited: Default::default(),
            told: Default::default(),
        })
    }

    /// Who a request from this address counts for. A publisher key is the application's own and has
    /// no limits.
    pub(crate) fn sender(&self, address: ClientAddress, caller: &Caller) -> Sender {
        if caller.is_unlimited() {
            return Sender::default();
        }
        Sender {
            address: address_key(address),
            user: caller.user().map(|user| Key::of(USERS, user)),
        }
    }

    /// Whether a new connection from this address may stay. Gives what it is to be counted for.
    ///
    /// # Errors
    /// The limit that it is over.
    pub(crate) fn accept(
        &self,
        terms: &Terms,
        address: ClientAddress,
    ) -> Result<Option<Key>, LimitKey> {
        let Some(key) = address_key(address) else {
            return Ok(None);
        };
        self.has_room(terms.connections.address, LimitKey::AddressConnections, Some(key))?;
        let [_, share] =
            Share::own(terms, What::Connect, &Sender { address: Some(key), user: None }, 1);
        self.spend(terms, &share).map_err(|_wait| share.limit)?;
        Ok(Some(key))
    }

    /// Whether somebody may begin to read channels on a connection.
    ///
    /// # Errors
    /// What to tell them.
    pub(crate) fn open<'a, C>(
        &self,
        terms: &Terms,
        sender: &Sender,
        counted: bool,
        channels: C,
    ) -> Result<(), Problem>
    where
        C: IntoIterator<Item = &'a ChannelName>,
        C::IntoIter: Clone,
    {
        self.room(terms, sender, counted)?;
        // The connection itself was one more when it was accepted.
        let address = if counted { None } else { sender.address };
        let connecting = Sender { address, user: sender.user };
        self.take(terms, What::Connect, &connecting, [])?;
        let taken = self.take(terms, What::Subscribe, sender, channels);
        if taken.is_err() {
            let spent = Share::own(terms, What::Connect, &connecting, 1);
            spent.iter().for_each(|spent| self.give_back(terms, spent));
        }
        taken
    }

    /// Whether somebody may have one more connection to read on; `counted` says that its address has
    /// it already, since it was accepted.
    ///
    /// # Errors
    /// What to tell them.
    pub(crate) fn room(
        &self,
        terms: &Terms,
        sender: &Sender,
        counted: bool,
    ) -> Result<(), Problem> {
        let address = if counted { None } else { sender.address };
        let Each { address: of_address, user: of_user, .. } = terms.connections;
        self.has_room(of_address, LimitKey::AddressConnections, address)
            .and_then(|()| self.has_room(of_user, LimitKey::UserConnections, sender.user))
            .map_err(full)
    }

    /// Whether somebody may do this to each of these channels. Who is refused has spent nothing:
    /// neither of their own, nor of a channel's that others want to use.
    ///
    /// # Errors
    /// What to tell them, with the time after which they may.
    pub(crate) fn take<'a, C>(
        &self,
        terms: &Terms,
        what: What,
        sender: &Sender,
        channels: C,
    ) -> Result<(), Problem>
    where
        C: IntoIterator<Item = &'a ChannelName>,
        C::IntoIter: Clone,
    {
        let channels = channels.into_iter();
        let count = if what == What::Connect { 1 } else { channels.clone().count() };
        if count == 0 {
            return Ok(());
        }
        let [user, address] = Share::own(terms, what, sender, count);
        self.spend(terms, &user).map_err(|wait| user.refused(wait))?;
        if let Err(wait) = self.spend(terms, &address) {
            self.give_back(terms, &user);
            return Err(address.refused(wait));
        }
        // A channel has no limit for those who have none.
        if *sender == Sender::default() {
            return Ok(());
        }
        let share = |channel| Share::of_channel(terms, what, channel);
        for (place, channel) in channels.clone().enumerate() {
            let Some(of_channel) = share(channel) else { return Ok(()) };
            if let Err(wait) = self.spend(terms, &of_channel) {
                let spent = channels.take(place).filter_map(share).chain([user, address]);
                spent.for_each(|spent| self.give_back(terms, &spent));
                return Err(of_channel.refused(wait).about(channel, None));
            }
        }
        Ok(())
    }

    /// What a message or a body that comes in holds of what large ones may hold together.
    pub(crate) fn stake(&self, terms: &Terms) -> Stake {
        self.large.stake(terms.large_bytes)
    }

    /// Bytes that large messages and bodies hold.
    pub(crate) fn large_bytes(&self) -> usize {
        self.large.bytes()
    }

    /// How often each limit was reached.
    pub(crate) fn limited(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.limited.iter().map(|count| count.load(Ordering::Relaxed));
        LimitKey::ALL.into_iter().map(LimitKey::name).zip(counts)
    }

    /// Rates that were forgotten for others before their time.
    pub(crate) fn forgotten(&self) -> u64 {
        self.buckets.forgotten()
    }

    /// Spends what somebody asks for.
    ///
    /// # Errors
    /// There is not so much. Says how long it takes until there is.
    fn spend(&self, terms: &Terms, share: &Share) -> Result<(), Duration> {
        let Some((rate, key)) = share.rate.zip(share.key) else {
            return Ok(());
        };
        let now = self.began.elapsed();
        let taken = self.buckets.take(key, (rate, terms.burst), share.count, now);
        taken.inspect_err(|_wait| self.count(share.limit))
    }

    /// Gives back what has just been spent.
    fn give_back(&self, terms: &Terms, share: &Share) {
        if let Some((rate, key)) = share.rate.zip(share.key) {
            self.buckets.give_back(key, (rate, terms.burst), share.count);
        }
    }

    fn has_room(
        &self,
        max: Option<usize>,
        limit: LimitKey,
        key: Option<Key>,
    ) -> Result<(), LimitKey> {
        match max.zip(key) {
            Some((max, key)) if self.tally.count(key) >= max => {
                self.count(limit);
                Err(limit)
            }
            _ => Ok(()),
        }
    }

    /// Counts that a limit was reached, and says so in the log once a minute.
    fn count(&self, limit: LimitKey) {
        self.limited[limit as usize].fetch_add(1, Ordering::Relaxed);
        let told = &self.told[limit as usize];
        let now = self.began.elapsed().as_secs() + TELL_EVERY_SECONDS;
        let before = told.load(Ordering::Relaxed);
        let due = before + TELL_EVERY_SECONDS <= now;
        if due && told.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(key = limit.name(), "a limit was reached: who is over it is refused");
        }
    }
}

fn address_key(address: ClientAddress) -> Option<Key> {
    address.is_limited().then(|| Key::of(ADDRESSES, address.network()))
}

/// What is told to a client that is over a limit when it connects.
pub(crate) fn turned_away(terms: &Terms, limit: LimitKey) -> Problem {
    match limit {
        LimitKey::AddressConnects => {
            too_often(limit, terms.connect.address, Duration::from_secs(1))
        }
        limit => full(limit),
    }
}

/// What is told to somebody who has as many connections as they may.
fn full(limit: LimitKey) -> Problem {
    let whose = if limit.is_of_address() { "address" } else { "user" };
    let name = limit.name();
    let detail = format!("This {whose} has as many connections as `{name}` allows.");
    Problem::new(Code::ConnectionsLimited, detail, hint(limit))
}

fn too_often(limit: LimitKey, rate: Option<Rate>, wait: Duration) -> Problem {
    let name = limit.name();
    let allowed = show_rate(rate);
    let detail = format!("That was too often: `{name}` is {allowed}.");
    let seconds = wait.as_millis().div_ceil(1_000);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
    Problem::new(Code::RateLimited, detail, hint(limit)).with_retry_after(seconds)
}

fn hint(limit: LimitKey) -> String {
    let name = limit.name();
    let proxy = if limit.is_of_address() {
        " If the address is a proxy's, name it in `proxies.trusted`."
    } else {
        ""
    };
    format!("Come back after a while, or raise `{name}`.{proxy}")
}

/// Kinds of keys.
const ADDRESSES: u8 = 0;
const USERS: u8 = 1;
const CHANNELS: u8 = 2;

const TELL_EVERY_SECONDS: u64 = 60;

#[cfg(test)]
#[path = "limiter_test.rs"]
mod tests;

//! Publishing: an offset is assigned, the engine stores, and only then does anyone see it.

use std::sync::Arc;

use crate::code::Code;
use crate::gap::{Gap, GapReason};
use crate::idempotency::{DraftDigest, KeyId, KeyState};
use crate::name::ChannelName;
use crate::owner::channel::{Barrier, Change, Channel, Pending, Removal, Waiting};
use crate::owner::{Newcomer, Outlet, Owner};
use crate::permit::Permit;
use crate::position::{Epoch, OFFSET_END, Offset, Position};
use crate::publication::{
    Content, Draft, End, Expect, Lifetime, Publication, Published, Repeat, Stored,
};
use crate::ring::Ring;
use crate::settings::ShardSettings;
use crate::shard::{Answer, Append, AppendKey, EngineCommand, Item, Message, Origin, Served};
use crate::time::{Millis, Now};

/// What comes of looking at a change before anything is assigned.
enum Check {
    /// It can be made.
    Go(Option<(KeyId, DraftDigest)>),
    /// It has been answered, or has joined one that will be.
    Settled,
    /// It depends on what is on its way.
    Wait,
}

impl Owner {
    pub(super) fn publish(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        draft: Box<Draft>,
        permit: Permit,
        out: &mut Outlet<'_>,
    ) {
        let deadline = self.deadline(out.now);
        let change = Change::Publish(draft);
        self.change(Waiting { origin, change, permit, deadline }, name, out);
    }

    pub(super) fn remove(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        permit: Permit,
        out: &mut Outlet<'_>,
    ) {
        let deadline = self.deadline(out.now);
        let change = Change::Remove;
        self.change(Waiting { origin, change, permit, deadline }, name, out);
    }

    fn change(&mut self, waiting: Waiting, name: &ChannelName, out: &mut Outlet<'_>) {
        let channel = match self.channel(name, Newcomer::Writer, out) {
            Ok(channel) => channel,
            Err(code) => return out.refuse(waiting.origin, name, code, None),
        };
        channel.touched = out.now.millis;
        channel.waiting.push_back(waiting);
        self.written(name);
        self.advance(name, out);
        self.watch(name);
    }

    /// Makes the changes that wait, in order, until one depends on what is on its way.
    fn advance(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        loop {
            let Some(channel) = self.channels.get_mut(name) else {
                return;
            };
            if !matches!(channel.barrier, Barrier::None) {
                return;
            }
            let Some(waiting) = channel.waiting.pop_front() else {
                return;
            };
            let Waiting { origin, change, permit, deadline } = waiting;
            let unmade = match change {
                Change::Publish(draft) => self.try_publish(origin, name, draft, permit, out),
                Change::Remove => self.try_remove(origin, name, permit, out),
            };
            if let Some((change, permit)) = unmade {
                let waiting = Waiting { origin, change, permit, deadline };
                let Some(channel) = self.channels.get_mut(name) else {
                    return;
                };
                channel.waiting.push_front(waiting);
                return;
            }
        }
    }

    /// Makes a publish, or gives it back if it has to wait.
    fn try_publish(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        draft: Box<Draft>,
        permit: Permit,
        out: &mut Outlet<'_>,
    ) -> Option<(Change, Permit)> {
        let append = self.next_number();
        let deadline = self.deadline(out.now);
        if draft.key.is_some() {
            self.expire_keys(out.now.millis);
        }
        let keys_full = self.keys >= self.settings.keys_max;
        let channel = self.channels.get_mut(name)?;
        let key = match check(channel, origin, &draft, keys_full, out) {
            Check::Settled => return None,
            Check::Wait => {
                return Some((Change::Publish(draft), permit));
            }
            Check::Go(key) => key,
        };
        let mut stored = None;
        let key = key.map(|(id, digest)| {
            channel.keys.begin(id.clone(), digest);
            self.keys += 1;
            stored = Some(stored_key(&id, digest, &self.settings, out.now));
            id
        });
        let Draft { mut content, lifetime, end, .. } = *draft;
        let live = content.take_if(|_| lifetime == Lifetime::Live);
        let live = live.map(|content| Arc::new(publication(channel, content, lifetime, out.now)));
        if content.is_none() && end == End::Open {
            if let Some(live) = live {
                fan_out(channel, live, &permit, &self.settings, out);
            }
            let window = millis(self.settings.key_window);
            let expires = out.now.millis + window;
            acknowledge(channel, Some(origin), key, Stored::No, expires, out);
            self.keys_settled(name);
            return None;
        }
        let publication =
            content.map(|content| Arc::new(publication(channel, content, lifetime, out.now)));
        let after = Position::new(channel.assigned, channel.epoch);
        if let Some(publication) = &publication {
            channel.assigned = publication.offset();
        }
        if end == End::Close {
            channel.barrier = Barrier::End;
        }
        let origin = Some(origin);
        let command =
            Append { append, channel: name.clone(), publication, end, after, key: stored };
        let publication = command.publication.clone();
        channel.pending.push_back(Pending {
            append,
            live,
            publication,
            end,
            key,
            origin,
            permit,
            deadline,
        });
        out.engine(EngineCommand::Append(command));
        self.watch(name);
        None
    }

    /// Begins a removal, or gives it back if it has to wait.
    fn try_remove(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        permit: Permit,
        out: &mut Outlet<'_>,
    ) -> Option<(Change, Permit)> {
        let epoch = self.draw_epoch();
        let deadline = self.deadline(out.now);
        let mark = self.mark;
        let channel = self.channels.get_mut(name)?;
        if !channel.pending.is_empty() {
            return Some((Change::Remove, permit));
        }
        let mark = mark.max(channel.highest());
        let origin = Some(origin);
        channel.barrier =
            Barrier::Removal(Removal { origin, epoch, mark, deadline, _permit: permit });
        out.engine(EngineCommand::Remove { channel: name.clone(), epoch, mark });
        self.watch(name);
        None
    }

    /// Everything up to this append is stored.
    pub(super) fn committed(&mut self, name: &ChannelName, append: u64, out: &mut Outlet<'_>) {
        let expires = out.now.millis + millis(self.settings.key_window);
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if matches!(channel.barrier, Barrier::Resync { .. }) {
            // The answer to the resync holds this too, and settles it together with the rest.
            return;
        }
        while let Some(pending) = channel.pending.pop_front_if(|next| next.append <= append) {
            settle(channel, pending, expires, &self.settings, out);
        }
        self.keys_settled(name);
        self.bound_rings(name, out);
        self.advance(name, out);
    }

    /// This append and all later ones were not stored.
    pub(super) fn failed(
        &mut self,
        name: &ChannelName,
        append: u64,
        code: Code,
        out: &mut Outlet<'_>,
    ) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if matches!(channel.barrier, Barrier::Resync { .. }) {
            return;
        }
        // An answer about an append that is settled already says nothing about newer ones.
        let failed = |pending: &Pending| pending.append == append;
        let Some(keep) = channel.pending.iter().position(failed) else { return };
        let lost = channel.pending.split_off(keep);
        self.keys -= reject(channel, lost, code, out);
        self.advance(name, out);
    }

    /// Nobody knows whether this append and later ones were stored.
    pub(super) fn unknown(&mut self, name: &ChannelName, append: u64, out: &mut Outlet<'_>) {
        let resync = self.next_number();
        let deadline = self.deadline(out.now);
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let doubtful = channel.pending.iter().any(|pending| pending.append == append);
        if !doubtful || matches!(channel.barrier, Barrier::Resync { .. }) {
            return;
        }
        let Channel { pending, keys, .. } = channel;
        for pending in pending.iter_mut().filter(|pending| pending.append >= append) {
            let joined = pending.key.as_ref().map(|key| keys.take_joined(key));
            for origin in pending.origin.take().into_iter().chain(joined.into_iter().flatten()) {
                out.refuse(origin, name, Code::OutcomeUnknown, None);
            }
        }
        channel.barrier = Barrier::Resync { resync, deadline };
        let after = channel.position();
        out.engine(EngineCommand::Resync { resync, channel: name.clone(), after });
        self.watch(name);
    }

    /// What the engine holds beyond the committed head; everything else will never be stored.
    pub(super) fn resynced(
        &mut self,
        name: &ChannelName,
        resync: u64,
        (head, ended): (Offset, bool),
        out: &mut Outlet<'_>,
    ) {
        let expires = out.now.millis + millis(self.settings.key_window);
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if !matches!(channel.barrier, Barrier::Resync { resync: asked, .. } if asked == resync) {
            return;
        }
        channel.barrier = Barrier::None;
        let held = |pending: &Pending| match &pending.publication {
            Some(publication) => publication.offset() <= head,
            None => ended,
        };
        while let Some(pending) = channel.pending.pop_front_if(|next| held(next)) {
            settle(channel, pending, expires, &self.settings, out);
        }
        let lost = std::mem::take(&mut channel.pending);
        self.keys -= reject(channel, lost, Code::NotApplied, out);
        self.keys_settled(name);
        self.bound_rings(name, out);
        self.advance(name, out);
    }

    /// The new history has begun, or has not.
    pub(super) fn removed(
        &mut self,
        name: &ChannelName,
        epoch: Epoch,
        outcome: Result<(), Code>,
        out: &mut Outlet<'_>,
    ) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let Barrier::Removal(removal) = &mut channel.barrier else {
            return;
        };
        if removal.epoch != epoch {
            return;
        }
        let (origin, mark) = (removal.origin.take(), removal.mark);
        channel.barrier = Barrier::None;
        if let Err(code) = outcome {
            if let Some(origin) = origin {
                out.refuse(origin, name, code, None);
            }
            return self.advance(name, out);
        }
        self.mark = self.mark.max(mark);
        let from = Some(channel.position());
        out.figures.ring_bytes -= channel.ring.bytes() as u64;
        channel.begin(Position::new(mark, epoch));
        let to = channel.position();
        let gap = Gap { channel: name.clone(), from, to, reason: GapReason::Removed };
        for interested in &channel.interested {
            out.post(interested.shard, Message::Removed(gap.clone()));
        }
        if let Some(origin) = origin {
            out.answer(origin, name, Answer::Removed(channel.entry()));
        }
        self.advance(name, out);
    }
}

impl Channel {
    /// Begins a history at `position`.
    fn begin(&mut self, position: Position) {
        self.epoch = position.epoch;
        self.start = position.offset;
        self.head = position.offset;
        self.assigned = position.offset;
        self.skipped = position.offset;
        self.ended = false;
        self.ring = Ring::new(position.offset);
    }
}

/// Looks at a publish: its key first, then whether the channel takes it.
fn check(
    channel: &mut Channel,
    origin: Origin,
    draft: &Draft,
    keys_full: bool,
    out: &mut Outlet<'_>,
) -> Check {
    let key = draft.key.as_ref().map(|key| {
        let id: KeyId = (draft.publisher.clone(), key.clone());
        (id, DraftDigest::of(draft))
    });
    let head = channel.entry();
    if let Some((id, digest)) = &key {
        match channel.keys.find(id) {
            Some(KeyState::Done { digest: first, .. }) if first != digest => {
                out.refuse(origin, &channel.name, Code::KeyReused, None);
                return Check::Settled;
            }
            Some(KeyState::Done { published, .. }) => {
                let published = Published { repeat: Repeat::Duplicate, ..*published };
                out.answer(origin, &channel.name, Answer::Published(published));
                return Check::Settled;
            }
            Some(KeyState::Pending { digest: first, joined }) if first == digest => {
                joined.push(origin);
                return Check::Settled;
            }
            // Whether this key is taken depends on whether the other publish is made.
            Some(KeyState::Pending { .. }) => return Check::Wait,
            None if keys_full => {
                out.refuse(origin, &channel.name, Code::Overloaded, None);
                return Check::Settled;
            }
            None => {}
        }
    }
    if channel.ended {
        out.refuse(origin, &channel.name, Code::ChannelEnded, Some(head));
        return Check::Settled;
    }
    // What has no place in the channel still comes after everything that was published before it.
    let ordered = draft.expect.is_some() || draft.lifetime == Lifetime::Live;
    if ordered && !channel.pending.is_empty() {
        return Check::Wait;
    }
    if let Some(expect) = draft.expect {
        let met = match expect {
            Expect::Nothing => channel.head == channel.start,
            Expect::Head(position) => position == channel.position(),
            Expect::Elsewhere => false,
        };
        if !met {
            out.refuse(origin, &channel.name, Code::ExpectFailed, Some(head));
            return Check::Settled;
        }
    }
    if channel.next_offset() >= OFFSET_END {
        out.refuse(origin, &channel.name, Code::ChannelEnded, Some(head));
        return Check::Settled;
    }
    Check::Go(key)
}

/// Makes the publication that follows what was assigned, or a live one without a place.
fn publication(channel: &Channel, content: Content, lifetime: Lifetime, now: Now) -> Publication {
    let position = match lifetime {
        Lifetime::Live => None,
        Lifetime::Retained | Lifetime::Expiring(_) => {
            Some(Position::new(channel.next_offset(), channel.epoch))
        }
    };
    let expires_at = match lifetime {
        Lifetime::Expiring(ttl) => Some(now.unix.saturating_add(millis(ttl))),
        Lifetime::Retained | Lifetime::Live => None,
    };
    let (channel, prev) = (channel.name.clone(), channel.assigned);
    Publication { channel, position, prev, time: now.unix, expires_at, content }
}

/// A key as the engine stores it. It is remembered from when its publish is committed, which may be
/// as late as the engine's deadline.
fn stored_key(
    (publisher, key): &KeyId,
    digest: DraftDigest,
    settings: &ShardSettings,
    now: Now,
) -> Box<AppendKey> {
    let window = millis(settings.key_window).saturating_add(millis(settings.engine_timeout));
    let expires_at = now.unix.saturating_add(window);
    let (publisher, key, digest) = (publisher.clone(), key.clone(), digest.bytes());
    Box::new(AppendKey { publisher, key, digest, expires_at })
}

/// Brings a stored append into the ring, to its readers and to whoever waits for it.
fn settle(
    channel: &mut Channel,
    pending: Pending,
    expires: Millis,
    settings: &ShardSettings,
    out: &mut Outlet<'_>,
) {
    let stored = if pending.publication.is_some() { Stored::Yes } else { Stored::No };
    if let Some(live) = pending.live {
        fan_out(channel, live, &pending.permit, settings, out);
    }
    if let Some(publication) = pending.publication {
        channel.head = publication.offset();
        let before = channel.ring.bytes() as u64;
        let kept = channel.ring_bounds(settings);
        channel.ring.push(Arc::clone(&publication), out.now.unix, &kept);
        channel.newest = publication.time;
        out.figures.ring_bytes += channel.ring.bytes() as u64;
        out.figures.ring_bytes -= before;
        out.figures.publications += 1;
        out.figures.publication_bytes += publication.content.data.bytes().len() as u64;
        fan_out(channel, publication, &pending.permit, settings, out);
    }
    if pending.end == End::Close {
        channel.ended = true;
        channel.newest = out.now.unix;
        channel.barrier = Barrier::None;
        let position = channel.position();
        for interested in &channel.interested {
            out.post(interested.shard, Message::Ended(channel.name.clone(), position));
        }
    }
    acknowledge(channel, pending.origin, pending.key, stored, expires, out);
}

/// Tells the publisher, and everyone who came with the same key, that it was made.
fn acknowledge(
    channel: &mut Channel,
    origin: Option<Origin>,
    key: Option<KeyId>,
    stored: Stored,
    expires: Millis,
    out: &mut Outlet<'_>,
) {
    let published = Published { entry: channel.entry(), stored, repeat: Repeat::First };
    if let Some(origin) = origin {
        out.answer(origin, &channel.name, Answer::Published(published));
    }
    let Some(key) = key else { return };
    let duplicate = Published { repeat: Repeat::Duplicate, ..published };
    for origin in channel.keys.finish(&key, published, expires) {
        out.answer(origin, &channel.name, Answer::Published(duplicate));
    }
}

/// Refuses appends that were not stored; says how many keys that frees.
fn reject(
    channel: &mut Channel,
    lost: impl IntoIterator<Item = Pending>,
    code: Code,
    out: &mut Outlet<'_>,
) -> usize {
    let mut freed = 0;
    for pending in lost {
        if pending.end == End::Close {
            channel.barrier = Barrier::None;
        }
        let joined = pending.key.map(|key| {
            freed += 1;
            channel.keys.abandon(&key)
        });
        for origin in pending.origin.into_iter().chain(joined.into_iter().flatten()) {
            out.refuse(origin, &channel.name, code, None);
        }
    }
    let last = channel.pending.iter().rev().find_map(|pending| pending.publication.as_ref());
    channel.assigned = last.map_or(channel.head, |publication| publication.offset());
    freed
}

/// Sends a publication to every shard that reads the channel, encoded once for each format.
fn fan_out(
    channel: &Channel,
    publication: Arc<Publication>,
    permit: &Permit,
    settings: &ShardSettings,
    out: &mut Outlet<'_>,
) {
    if channel.interested.is_empty() {
        return;
    }
    let prev = publication.prev;
    let told = |format| (format, (settings.encode)(&publication, prev, format));
    let frames = channel.formats().map(told).collect();
    let served = Served { publication: Arc::clone(&publication), prev };
    let item = Arc::new(Item { served, frames });
    for interested in &channel.interested {
        let (item, permit) = (Arc::clone(&item), permit.clone());
        out.post(interested.shard, Message::Live { item, permit });
    }
}

/// A duration as deadlines count it; so long that nobody lives to see it is cut short, so that no
/// sum of two overflows.
pub(super) fn millis(duration: std::time::Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 4)
}

//! Presence as a shard sees it: its readers are members of the channels that they read, and those
//! who asked are told of others.

use std::sync::Arc;

use crate::feed::{Entry, EntryBody};
use crate::name::ChannelName;
use crate::namespace::Presence;
use crate::presence::{Change, Linger, Member, News, Notices};
use crate::shard::reader::Slot;
use crate::shard::{ConnectionId, Effect, Message, Shard};
use crate::start::Subscription;

impl Shard {
    /// Whether a reader asks to be told of members that nobody counts.
    pub(super) fn asks_in_vain(&self, subscription: &Subscription) -> bool {
        subscription.notices == Notices::On && !self.has_presence(&subscription.channel)
    }

    /// Tells the owner that a connection has begun to read a channel.
    pub(super) fn post_join(
        &mut self,
        connection: ConnectionId,
        channel: &ChannelName,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.member(connection, channel) else { return };
        self.post_to_owner(Message::Join { channel: channel.clone(), member }, effects);
    }

    /// Tells the owner that a connection has stopped reading a channel.
    pub(super) fn post_leave(
        &mut self,
        connection: ConnectionId,
        channel: &ChannelName,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.member(connection, channel) else { return };
        let (channel, linger) = (channel.clone(), Linger::Grace);
        self.post_to_owner(Message::Leave { channel, member, linger }, effects);
    }

    /// Whether whoever reads the channel here becomes a member of it on another shard.
    pub(super) fn joins_elsewhere(&self, channel: &ChannelName) -> bool {
        self.has_presence(channel) && self.owner_of(channel) != self.settings.shard
    }

    /// News of a channel's members, for this shard's readers who asked.
    pub(super) fn feed_news(&mut self, news: &Arc<News>, effects: &mut Vec<Effect>) {
        let Some(interest) = self.interests.get_mut(&news.channel) else { return };
        if interest.head.is_none() {
            return;
        }
        interest.members = news.count;
        for id in interest.feeds.ids() {
            let Some(feed) = self.feeds.get(id).filter(|feed| feed.has_listeners()) else {
                continue;
            };
            let frame = (self.settings.encode_news)(news, feed.format);
            if frame.bytes().is_empty() {
                continue;
            }
            let (time, body) = (self.now.unix, EntryBody::News(Arc::clone(news)));
            let entry = Entry { frame, after: None, time, exclude: None, body };
            self.push_entry(id, entry, effects);
        }
        self.conflate_news(news);
    }

    /// Tells a reader that comes to its place in a feed how many members there are: while it was
    /// on its way, it has heard of none that came or went.
    pub(super) fn tell_members(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        effects: &mut Vec<Effect>,
    ) {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::MissedNews) {
            return;
        }
        let Some(reader) = self.readers.get_mut(connection.index) else { return };
        // Who has not been told the opening has not asked for the list yet.
        let opening = reader.extra.as_ref().is_some_and(|extra| extra.opening.is_some());
        if opening || !reader.format.tells_gaps() {
            return;
        }
        let Some(&mut Slot::Live { feed, place }) = reader.slots.get_mut(slot) else { return };
        let Some(feed) = self.feeds.get(feed) else { return };
        let at = feed.readers.get(place as usize);
        if at.is_none_or(|at| at.notices == Notices::Off) {
            return;
        }
        let channel = feed.channel.clone();
        let count = self.interests.get(&channel).map_or(0, |interest| interest.members);
        let news = News { channel, change: Change::Counted, count };
        effects.push(Effect::Presence { connection, news });
    }

    /// As whom a connection reads a channel, if the channel has members and it is one.
    fn member(&mut self, connection: ConnectionId, channel: &ChannelName) -> Option<Arc<Member>> {
        if !self.has_presence(channel) {
            return None;
        }
        self.reader_mut(connection)?.member()
    }

    fn has_presence(&self, channel: &ChannelName) -> bool {
        self.settings.namespaces.of(channel).presence != Presence::Off
    }
}

//! Channels as the engine found them at start. Their rings are empty: what was published before is
//! read in pages, until new publications fill them.

use crate::cursor::CursorEntry;
use crate::idempotency::DraftDigest;
use crate::name::ChannelName;
use crate::owner::Owner;
use crate::owner::channel::Channel;
use crate::owner::forget::SWEEP_EVERY;
use crate::publication::{Published, Repeat};
use crate::ring::Ring;
use crate::shard::{Figures, Restored, RestoredKey};
use crate::time::{Millis, Now};

/// Channels that are looked at for expiry in the same millisecond after a start.
const SWEPT_TOGETHER: u64 = 64;

impl Owner {
    /// Gives channels the state that they had.
    pub(crate) fn restore(
        &mut self,
        restored: impl IntoIterator<Item = Restored>,
        now: Now,
        figures: &mut Figures,
    ) {
        let mut expiry = Vec::new();
        for (number, restored) in (0..).zip(restored) {
            let Restored { name, start, head, skipped, ended, newest, keys } = restored;
            let rules = self.settings.namespaces.of(&name);
            let mut channel = Channel::new(name.clone(), rules, start, now.millis);
            channel.head = head;
            channel.assigned = head;
            channel.skipped = skipped.max(head);
            channel.newest = newest;
            channel.ended = ended;
            channel.written = true;
            channel.ring = Ring::new(head);
            // Spread, so that a million of them do not come due together.
            channel.sweep_at = now.millis + SWEEP_EVERY + number / SWEPT_TOGETHER;
            self.sweep.push_back((channel.sweep_at, name.clone()));
            self.idle.insert((channel.idle_at, name.clone()));
            for key in keys {
                expiry.push((restore_key(&mut channel, key, now), name.clone()));
            }
            self.keys += channel.keys.len();
            figures.channels += 1;
            self.channels.insert(name, channel);
        }
        expiry.sort_unstable();
        self.key_expiry.extend::<Vec<(Millis, ChannelName)>>(expiry);
    }
}

/// Remembers a key as long as it was promised; says until when.
fn restore_key(channel: &mut Channel, restored: RestoredKey, now: Now) -> Millis {
    let RestoredKey { key, position, stored } = restored;
    let entry = CursorEntry { hash: channel.name.hash48(), position, ended: false };
    let published = Published { entry, stored, repeat: Repeat::First };
    let expires = now.millis + key.expires_at.saturating_sub(now.unix);
    let id = (key.publisher, key.key);
    channel.keys.restore(id, DraftDigest::of_bytes(key.digest), published, expires);
    expires
}

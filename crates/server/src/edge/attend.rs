//! Readers as members, where the edge has to know of it: a poller is one while it polls, and for a
//! while beyond, and whoever asks for members that nobody counts is told so.

use std::sync::Arc;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::namespace::Presence;
use fanfare_core::presence::{Attendance, Linger, Member, Notices};
use fanfare_core::shard::{Answer, Message, Request};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::presence::{self, PresenceRequest};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::Reading;
use fanfare_protocol::native::response::Media;

use super::Shared;
use super::answer::{self, Answered};
use super::ask;
use crate::node::Node;

/// A poller that gave its id, while it polls. However the poll ends, its lease begins then.
#[derive(Debug)]
pub(super) struct Attending {
    node: Arc<Node>,
    channels: Vec<ChannelName>,
    member: Arc<Member>,
}

impl Attending {
    fn begin(node: &Arc<Node>, channels: Vec<ChannelName>, member: Arc<Member>) -> Self {
        for channel in &channels {
            let (channel, member) = (channel.clone(), Arc::clone(&member));
            node.tell(&channel.clone(), Message::Join { channel, member });
        }
        Self { node: Arc::clone(node), channels, member }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        for channel in self.channels.drain(..) {
            let (member, linger) = (Arc::clone(&self.member), Linger::Lease);
            self.node.tell(&channel.clone(), Message::Leave { channel, member, linger });
        }
    }
}

impl Shared {
    /// Refuses a reader that asks to be told of members that nobody counts.
    pub(super) fn check_presence(&self, reading: &Reading) -> Result<(), Problem> {
        let vain = reading.subscriptions.iter().find(|subscription| {
            subscription.notices == Notices::On && !self.has_presence(&subscription.channel)
        });
        match vain {
            Some(vain) => Err(Problem::of(Code::PresenceOff).about(&vain.channel, None)),
            None => Ok(()),
        }
    }

    /// Makes a poller a member of its channels, if it gave its id. What waits in its place is none.
    pub(super) fn attend(&self, reading: &mut Reading) -> Option<Attending> {
        for subscription in &mut reading.subscriptions {
            // An answer has no place for news; who polls asks for the list.
            subscription.notices = Notices::Off;
        }
        let Attendance::Named(member) =
            std::mem::replace(&mut reading.attendance, Attendance::Absent)
        else {
            return None;
        };
        let channels = reading.subscriptions.iter().map(|subscription| &subscription.channel);
        let channels = channels.filter(|channel| self.has_presence(channel)).cloned().collect();
        Some(Attending::begin(&self.node, channels, member))
    }

    /// The members of a channel.
    pub(super) async fn presence(
        &self,
        request: PresenceRequest,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let channel = request.channel;
        let question = Request::Presence(request.query);
        match ask::question(&self.node, channel.clone(), question).answer().await {
            Answer::Presence(page) => {
                Ok(answer::whole(Media::Json, presence::answer(&page), None, origin))
            }
            Answer::Refused(refusal) => Err(Problem::refused(&channel, refusal)),
            other => Err(super::unexpected(&other)),
        }
    }

    fn has_presence(&self, channel: &ChannelName) -> bool {
        self.namespaces.of(channel).presence != Presence::Off
    }
}

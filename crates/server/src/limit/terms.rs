//! What limits are set to; exchanged as a whole when the configuration is read again.

use std::time::Duration;

use super::address::Proxies;
pub(crate) use crate::config::quantity::Rate;
use crate::config::table::Key;
use crate::config::trust;

/// Limits for an address, a user and a channel; none where nothing is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Each<T> {
    pub address: Option<T>,
    pub user: Option<T>,
    pub channel: Option<T>,
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self { address: None, user: None, channel: None }
    }
}

/// What limits are set to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Who is believed about addresses.
    pub proxies: Proxies,
    /// Connections at one time.
    pub connections: Each<usize>,
    /// New connections.
    pub connect: Each<Rate>,
    /// Channels that somebody begins to read.
    pub subscribe: Each<Rate>,
    /// Publications.
    pub publish: Each<Rate>,
    /// What may be done at once is what a rate allows in this time.
    pub burst: Duration,
    /// Bytes that large messages and bodies may hold together.
    pub large_bytes: Option<usize>,
}

/// What is limited by rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// To connect.
    Connect,
    /// To begin to read a channel.
    Subscribe,
    /// To publish.
    Publish,
}

/// A limit that can be reached; each has a key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitKey {
    /// Connections of an address at one time.
    AddressConnections,
    /// Connections of a user at one time.
    UserConnections,
    /// New connections of an address.
    AddressConnects,
    /// New connections of a user.
    UserConnects,
    /// Channels that an address begins to read.
    AddressSubscribes,
    /// Channels that a user begins to read.
    UserSubscribes,
    /// Readers that a channel gets.
    ChannelSubscribes,
    /// Publications of an address.
    AddressPublishes,
    /// Publications of a user.
    UserPublishes,
    /// Publications to a channel.
    ChannelPublishes,
}

impl LimitKey {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 10] = [
        Self::AddressConnections,
        Self::UserConnections,
        Self::AddressConnects,
        Self::UserConnects,
        Self::AddressSubscribes,
        Self::UserSubscribes,
        Self::ChannelSubscribes,
        Self::AddressPublishes,
        Self::UserPublishes,
        Self::ChannelPublishes,
    ];

    /// What the configuration calls it.
    pub(crate) fn name(self) -> &'static str {
        let key: &Key = match self {
            Self::AddressConnections => &trust::CONNECTIONS_PER_ADDRESS_MAX,
            Self::UserConnections => &trust::CONNECTIONS_PER_USER_MAX,
            Self::AddressConnects => &trust::CONNECT_RATE_PER_ADDRESS,
            Self::UserConnects => &trust::CONNECT_RATE_PER_USER,
            Self::AddressSubscribes => &trust::SUBSCRIBE_RATE_PER_ADDRESS,
            Self::UserSubscribes => &trust::SUBSCRIBE_RATE_PER_USER,
            Self::ChannelSubscribes => &trust::SUBSCRIBE_RATE_PER_CHANNEL,
            Self::AddressPublishes => &trust::PUBLISH_RATE_PER_ADDRESS,
            Self::UserPublishes => &trust::PUBLISH_RATE_PER_USER,
            Self::ChannelPublishes => &trust::PUBLISH_RATE_PER_CHANNEL,
        };
        key.name
    }

    /// Whether it counts for an address.
    pub(super) fn is_of_address(self) -> bool {
        matches!(
            self,
            Self::AddressConnections
                | Self::AddressConnects
                | Self::AddressSubscribes
                | Self::AddressPublishes
        )
    }
}

/// The limits that something limited by rate can reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) address: LimitKey,
    pub(super) user: LimitKey,
    /// None for what is done to no channel.
    pub(super) channel: Option<LimitKey>,
}

impl What {
    /// The limits that it can reach.
    pub(super) fn limits(self) -> Limits {
        match self {
            Self::Connect => Limits {
                address: LimitKey::AddressConnects,
                user: LimitKey::UserConnects,
                channel: None,
            },
            Self::Subscribe => Limits {
                address: LimitKey::AddressSubscribes,
                user: LimitKey::UserSubscribes,
                channel: Some(LimitKey::ChannelSubscribes),
            },
            Self::Publish => Limits {
                address: LimitKey::AddressPublishes,
                user: LimitKey::UserPublishes,
                channel: Some(LimitKey::ChannelPublishes),
            },
        }
    }
}

impl Terms {
    /// The rates of this.
    pub(super) fn rates(&self, what: What) -> &Each<Rate> {
        match what {
            What::Connect => &self.connect,
            What::Subscribe => &self.subscribe,
            What::Publish => &self.publish,
        }
    }
}

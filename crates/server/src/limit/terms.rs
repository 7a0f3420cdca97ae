//! What limits are set to; exchanged as a whole when the configuration is read again.

use std::time::Duration;

use super::address::Proxies;
pub(crate) use crate::config::quantity::Rate;

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

/// A limit that can be reached, by its key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitKey {
    /// `limits.connections_per_address_max`
    AddressConnections,
    /// `limits.connections_per_user_max`
    UserConnections,
    /// `limits.connect_rate_per_address`
    AddressConnects,
    /// `limits.connect_rate_per_user`
    UserConnects,
    /// `limits.subscribe_rate_per_address`
    AddressSubscribes,
    /// `limits.subscribe_rate_per_user`
    UserSubscribes,
    /// `limits.subscribe_rate_per_channel`
    ChannelSubscribes,
    /// `limits.publish_rate_per_address`
    AddressPublishes,
    /// `limits.publish_rate_per_user`
    UserPublishes,
    /// `limits.publish_rate_per_channel`
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

    /// The key.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AddressConnections => "limits.connections_per_address_max",
            Self::UserConnections => "limits.connections_per_user_max",
            Self::AddressConnects => "limits.connect_rate_per_address",
            Self::UserConnects => "limits.connect_rate_per_user",
            Self::AddressSubscribes => "limits.subscribe_rate_per_address",
            Self::UserSubscribes => "limits.subscribe_rate_per_user",
            Self::ChannelSubscribes => "limits.subscribe_rate_per_channel",
            Self::AddressPublishes => "limits.publish_rate_per_address",
            Self::UserPublishes => "limits.publish_rate_per_user",
            Self::ChannelPublishes => "limits.publish_rate_per_channel",
        }
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

impl What {
    /// The limits that it can reach.
    pub(super) fn keys(self) -> Each<LimitKey> {
        let (address, user, channel) = match self {
            Self::Connect => (LimitKey::AddressConnects, LimitKey::UserConnects, None),
            Self::Subscribe => (
                LimitKey::AddressSubscribes,
                LimitKey::UserSubscribes,
                Some(LimitKey::ChannelSubscribes),
            ),
            Self::Publish => (
                LimitKey::AddressPublishes,
                LimitKey::UserPublishes,
                Some(LimitKey::ChannelPublishes),
            ),
        };
        Each { address: Some(address), user: Some(user), channel }
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

//! Namespaces: the channels with one prefix, and the rules that hold for them.

use std::sync::Arc;

use crate::happening::Wishes;
use crate::name::ChannelName;
use crate::prefix::Prefixes;
use crate::settings::{Retention, SlowReader};

/// What holds for the channels of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceRules {
    /// What history keeps of each channel.
    pub history: Retention,
    /// What happens to readers that are too slow.
    pub slow_reader: SlowReader,
    /// Whether it is known who reads a channel.
    pub presence: Presence,
    /// What the application is told of its channels.
    pub wishes: Wishes,
}

/// Whether it is known who reads a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Nobody is a member.
    #[default]
    Off,
    /// Who reads a channel is its member.
    On(PresenceBounds),
}

/// How much is told and kept of a channel's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceBounds {
    /// With more members than this, readers are told their number once a second instead of who
    /// comes and goes.
    pub told_max: usize,
    /// Members that are listed; further ones are counted only.
    pub listed_max: usize,
}

/// Every namespace of a node. A channel belongs to the one with the longest prefix that its name
/// begins with, and without any to the rest.
#[derive(Debug)]
pub struct Namespaces {
    prefixed: Prefixes<Arc<NamespaceRules>>,
    rest: Arc<NamespaceRules>,
}

impl Namespaces {
    /// Namespaces by prefix, and the rules of every other channel.
    #[must_use]
    pub fn new(
        prefixed: impl IntoIterator<Item = (Box<str>, NamespaceRules)>,
        rest: NamespaceRules,
    ) -> Self {
        let shared = |(prefix, rules)| (prefix, Arc::new(rules));
        Self { prefixed: Prefixes::new(prefixed.into_iter().map(shared)), rest: Arc::new(rest) }
    }

    /// One namespace for all channels.
    #[must_use]
    pub fn only(rules: NamespaceRules) -> Self {
        Self::new([], rules)
    }

    /// The rules that hold for a channel.
    #[must_use]
    pub fn of(&self, channel: &ChannelName) -> &Arc<NamespaceRules> {
        self.prefixed.of(channel.as_str()).unwrap_or(&self.rest)
    }

    /// The rules of channels that no prefix covers.
    #[must_use]
    pub fn rest(&self) -> &Arc<NamespaceRules> {
        &self.rest
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{NamespaceRules, Namespaces, Presence};
    use crate::happening::Wishes;
    use crate::name::ChannelName;
    use crate::settings::{Retention, SlowReader};

    #[test]
    fn the_longest_prefix_decides() {
        let rules = |count| NamespaceRules {
            history: Retention { count, bytes: 1, age: Duration::MAX },
            slow_reader: SlowReader::Recover,
            presence: Presence::Off,
            wishes: Wishes::default(),
        };
        let prefixed = [("chat:", 2), ("chat:room:", 3), ("c", 4)];
        let prefixed = prefixed.map(|(prefix, count)| (prefix.into(), rules(count)));
        let namespaces = Namespaces::new(prefixed, rules(1));
        for (name, count) in
            [("chat:1", 2), ("chat:room:1", 3), ("chat", 4), ("news", 1), ("chat:", 2)]
        {
            let rules = namespaces.of(&ChannelName::new(name).unwrap());
            assert_eq!(rules.history.count, count, "{name}");
        }
    }
}

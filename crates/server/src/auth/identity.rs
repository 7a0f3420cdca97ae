//! Who opened a stream, so that nobody else changes it.

use fanfare_core::publication::Publisher;

use super::Caller;

/// Who somebody is, as far as their credentials say: the name that these stand for, which
/// everything that they open shares. Without credentials it is nobody, and all of those are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(Publisher);

impl Caller {
    /// Who they are.
    pub(crate) fn identity(&self) -> Identity {
        Identity(self.publisher().clone())
    }

    /// Whether they are this one.
    pub(crate) fn is(&self, identity: &Identity) -> bool {
        *self.publisher() == identity.0
    }
}

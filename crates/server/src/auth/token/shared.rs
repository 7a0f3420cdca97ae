//! What tokens grant, held once for all that grant the same, as most tokens of an application do.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::auth::grant::Grants;

/// Different grants that are held at most.
const PLACES: usize = 64;

/// Grants that are held once.
#[derive(Debug)]
pub(super) struct SharedGrants {
    places: [ArcSwapOption<Grants>; PLACES],
    hasher: RandomState,
}

impl Default for SharedGrants {
    fn default() -> Self {
        let places = std::array::from_fn(|_| ArcSwapOption::empty());
        Self { places, hasher: RandomState::new() }
    }
}

impl SharedGrants {
    /// These, or equal ones that are held already. Those with the subject in them are nobody else's.
    pub(super) fn find(&self, grants: Grants) -> Arc<Grants> {
        if !grants.are_common() {
            return Arc::new(grants);
        }
        let place = usize::try_from(self.hasher.hash_one(&grants) % PLACES as u64).unwrap_or(0);
        let Some(place) = self.places.get(place) else { return Arc::new(grants) };
        if let Some(held) = place.load().as_ref().filter(|held| ***held == grants) {
            return Arc::clone(held);
        }
        let grants = Arc::new(grants);
        place.store(Some(Arc::clone(&grants)));
        grants
    }
}

//! The slab of a shard's connections: places of a fixed size in chunks that never move.
//!
//! A slab in one piece would be copied whole when it grows, which at a hundred thousand connections
//! is a pause and twice the memory; chunks only ever add themselves. A place that is used again
//! has a new generation, so that letters and events for its earlier user find nobody.

use fanfare_core::shard::ConnectionId;

const CHUNK: usize = 256;
const NO_PLACE: u32 = u32::MAX;

/// Values by [`ConnectionId`].
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Place<T>]>>,
    free: u32,
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    /// Free, and the next free place after it.
    Free(u32),
    Used(T),
}

impl<T> Slab<T> {
    /// A slab without places.
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), free: NO_PLACE, len: 0 }
    }

    /// Values in it.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.len
    }

    /// Puts a value in, in the place that was freed last.
    pub(crate) fn insert(&mut self, value: T) -> ConnectionId {
        if self.free == NO_PLACE {
            self.grow();
        }
        let index = self.free;
        let place = &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK];
        if let Content::Free(next) = place.content {
            self.free = next;
        }
        place.content = Content::Used(value);
        self.len += 1;
        ConnectionId { index, generation: place.generation }
    }

    /// The value, if the place still has the same user.
    pub(crate) fn find(&self, id: ConnectionId) -> Option<&T> {
        let place = self.chunks.get(id.index as usize / CHUNK)?.get(id.index as usize % CHUNK)?;
        match &place.content {
            Content::Used(value) if place.generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// The value, to be changed.
    pub(crate) fn find_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let place =
            self.chunks.get_mut(id.index as usize / CHUNK)?.get_mut(id.index as usize % CHUNK)?;
        match &mut place.content {
            Content::Used(value) if place.generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// Takes the value out and frees its place for another generation.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        self.find(id)?;
        let place = &mut self.chunks[id.index as usize / CHUNK][id.index as usize % CHUNK];
        place.generation = place.generation.wrapping_add(1);
        let content = std::mem::replace(&mut place.content, Content::Free(self.free));
        self.free = id.index;
        self.len -= 1;
        match content {
            Content::Used(value) => Some(value),
            Content::Free(_) => None,
        }
    }

    /// The ids of all values.
    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        let places = self.chunks.iter().flatten();
        (0_u32..)
            .zip(places)
            .filter(|(_, place)| matches!(place.content, Content::Used(_)))
            .map(|(index, place)| ConnectionId { index, generation: place.generation })
            .collect()
    }

    /// The ids of those in one chunk, by its number; none behind the last chunk.
    pub(crate) fn ids_in(&self, chunk: usize) -> Option<impl Iterator<Item = ConnectionId>> {
        let first = u32::try_from(chunk * CHUNK).ok()?;
        let places = (first..).zip(self.chunks.get(chunk)?);
        let used = places.filter(|(_, place)| matches!(place.content, Content::Used(_)));
        Some(used.map(|(index, place)| ConnectionId { index, generation: place.generation }))
    }

    fn grow(&mut self) {
        let first = self.chunks.len() * CHUNK;
        let chunk = (0..CHUNK)
            .map(|at| {
                let next = if at + 1 == CHUNK {
                    NO_PLACE
                } else {
                    u32::try_from(first + at + 1).unwrap_or(NO_PLACE)
                };
                Place { generation: 0, content: Content::Free(next) }
            })
            .collect();
        self.chunks.push(chunk);
        self.free = u32::try_from(first).unwrap_or(NO_PLACE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{CHUNK, Slab};

    #[test]
    fn values_are_found_by_their_own_generation_only() {
        let mut slab = Slab::new();
        let mut model = HashMap::new();
        let mut gone = Vec::new();
        let mut seed = 7_u64;
        for step in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 33 & 1 == 0 || model.is_empty() {
                let id = slab.insert(step);
                assert!(model.insert(id, step).is_none(), "an id is never reused");
            } else {
                let id = *model.keys().next().unwrap();
                assert_eq!(slab.remove(id), model.remove(&id));
                gone.push(id);
            }
        }
        assert_eq!(slab.len(), model.len());
        for (id, value) in &model {
            assert_eq!(slab.find(*id), Some(value));
        }
        for id in &gone {
            assert_eq!(slab.find(*id), None);
            assert_eq!(slab.find_mut(*id), None);
        }
        let mut ids = slab.ids();
        ids.sort_by_key(|id| id.index);
        assert_eq!(ids.len(), model.len());
        assert!(ids.iter().all(|id| model.contains_key(id)));
        let mut by_chunk: Vec<_> = (0..).map_while(|chunk| slab.ids_in(chunk)).flatten().collect();
        by_chunk.sort_by_key(|id| id.index);
        assert_eq!(by_chunk, ids);
    }

    #[test]
    fn values_do_not_move_when_the_slab_grows() {
        let mut slab = Slab::new();
        let first = slab.insert(1_usize);
        let before: *const usize = slab.find(first).unwrap();
        for value in 0..CHUNK * 40 {
            slab.insert(value);
        }
        assert!(std::ptr::eq(before, slab.find(first).unwrap()));
    }
}

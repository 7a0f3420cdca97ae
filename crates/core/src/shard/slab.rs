//! Storage by number that grows in chunks, so that no growth ever moves what is already there.

const CHUNK: usize = 1024;

/// Values by the numbers that somebody else gives out.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Option<T>]>>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let number = number as usize;
        self.chunks.get_mut(number / CHUNK)?.get_mut(number % CHUNK)?.as_mut()
    }

    /// Puts a value in and gives back the one that was there.
    pub(crate) fn insert(&mut self, number: u32, value: T) -> Option<T> {
        let number = number as usize;
        while self.chunks.len() <= number / CHUNK {
            self.chunks.push((0..CHUNK).map(|_| None).collect());
        }
        self.chunks.get_mut(number / CHUNK)?.get_mut(number % CHUNK)?.replace(value)
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let number = number as usize;
        self.chunks.get_mut(number / CHUNK)?.get_mut(number % CHUNK)?.take()
    }
}

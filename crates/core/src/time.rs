//! Time as the core sees it: two numbers that the caller passes in.

/// Milliseconds since 1970-01-01T00:00:00Z, as publications carry them.
pub type UnixMillis = u64;

/// Milliseconds on a clock that never goes back, from which deadlines are counted.
pub type Millis = u64;

/// The moment at which an input is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// The clock for deadlines.
    pub millis: Millis,
    /// The clock of the wall, for publications.
    pub unix: UnixMillis,
}

//! What the pages show: one file per source.

pub(super) mod clock;
pub(super) mod news;
pub(super) mod prices;
pub(super) mod story;

//! Streams whose channels change while they live.

mod changing;
mod exact;
mod live;
mod refusing;

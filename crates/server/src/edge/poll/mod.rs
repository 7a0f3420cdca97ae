//! Long-poll: what there is at once, or the next thing within the wait.

mod collector;
#[cfg(test)]
mod collector_tests;

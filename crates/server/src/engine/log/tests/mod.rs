//! The log as its users meet it: what is acknowledged is there, what is damaged is told, and nothing is
//! made up, whatever the disk does.

#![expect(clippy::indexing_slicing, reason = "a test that looks beside the mark has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "tests are built with checks")]

mod basics;
mod bound;
mod crash;
mod faults;
mod flips;
mod model;
mod oracle;
mod rig;
mod system;
mod tail;
mod tools;

//! What `fanfare demo` has beside `fanfare dev`: the pages of `examples/` and what they show.
//!
//! Nothing of it runs in another mode. The pages come out of the binary; what they need of channels
//! and routes is a configuration that anyone can copy ([`CONFIGURATION`]).

mod pages;

pub(crate) use pages::{Found, find};

/// The configuration below all others, and the name that messages call it by.
pub(crate) const CONFIGURATION: (&str, &str) =
    ("examples/demo.toml", include_str!("../../../../examples/demo.toml"));

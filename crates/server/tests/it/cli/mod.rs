//! The commands, against servers that speak the protocol from a script.

mod carriers;
mod fake;
mod local;
mod publish;
mod reading;
mod resume;
pub(crate) mod run;

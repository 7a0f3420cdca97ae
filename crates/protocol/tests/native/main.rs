//! The native protocol from outside: tables of requests, and oracles for what is written.

mod asking;
mod encoding;
mod places;
mod publishing;
mod reading;
mod refusing;
mod speaking;

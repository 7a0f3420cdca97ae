//! The binary as its users meet it: real processes, real sockets on loopback, a deadline on every
//! wait.

mod cli;

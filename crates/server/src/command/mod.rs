//! What can be typed: one file per subcommand, and the dispatch between them.
//!
//! Commands talk to people: data goes to stdout, everything else to stderr. Those that talk to a
//! server go through `client` and know nothing of what is inside one.

mod bench;
mod check;
pub(crate) mod client;
mod demo;
mod dev;
mod history;
mod init;
mod line;
mod log;
pub(crate) mod output;
mod presence;
mod publish;
mod serve;
mod server_flags;
mod show;
mod subscribe;
mod token;
mod version;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::quantity::parse_duration;
use crate::exit::Exit;
use output::StdoutClosed;

/// Live data to browsers, apps and services over WebSocket and Server-Sent Events.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, propagate_version = false)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a server on this machine only, open to everyone on it.
    Dev(dev::Flags),
    /// Start a server as `dev` does, with working pages to look at and to copy.
    Demo(demo::Flags),
    /// Start a server for others; lets in who shows a token or a key.
    Serve(serve::Flags),
    /// Publish messages to a channel.
    Pub(publish::Flags),
    /// Print the messages of channels as they come.
    Sub(subscribe::Flags),
    /// Print the messages a channel has kept.
    History(history::Flags),
    /// Print who reads a channel.
    Presence(presence::Flags),
    /// Check a configuration file.
    Check(check::Flags),
    /// Write a commented configuration file.
    Init(init::Flags),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(Config),
    /// Measure what a server costs, beside the least that it could.
    #[command(subcommand)]
    Bench(Box<bench::Scenario>),
    /// Do the same work over WebSocket, SSE, NDJSON and long-poll, and tell what each takes.
    Compare(Box<bench::compare::Flags>),
    /// Look after the log that history is kept in.
    #[command(subcommand)]
    Log(log::Command),
    /// Make tokens and keys, and explain tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// Print the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Print each value and where it came from.
    Show(show::Flags),
}

/// Reads the command line and runs what it asks for.
///
/// # Errors
///
/// Whatever went wrong, to be told once by the caller.
pub(crate) fn run() -> Result<Exit> {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return told_by_clap(&error),
    };
    match line.command {
        Command::Dev(flags) => dev::run(&flags),
        Command::Demo(flags) => demo::run(&flags),
        Command::Serve(flags) => serve::run(&flags),
        Command::Pub(flags) => publish::run(&flags),
        Command::Sub(flags) => subscribe::run(flags),
        Command::History(flags) => history::run(&flags),
        Command::Presence(flags) => presence::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Init(flags) => init::run(&flags),
        Command::Config(Config::Show(flags)) => show::run(&flags),
        Command::Bench(scenario) => bench::run(&scenario),
        Command::Compare(flags) => bench::compare::run(&flags),
        Command::Log(command) => log::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Version => version::run(),
    }
}

/// Help and version are data; a mistake on the command line is not.
fn told_by_clap(error: &clap::Error) -> Result<Exit> {
    error.print().map_err(|_closed| StdoutClosed)?;
    Ok(if error.use_stderr() { Exit::Usage } else { Exit::Success })
}

/// One thread is enough to talk to one server.
fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the client's runtime")
}

/// Reads a duration on the command line.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a number with ms, s, m, h or d, such as 10s".into())
}

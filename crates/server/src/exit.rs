//! The exit codes, and the one place that turns the outcome of a run into one.

use std::any::Any;
use std::process::ExitCode;

use anyhow::Result;

use crate::command::client::failure::Failure;
use crate::command::output::StdoutClosed;
use crate::config::mistake::Mistakes;

/// How a run ended; `docs/cli.md` lists the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well; also Ctrl-C in `sub`, and a reader of stdout that had enough.
    Success,
    /// Something went wrong that has no code of its own.
    Failure,
    /// The command line or the configuration is wrong.
    Usage,
    /// The server cannot be reached.
    Unreachable,
    /// The server refused the request.
    Refused,
    /// A panic: our bug.
    Panic,
    /// History could not be written or synced (`EX_IOERR` of sysexits).
    Disk,
    /// A second signal ended a server that was still draining, or a signal a bench.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
            Self::Panic => 70,
            Self::Disk => 74,
            Self::Interrupted => 130,
        }
    }
}

/// Tells an error once, on stderr, and gives the code of the outcome.
#[expect(clippy::print_stderr, reason = "the one place that tells how a run ended")]
pub(crate) fn conclude(outcome: Result<Result<Exit>, Box<dyn Any + Send>>) -> ExitCode {
    let exit = match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) if error.is::<StdoutClosed>() => Exit::Success,
        Ok(Err(error)) => {
            eprintln!("{}", message(&error));
            of_error(&error)
        }
        // The panic hook has told what happened and where.
        Err(_panic) => Exit::Panic,
    };
    ExitCode::from(exit.code())
}

fn message(error: &anyhow::Error) -> String {
    if error.is::<Mistakes>() { format!("{error:#}") } else { format!("fanfare: {error:#}") }
}

fn of_error(error: &anyhow::Error) -> Exit {
    if error.is::<Mistakes>() {
        return Exit::Usage;
    }
    error.downcast_ref::<Failure>().map_or(Exit::Failure, Failure::exit)
}

#[cfg(test)]
#[path = "exit_test.rs"]
mod tests;

//! What can be wrong with a configuration, said so that it can be put right.
//!
//! All mistakes are collected and told at once, each with what is wrong, where it stands and what
//! to change.

use std::fmt;
use std::path::PathBuf;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No source set it.
    Default,
    /// No source set it in a namespace, so that this key of the top says it, from this place.
    Inherited(&'static str, Box<Self>),
    /// A line of the configuration file, counted from 1.
    File { path: PathBuf, line: usize },
    /// The configuration file as a whole.
    Path(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A command-line flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Inherited(key, origin) => write!(formatter, "from {key} ({origin})"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Path(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where it stands.
    pub(crate) origin: Origin,
    /// What is wrong, without a full stop.
    pub(crate) what: String,
    /// What to change, as an order.
    pub(crate) change: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}; {}", self.origin, self.what, self.change)
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

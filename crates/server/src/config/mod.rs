//! Configuration: defaults, overlaid by a TOML file, by the environment and by flags.
//!
//! Settings as written (`source`, one per source, any key may be absent) are kept apart from
//! settings checked and built (`settings`). Everything that lists keys derives from two tables,
//! `table` and `namespace`, by way of `place`. Only this room reads the environment. It knows
//! nothing of commands.

mod address;
mod admitting;
mod building;
pub(crate) mod credential;
pub(crate) mod effective;
pub(crate) mod environment;
pub(crate) mod file;
pub(crate) mod hook_keys;
mod hooks;
pub(crate) mod machine;
pub(crate) mod mistake;
pub(crate) mod namespace;
pub(crate) mod place;
pub(crate) mod quantity;
pub(crate) mod reference;
pub(crate) mod route;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod standing;
pub(crate) mod storage_keys;
pub(crate) mod table;
mod tls;
pub(crate) mod tls_keys;
pub(crate) mod trust;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use effective::Effective;
use mistake::{Mistake, Mistakes, Origin};
use source::Source;

/// The file that is read if none is named.
pub(crate) const FILE: &str = "fanfare.toml";

/// The sources of one run, read but not yet overlaid.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The file that was read, if there was one.
    pub(crate) path: Option<PathBuf>,
    standard: Source,
    file: Source,
    environment: Source,
}

impl Sources {
    /// Reads the named file, else [`FILE`] if it exists, and the environment.
    ///
    /// # Errors
    ///
    /// A named file that does not exist, a file that cannot be read, and every unknown key in
    /// either source.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, Mistakes> {
        let (path, file) = match read_file(path)? {
            Some((path, text)) => {
                let file = file::read(&path, &text)?;
                (Some(path), file)
            }
            None => (None, Source::default()),
        };
        let environment = environment::read(&environment::variables())?;
        Ok(Self { path, standard: Source::default(), file, environment })
    }

    /// The same above a configuration that the program brings along, which wins over the defaults
    /// only; messages call it by `name`.
    ///
    /// # Errors
    ///
    /// Every unknown key in it.
    pub(crate) fn above(self, name: &str, text: &str) -> Result<Self, Mistakes> {
        Ok(Self { standard: file::read(Path::new(name), text)?, ..self })
    }

    /// Lays file, environment and flags over the defaults.
    ///
    /// # Errors
    ///
    /// Every value that its key does not accept.
    pub(crate) fn overlay(self, flags: Source) -> Result<Effective, Mistakes> {
        Effective::of(&[self.standard, self.file, self.environment, flags])
    }
}

fn read_file(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, Mistakes> {
    let path = named.unwrap_or(Path::new(FILE));
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Mistakes(vec![Mistake {
            origin: Origin::Path(path.to_owned()),
            what: format!("cannot be read: {error}"),
            change: "name a file of text that exists; `fanfare init` writes one".to_owned(),
        }])),
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;

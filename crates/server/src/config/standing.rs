//! The configuration of a running server: what holds, and what becomes of it when its sources are
//! read again.
//!
//! Some keys are exchanged while the server runs; what the others say anew holds after the next
//! start. So what is checked is what would then hold together: old values of the one kind beside new
//! ones of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Sources;
use super::effective::{Effective, RouteRows, Row, Rows};
use super::mistake::{Mistakes, Origin};
use super::place::{ISSUERS, NAMESPACES, PUBLISHER_KEYS, name_of_route};
use super::settings::{Machine, Mode, Settings};
use super::source::Source;
use super::table::Takes;

/// Where a configuration is read from, time and again.
#[derive(Debug)]
pub(crate) struct Reader {
    path: Option<PathBuf>,
    flags: Source,
}

impl Reader {
    /// Reads the file that is named, else the one that is found, below these flags.
    pub(crate) fn new(path: Option<PathBuf>, flags: Source) -> Self {
        Self { path, flags }
    }

    /// Reads all sources. A file that was found once has to be there from then on: without it the
    /// defaults would hold, which nobody who moves a file means.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source.
    pub(crate) fn read(&mut self) -> Result<Effective, Mistakes> {
        let sources = Sources::read(self.path.as_deref())?;
        self.path.clone_from(&sources.path);
        sources.overlay(self.flags.clone())
    }
}

/// The configuration that holds.
#[derive(Debug)]
pub(crate) struct Standing {
    reader: Reader,
    effective: Effective,
    mode: Mode,
    machine: Machine,
}

/// A configuration that can take the place of the one that holds.
#[derive(Debug)]
pub(crate) struct Renewal {
    effective: Effective,
    /// What holds with it.
    pub(crate) settings: Settings,
    /// What is different.
    pub(crate) changes: Changes,
}

/// The keys that a configuration says something else about, as the file calls them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Those whose new values hold at once.
    pub(crate) exchanged: Vec<String>,
    /// Those that take a restart.
    pub(crate) restart: Vec<String>,
}

impl Standing {
    /// Reads the configuration for the first time.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source, alone or beside the others or on this machine.
    pub(crate) fn begin(
        mut reader: Reader,
        mode: Mode,
        machine: Machine,
    ) -> Result<(Self, Settings), Mistakes> {
        let effective = reader.read()?;
        let settings = Settings::build(&effective, mode, machine)?;
        Ok((Self { reader, effective, mode, machine }, settings))
    }

    /// Reads the configuration again. Nothing has changed before [`Self::accept`].
    ///
    /// # Errors
    ///
    /// Everything wrong in any source, alone or beside what holds on.
    pub(crate) fn read_again(&mut self) -> Result<Renewal> {
        let read = self.reader.read()?;
        Settings::build(&read, self.mode, self.machine)?;
        let (effective, changes) = self.effective.renewed(read);
        let settings = Settings::build(&effective, self.mode, self.machine).with_context(|| {
            format!("without a restart for {} it does not hold", changes.restart.join(", "))
        })?;
        Ok(Renewal { effective, settings, changes })
    }

    /// From now on this holds.
    pub(crate) fn accept(&mut self, renewal: Renewal) {
        self.effective = renewal.effective;
    }
}

impl Effective {
    /// What holds when `read` has been read beside a server that runs with this, and the keys that
    /// differ.
    fn renewed(&self, read: Self) -> (Self, Changes) {
        let mut changes = Changes::default();
        let Self { top, namespaces, keys, issuers, routes } = read;
        let top = changes.rows(&self.top, top);
        let namespaces = changes.namespaces(&self.namespaces, namespaces);
        changes.routes(&self.routes, &routes);
        changes.tables(PUBLISHER_KEYS, &self.keys, &keys);
        changes.tables(ISSUERS, &self.issuers, &issuers);
        (Self { top, namespaces, keys, issuers, routes }, changes)
    }
}

impl Changes {
    /// The rows of one place that hold: the new ones of keys that are exchanged, else the old ones.
    fn rows(&mut self, old: &Rows, new: Rows) -> Rows {
        let row = |row: Row| {
            let Some(before) = old.row(row.key).filter(|before| before.value != row.value) else {
                return row;
            };
            // What is inherited is told where it stands.
            let told = !matches!(row.origin, Origin::Inherited(..))
                || !matches!(before.origin, Origin::Inherited(..));
            let (list, holds) = match row.key.takes {
                Takes::Reload => (&mut self.exchanged, &row),
                Takes::Restart => (&mut self.restart, before),
            };
            if told {
                list.push(row.name.clone());
            }
            holds.clone()
        };
        new.map(row)
    }

    /// The namespaces that hold: those from before. A new one would concern channels that exist.
    fn namespaces(
        &mut self,
        old: &BTreeMap<String, Rows>,
        mut new: BTreeMap<String, Rows>,
    ) -> BTreeMap<String, Rows> {
        let both = old.iter().map(|(name, before)| {
            let rows = match new.remove(name) {
                Some(rows) => self.rows(before, rows),
                None => {
                    self.restart.push(format!("{NAMESPACES}.{name}"));
                    before.clone()
                }
            };
            (name.clone(), rows)
        });
        let both = both.collect();
        self.restart.extend(new.into_keys().map(|name| format!("{NAMESPACES}.{name}")));
        both
    }

    /// Takes note of the tables of keys or issuers that are others now.
    fn tables(&mut self, tables: &str, old: &BTreeMap<String, Rows>, new: &BTreeMap<String, Rows>) {
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let values = |tables: &BTreeMap<String, Rows>, name: &str| {
            let rows = tables.get(name)?;
            Some(rows.iter().map(|row| row.value.clone()).collect::<Vec<_>>())
        };
        for name in names {
            if values(old, name) != values(new, name) {
                self.exchanged.push(format!("{tables}.{name}"));
            }
        }
    }

    /// Takes note of the routes that are others now.
    fn routes(&mut self, old: &BTreeMap<String, RouteRows>, new: &BTreeMap<String, RouteRows>) {
        let paths: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let values = |routes: &BTreeMap<String, RouteRows>, path: &str| {
            let route = routes.get(path)?;
            Some(route.rows.iter().map(|row| row.value.clone()).collect::<Vec<_>>())
        };
        for path in paths {
            if values(old, path) != values(new, path) {
                self.exchanged.push(name_of_route(path));
            }
        }
    }
}

#[cfg(test)]
#[path = "standing_test.rs"]
mod tests;

//! Reads `FANFARE_…` variables. The only place that looks at the environment.

use std::env;

use super::mistake::{Mistake, Mistakes, Origin, did_you_mean};
use super::source::{Source, Text};
use super::table::{KEYS, Key, Kind};

/// The server that client commands talk to, when no `--url` says otherwise.
pub(crate) const URL: &str = "FANFARE_URL";
/// The publisher key of client commands, when no `--publisher-key` says otherwise.
pub(crate) const KEY: &str = "FANFARE_KEY";

/// The variables of this process whose names start with `FANFARE_`, by name. Bytes that are not
/// UTF-8 become replacement characters, which no key accepts.
pub(crate) fn variables() -> Vec<(String, String)> {
    let mut variables: Vec<_> = env::vars_os()
        .map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .filter(|(name, _)| name.starts_with("FANFARE_"))
        .collect();
    variables.sort();
    variables
}

/// The value of [`URL`] or [`KEY`], if it is set and not empty.
pub(crate) fn client_variable(name: &str) -> Option<String> {
    let (_, value) = variables().into_iter().find(|(known, _)| known == name)?;
    (!value.is_empty()).then_some(value)
}

/// Reads variables into a [`Source`]. An empty value counts as absent.
///
/// # Errors
///
/// Every variable that is no key and neither [`URL`] nor [`KEY`].
pub(crate) fn read(variables: &[(String, String)]) -> Result<Source, Mistakes> {
    let mut source = Source::default();
    let mut mistakes = Vec::new();
    for (name, value) in variables {
        if name == URL || name == KEY {
            continue;
        }
        let origin = Origin::Environment(name.clone());
        let Some(key) = KEYS.iter().copied().find(|key| key.variable() == *name) else {
            let change = did_you_mean(name, Key::variable);
            let what = "unknown environment variable with the prefix `FANFARE_`".to_owned();
            mistakes.push(Mistake { origin, what, change });
            continue;
        };
        if !value.is_empty() {
            source.set(key, written(key, value), origin);
        }
    }
    if mistakes.is_empty() { Ok(source) } else { Err(Mistakes(mistakes)) }
}

fn written(key: &Key, value: &str) -> Text {
    match key.kind {
        Kind::List | Kind::SecretList => {
            Text::Many(value.split(',').map(|item| item.trim().to_owned()).collect())
        }
        _ => Text::One(value.to_owned()),
    }
}

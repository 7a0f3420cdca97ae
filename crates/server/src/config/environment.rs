//! Reads `FANFARE_…` variables. The only place that looks at the environment.

use std::env;

use super::mistake::{Mistake, Mistakes, Origin};
use super::namespace;
use super::place::{Place, VARIABLE_PREFIX, name_of_variable};
use super::source::{Source, Text};
use super::table::{Key, Kind};

/// The server that client commands talk to, when no `--url` says otherwise.
pub(crate) const URL: &str = "FANFARE_URL";
/// The token that client commands show, when no `--token` or `--token-file` says otherwise.
pub(crate) const TOKEN: &str = "FANFARE_TOKEN";
/// The key that they show, when there is no token either.
pub(crate) const KEY: &str = "FANFARE_KEY";

/// The variables of this process whose names start with `FANFARE_`, by name. Bytes that are not
/// UTF-8 become replacement characters, which no key accepts.
pub(crate) fn variables() -> Vec<(String, String)> {
    let mut variables: Vec<_> = env::vars_os()
        .map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .collect();
    variables.sort();
    variables
}

/// The value of [`URL`], [`TOKEN`] or [`KEY`], if it is set and not empty.
pub(crate) fn client_variable(name: &str) -> Option<String> {
    let (_, value) = variables().into_iter().find(|(known, _)| known == name)?;
    (!value.is_empty()).then_some(value)
}

/// Reads variables into a [`Source`]. An empty value counts as absent.
///
/// # Errors
///
/// Every variable that is no key and none of those for client commands, and every namespace that cannot be
/// called that.
pub(crate) fn read(variables: &[(String, String)]) -> Result<Source, Mistakes> {
    let mut source = Source::default();
    let mut mistakes = Vec::new();
    for (name, value) in variables {
        if [URL, TOKEN, KEY].contains(&name.as_str()) {
            continue;
        }
        match find(name) {
            Ok((place, key)) if !value.is_empty() => {
                source.set(&place, key, written(key, value), Origin::Environment(name.clone()));
            }
            Ok(_) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(source) } else { Err(Mistakes(mistakes)) }
}

/// The key of a variable, and where it stands.
fn find(variable: &str) -> Result<(Place, &'static Key), Mistake> {
    let name = name_of_variable(variable);
    let (place, written) = Place::of(&name);
    let wrong = |what: String, change: String| {
        let origin = Origin::Environment(variable.to_owned());
        Mistake { origin, what, change }
    };
    // Letters in lower case are another variable.
    let Some(key) = place.find(written).filter(|key| place.variable(key) == variable) else {
        let what = format!("unknown environment variable with the prefix `{VARIABLE_PREFIX}`");
        return Err(wrong(what, place.did_you_mean(written, Place::variable)));
    };
    if let Some((what, name)) = place.chosen() {
        namespace::check_name(name)
            .map_err(|change| wrong(format!("{what} cannot be called `{name}`"), change))?;
    }
    Ok((place, key))
}

fn written(key: &Key, value: &str) -> Text {
    match key.kind {
        Kind::List | Kind::Choices(_) | Kind::SecretList => {
            Text::Many(value.split(',').map(|item| item.trim().to_owned()).collect())
        }
        _ => Text::One(value.to_owned()),
    }
}

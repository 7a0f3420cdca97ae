//! What differs from run to run, made the same: epochs, sessions, times and `retry:`.

use fanfare_core::position::Epoch;
use fanfare_protocol::native::cursor::{append_entry, append_epoch, parse_cursor, parse_epoch};

/// The epoch that the page shows for the server's own.
const OWN: &str = "goJ5mfzvMkI";

/// The epoch that it shows for any other.
const OTHER: &str = "ltnroWEyqc7";

/// The session that it shows for any.
const SESSION: &str = "k3JxVQm8T1e0a9ZrWcYpLgABAAAABwAAAAI";

/// The trace that it shows for any.
const TRACE: &str = "5f0c2a9d41e7";

/// The two epochs of the page and the one of a server, and a session of that server.
#[derive(Debug)]
pub(super) struct Epochs {
    server: Epoch,
    session: String,
}

impl Epochs {
    /// Of the server that gave a reader this cursor.
    pub(super) fn of(cursor: &str) -> Self {
        let cursor = parse_cursor(cursor).unwrap();
        Self { server: cursor.entries[0].position.epoch, session: SESSION.to_owned() }
    }

    /// The same, where the client of the page has this session.
    pub(super) fn with_session(&self, session: &str) -> Self {
        Self { server: self.server, session: session.to_owned() }
    }

    /// What a client of the page sends, as this server has to get it.
    pub(super) fn sent(&self, text: &str) -> String {
        let own = parse_epoch(OWN).unwrap();
        let text = text.replace(SESSION, &self.session);
        replaced(&text, |epoch| if epoch == own { self.server } else { epoch })
    }

    /// What this server tells, as the page has it.
    pub(super) fn told(&self, text: &str) -> String {
        let (own, other) = (parse_epoch(OWN).unwrap(), parse_epoch(OTHER).unwrap());
        plain(&replaced(text, |epoch| if epoch == self.server { own } else { other }))
    }
}

/// A text without what no two runs have in common but epochs.
pub(super) fn plain(text: &str) -> String {
    let text = valued(text, "\"session\":\"", SESSION);
    let text = valued(&text, "\"trace\":\"", TRACE);
    let text = valued(&text, "\"time\":", "1777887000123");
    valued(&text, "retry: ", "2731")
}

/// Puts `value` behind each `name`.
fn valued(text: &str, name: &str, value: &str) -> String {
    let mut parts = text.split(name);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(is_word);
        out.extend([name, value, rest]);
    }
    out
}

/// Replaces the epochs of entries, of positions and behind `"epoch":"`.
fn replaced(text: &str, of: impl Fn(Epoch) -> Epoch) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|next| !is_word(next)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, behind) = rest.split_at(run);
        let place = out.chars().next_back();
        match parse_epoch(word) {
            _ if place == Some('~') => out.push_str(&entry(word, &of)),
            Some(epoch) if place == Some('.') || out.ends_with("\"epoch\":\"") => {
                let mut bytes = Vec::new();
                append_epoch(&mut bytes, of(epoch));
                out.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            _ => out.push_str(word),
        }
        rest = behind;
    }
    out
}

/// An entry without its `~`; one that cannot be read stays as it is.
fn entry(word: &str, of: impl Fn(Epoch) -> Epoch) -> String {
    let Ok(cursor) = parse_cursor(&format!("~{word}")) else {
        return word.to_owned();
    };
    let [mut entry] = cursor.entries[..] else {
        return word.to_owned();
    };
    entry.position.epoch = of(entry.position.epoch);
    let mut bytes = Vec::new();
    append_entry(&mut bytes, entry);
    String::from_utf8(bytes).unwrap()[1..].to_owned()
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

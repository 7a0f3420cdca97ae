//! What `serve` prints when it refuses must work when it is pasted.

use std::ffi::OsString;

use super::{corrected, refusal};
use crate::config::settings::Auth;

fn line(words: &[&str]) -> impl Iterator<Item = OsString> {
    words.iter().map(OsString::from).collect::<Vec<_>>().into_iter()
}

#[test]
fn the_corrected_line_keeps_what_was_typed_and_shows_no_key() {
    let typed = ["/usr/bin/fanfare", "serve", "--publisher-key", "secret", "--config", "a b.toml"];
    assert_eq!(
        corrected(line(&typed)),
        "fanfare serve --config 'a b.toml' --publisher-key \"$FANFARE_KEY\" --anonymous-subscribe"
    );
    let typed = ["fanfare", "serve", "--publisher-key=secret", "--listen", "[::]:80"];
    assert!(!corrected(line(&typed)).contains("secret"));
}

#[test]
fn only_a_key_and_an_explicit_word_on_readers_let_it_start() {
    for (keys, anonymous, starts) in
        [(0, false, false), (1, false, false), (0, true, false), (1, true, true)]
    {
        let auth =
            Auth { publisher_keys: vec!["k".to_owned(); keys], anonymous_subscribe: anonymous };
        let refusal = refusal(&auth, line(&["fanfare", "serve"]));
        assert_eq!(refusal.is_none(), starts, "{keys} keys, anonymous {anonymous}");
    }
}

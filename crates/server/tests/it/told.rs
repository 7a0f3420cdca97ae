//! Nobody is told a credential: whatever a server or a command of any test says is looked through, its
//! log, its answers and its output alike.
//!
//! `scripts/test` looks through what the tests themselves print for the same.

/// In each key and secret of the tests, so that it is found wherever it comes to stand.
pub(crate) const MARK: &str = "tell-nobody";

/// How a token begins, and a key that `token keys` has made.
const OTHERS: [&str; 2] = ["eyJhbGci", "ffk_"];

/// Fails if a credential is in what somebody said.
pub(crate) fn look(who: &str, said: &[u8]) {
    if let Some(words) = found(said) {
        panic!("{who} tells a credential: {words:?}");
    }
}

/// What stands around the first credential in this.
pub(crate) fn found(said: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(said);
    let marks = OTHERS.into_iter().chain([MARK]);
    let (place, mark) = marks.filter_map(|mark| Some((text.find(mark)?, mark))).min()?;
    let before: String = text[..place].chars().rev().take(100).collect();
    let before: String = before.chars().rev().collect();
    Some(format!("{before}{mark}…"))
}

#[test]
fn every_kind_of_credential_is_found() {
    for said in ["key tell-nobody-1", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "an ffk_Zw0 of yours"] {
        assert!(found(said.as_bytes()).is_some(), "{said}");
    }
    assert_eq!(found(b"\xff nothing \xfe"), None);
    assert_eq!(found(b"a b eyJhbGciOi").unwrap(), "a b eyJhbGci\u{2026}");
}

//! Requests for the other tests to ask.

use fanfare_core::cursor::CursorEntry;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Position};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::Reading;
use fanfare_protocol::native::route::{Route, Rules, route};

/// 2023-11-14T22:13:20Z.
pub(crate) const NOW: u64 = 1_700_000_000_000;

pub(crate) fn ask(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Route, Problem> {
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let head = Head::new(method, target, Version::Http11, &headers);
    route(&head, &Rules::default(), NOW)
}

pub(crate) fn get(target: &str) -> Result<Route, Problem> {
    ask("GET", target, &[])
}

pub(crate) fn reading(target: &str, headers: &[(&str, &str)]) -> Reading {
    match ask("GET", target, headers) {
        Ok(Route::Read(reading)) => *reading,
        other => panic!("{target} is no reading but {other:?}"),
    }
}

pub(crate) fn refused(result: Result<Route, Problem>) -> Problem {
    let problem = match result {
        Err(problem) => problem,
        Ok(route) => panic!("was not refused: {route:?}"),
    };
    assert!(problem.detail().len() > 10, "{problem:?}");
    assert!(problem.hint().len() > 10, "{problem:?}");
    problem
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

pub(crate) fn position(offset: u64) -> Position {
    Position::new(offset, Epoch::from_bits(0x1234_5678_9abc_def0))
}

pub(crate) fn entry(name: &str, offset: u64) -> CursorEntry {
    CursorEntry { hash: channel(name).hash48(), position: position(offset), ended: false }
}

pub(crate) const HANDSHAKE: &[(&str, &str)] = &[
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

pub(crate) fn handshake<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    HANDSHAKE.iter().chain(more).copied().collect()
}

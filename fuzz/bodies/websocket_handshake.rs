//! What the fuzz target `websocket_handshake` does with one input; the tests run it too.
//!
//! The input is a request's head in lines: the method, then `name:value`. Whatever opens a
//! WebSocket must get an answer that a client accepts and that has no lines but its own;
//! whatever does not must be refused with the headers that its status demands.

use fanfare_protocol::websocket::{
    Handshake, Opening, Refusal, append_response, check_response, read_handshake,
    select_subprotocol,
};

/// What came of one input.
pub(crate) enum Seen {
    Opened,
    Refused,
    NotAsked,
}

/// Panics if the handshake breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let mut lines = data.split(|byte| *byte == b'\n');
    let method = lines.next().unwrap_or_default();
    let headers = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            (&line[..colon], line.get(colon + 1..).unwrap_or_default())
        })
        .collect::<Vec<_>>();
    // As an answer it is as good as any other to find out whether a client stumbles over it.
    let stray = check_response(&opening(), 101, headers.iter().copied());
    assert_ne!(stray, Ok(Some("")), "an empty subprotocol is none");
    match read_handshake(method, 1, headers.iter().copied()) {
        Ok(None) => Seen::NotAsked,
        Ok(Some(handshake)) => {
            answer(&handshake);
            Seen::Opened
        }
        Err(refusal) => {
            check_refusal(refusal);
            Seen::Refused
        }
    }
}

fn opening<'a>() -> Opening<'a> {
    Opening { target: "/", host: "a", nonce: [7; 16], protocols: &["fanfare.v1"], headers: &[] }
}

fn answer(handshake: &Handshake<'_>) {
    for (place, name) in handshake.protocols.iter().enumerate() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!name.contains(',') && !handshake.protocols[..place].contains(name));
    }
    let selected = match select_subprotocol(&handshake.protocols) {
        Ok(selection) => selection.subprotocol,
        Err(refusal) => return check_refusal(refusal),
    };
    assert_eq!(selected.is_none(), handshake.protocols.is_empty());
    let mut head = Vec::new();
    let accept = handshake.accept.expect("an upgrade has an accept value");
    append_response(&mut head, &accept, selected.map(|selected| selected.name()));
    let lines = head.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(lines, if selected.is_some() { 5 } else { 4 });
}

fn check_refusal(refusal: Refusal) {
    let demanded = refusal.headers().iter().any(|(name, _)| *name == "Sec-WebSocket-Version");
    assert_eq!(refusal.status() == 426, demanded);
    assert!(refusal.status() == 426 || refusal.status() == 400);
}

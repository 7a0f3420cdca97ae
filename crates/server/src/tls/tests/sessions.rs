//! Handshakes, records, ends and mistakes.

use std::io::Write;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};

use super::super::{Application, Failure, Handshake, RECORD_BYTES};
use super::{Pair, Side};

const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn connected(side: &Side, version: &'static rustls::SupportedProtocolVersion) -> Pair {
    let mut pair = side.pair(side.client_config(version));
    pair.pump().unwrap();
    assert_eq!(pair.handshake, Some(Handshake::Full));
    pair
}

#[test]
fn bytes_may_be_cut_anywhere() {
    let side = Side::new();
    for version in VERSIONS {
        for cut in [1, 2, 3, 5, 7, 64, 1_000] {
            let mut pair = side.pair(side.client_config(version));
            pair.cut = cut;
            pair.pump().unwrap();
            pair.client.writer().write_all(&[b'x'; 3_000]).unwrap();
            pair.client.writer().write_all(b"end").unwrap();
            pair.pump().unwrap();
            assert_eq!(pair.plain.len(), 3_003, "{version:?} {cut}");
            assert!(pair.plain.ends_with(b"xend"));
            pair.say(b"answer");
        }
    }
}

#[test]
fn nothing_is_kept_of_a_session_that_waits() {
    let side = Side::new();
    for version in VERSIONS {
        let mut pair = connected(&side, version);
        pair.client.writer().write_all(b"question").unwrap();
        pair.pump().unwrap();
        pair.say(b"answer");
        assert_eq!(pair.session.unread.capacity(), 0);
        assert_eq!(pair.session.unsent().capacity(), 0);
    }
}

#[test]
fn what_is_large_goes_in_records_of_sixteen_kibibytes() {
    let side = Side::new();
    for version in VERSIONS {
        let mut pair = connected(&side, version);
        let sizes = pair.say(&vec![b'x'; 3 * RECORD_BYTES + 1]);
        assert_eq!(sizes.len(), 4, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= RECORD_BYTES + 32), "{sizes:?}");
        assert_eq!(pair.say(b"small").len(), 1);
    }
}

#[test]
fn who_comes_back_resumes_by_its_ticket_alone() {
    let side = Side::new();
    for version in VERSIONS {
        let config = Arc::new(side.client_config(version));
        let mut first = side.pair_of(&config);
        first.pump().unwrap();
        assert_eq!(first.handshake, Some(Handshake::Full));
        let mut second = side.pair_of(&config);
        second.pump().unwrap();
        assert_eq!(second.handshake, Some(Handshake::Resumed), "{version:?}");
        second.say(b"again");
    }
}

#[test]
fn each_side_says_when_nothing_more_comes_from_it() {
    let side = Side::new();
    for version in VERSIONS {
        let mut pair = connected(&side, version);
        pair.client.writer().write_all(b"last").unwrap();
        pair.client.send_close_notify();
        pair.pump().unwrap();
        assert_eq!(pair.plain, b"last");
        assert!(pair.session.has_ended());
        // The other way is still open.
        pair.say(b"answer");
        let mut sealed = Vec::new();
        pair.session.close(&mut sealed);
        let once = sealed.len();
        pair.session.close(&mut sealed);
        assert_eq!(sealed.len(), once, "it is said once");
        pair.take(&sealed);
        let mut rest = [0; 1];
        assert_eq!(std::io::Read::read(&mut pair.client.reader(), &mut rest).unwrap(), 0);
    }
}

#[test]
fn keys_are_changed_when_a_client_wants_it_so() {
    let side = Side::new();
    let mut pair = connected(&side, &TLS13);
    pair.client.refresh_traffic_keys().unwrap();
    pair.client.writer().write_all(b"with new keys").unwrap();
    pair.pump().unwrap();
    assert_eq!(pair.plain, b"with new keys");
    pair.say(b"as here");
}

#[test]
fn half_a_record_does_not_keep_the_server_from_speaking() {
    let side = Side::new();
    for version in VERSIONS {
        let mut pair = connected(&side, version);
        pair.client.writer().write_all(b"question").unwrap();
        let mut sent = Vec::new();
        pair.client.write_tls(&mut sent).unwrap();
        for (place, byte) in sent.iter().enumerate() {
            assert!(pair.plain.is_empty(), "after {place} of {} bytes", sent.len());
            pair.say(b"meanwhile");
            pair.give(&[*byte]).unwrap();
        }
        assert_eq!(pair.plain, b"question");
    }
}

#[test]
fn a_handshake_message_in_pieces_does_not_break_what_is_said_meanwhile() {
    // Each piece is a record of its own, of which rustls keeps the place in the buffer.
    let side = Side::new();
    let mut config = side.client_config(&TLS13);
    config.max_fragment_size = Some(32);
    let mut pair = side.pair(config);
    pair.cut = 40;
    pair.pump().unwrap();
    pair.client.refresh_traffic_keys().unwrap();
    pair.client.writer().write_all(&[b'x'; 100]).unwrap();
    pair.pump().unwrap();
    assert_eq!(pair.plain.len(), 100);
    pair.say(b"answer");
}

#[test]
fn plain_http_is_told_from_nonsense() {
    let side = Side::new();
    let fail = |bytes: &[u8]| {
        let mut pair = side.pair(side.client_config(&TLS13));
        let failure = pair.give(bytes).unwrap_err();
        // Whatever else comes is nobody's business, and nothing can be said in TLS.
        pair.give(b"more").unwrap();
        assert!(pair.session.seal(b"x", &mut Vec::new()).is_err());
        failure
    };
    assert_eq!(fail(b"GET / HTTP/1.1\r\n\r\n"), Failure::PlainHttp);
    assert_eq!(fail(b"P"), Failure::PlainHttp);
    for nonsense in [&b"\0"[..], b"\x80\x2e\x01", b"\x16GET", b"\x16\x03\x01\xff\xff\x01", b"\xff"]
    {
        assert_ne!(fail(nonsense), Failure::PlainHttp, "{nonsense:?}");
    }
}

#[test]
fn a_hello_that_never_ends_is_not_kept() {
    let side = Side::new();
    let mut pair = side.pair(side.client_config(&TLS13));
    // A client hello of 60,000 bytes, in records of 1,000.
    let mut record = vec![22, 3, 1, 0x03, 0xe8];
    record.extend_from_slice(&[1, 0, 0xea, 0x60]);
    record.resize(5 + 1_000, 0);
    let mut outcome = pair.give(&record);
    record[5] = 0;
    let mut records = 1;
    while outcome.is_ok() {
        outcome = pair.give(&record);
        records += 1;
        assert!(records < 20, "it is kept");
    }
    assert_eq!(outcome, Err(Failure::TooLong));
    assert_eq!(pair.session.unread.capacity(), 0);
}

#[test]
fn a_record_that_was_changed_ends_the_session_with_an_alert() {
    let side = Side::new();
    for version in VERSIONS {
        let mut pair = connected(&side, version);
        pair.client.writer().write_all(b"question").unwrap();
        let mut sent = Vec::new();
        pair.client.write_tls(&mut sent).unwrap();
        let last = sent.len() - 1;
        sent[last] ^= 1;
        assert!(matches!(pair.give(&sent), Err(Failure::Refused(_))));
        let alert = std::mem::take(pair.session.unsent());
        assert!(!alert.is_empty());
        let mut rest = alert.as_slice();
        pair.client.read_tls(&mut rest).unwrap();
        let told = pair.client.process_new_packets();
        assert!(matches!(told, Err(rustls::Error::AlertReceived(_))), "{told:?}");
    }
}

#[test]
fn clients_are_offered_http_1_and_nothing_that_nobody_speaks() {
    let side = Side::new();
    let agreed = |offered: &[&[u8]]| {
        let mut config = side.client_config(&TLS13);
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let mut pair = side.pair(config);
        pair.pump().map(|()| (pair.client.alpn_protocol().map(<[u8]>::to_vec), pair))
    };
    let (name, pair) = agreed(&[b"http/1.1"]).unwrap();
    assert_eq!(name.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(pair.session.application(), Application::Http1);
    assert_eq!(agreed(&[]).unwrap().0, None);
    assert!(agreed(&[b"imap"]).is_err());
    // Who comes for a challenge that is not there is shown nothing.
    assert!(agreed(&[b"acme-tls/1"]).is_err());
}

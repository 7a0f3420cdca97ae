//! The table of offers and answers of permessage-deflate (RFC 7692 sections 5 and 7.1).

use super::super::{DeflateAnswer, accept_deflate, read_handshake};

const PLAIN: Option<DeflateAnswer> = Some(DeflateAnswer::Plain);
const NAMED: Option<DeflateAnswer> = Some(DeflateAnswer::WindowNamed);

#[test]
fn what_is_offered_and_what_is_answered() {
    let rows: &[(&str, Option<DeflateAnswer>)] = &[
        // What browsers and libraries offer.
        ("permessage-deflate", PLAIN),
        ("permessage-deflate; client_max_window_bits", PLAIN),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", PLAIN),
        ("permessage-deflate;client_max_window_bits=15;server_no_context_takeover", PLAIN),
        (" permessage-deflate ;\tclient_max_window_bits = 8 ", PLAIN),
        ("permessage-deflate; client_max_window_bits=\"10\"", PLAIN),
        ("permessage-deflate; server_max_window_bits=15", NAMED),
        ("permessage-deflate; server_max_window_bits=\"15\"; client_max_window_bits", NAMED),
        // A window that the shared bytes do not keep to, and then the next offer.
        ("permessage-deflate; server_max_window_bits=14", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", PLAIN),
        (
            "permessage-deflate; server_max_window_bits=10, \
             permessage-deflate; server_max_window_bits=15",
            NAMED,
        ),
        ("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits", PLAIN),
        ("permessage-bzip2; level=\"9\", permessage-deflate", PLAIN),
        ("permessage-deflate, permessage-deflate; server_max_window_bits=15", PLAIN),
        (", ,permessage-deflate,", PLAIN),
        // What RFC 7692 makes a server decline.
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=015", None),
        ("permessage-deflate; server_max_window_bits=", None),
        ("permessage-deflate; client_max_window_bits=7", None),
        ("permessage-deflate; client_max_window_bits=16", None),
        ("permessage-deflate; client_max_window_bits=08", None),
        ("permessage-deflate; client_max_window_bits=-9", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=9", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; client_no_context_takeover=\"\"", None),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; unknown=1, permessage-deflate", PLAIN),
        // What is no list of extensions, or names none that is known.
        ("", None),
        (",", None),
        ("permessage-deflate;", None),
        ("permessage-deflate; ;", None),
        ("permessage-deflate client_max_window_bits", None),
        ("permessage-deflate; client_max_window_bits=\"9", None),
        ("permessage-deflate; client_max_window_bits=\"9\\\"\"", None),
        ("\"permessage-deflate\"", None),
        ("PERMESSAGE-DEFLATE", None),
        ("permessage-deflated", None),
        ("=, permessage-deflate", None),
        ("\u{e9}, permessage-deflate", None),
    ];
    for (offered, answer) in rows {
        assert_eq!(accept_deflate(offered.as_bytes()), *answer, "{offered}");
    }
}

#[test]
fn several_headers_are_one_list() {
    let answer = |offers: &[&str]| {
        let mut headers = vec![
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        headers.extend(offers.iter().map(|offer| ("sec-websocket-extensions", *offer)));
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        read_handshake(b"GET", 1, headers).unwrap().unwrap().deflate
    };
    assert_eq!(answer(&[]), None);
    assert_eq!(answer(&["x", "permessage-deflate"]), PLAIN);
    assert_eq!(
        answer(&["permessage-deflate; server_max_window_bits=15", "permessage-deflate"]),
        NAMED
    );
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=9"]), None);
}

#[test]
fn no_context_is_ever_taken_over() {
    for answer in [DeflateAnswer::Plain, DeflateAnswer::WindowNamed] {
        let header = answer.header();
        assert!(header.contains("; server_no_context_takeover; client_no_context_takeover"));
        let named = header.ends_with("; server_max_window_bits=15");
        assert_eq!(named, answer == DeflateAnswer::WindowNamed, "{header}");
        // What is answered could have been offered.
        assert_eq!(accept_deflate(header.as_bytes()), Some(answer));
    }
}

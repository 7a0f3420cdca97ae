//! The identity of a stream in text: 22 characters of base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_core::publication::SessionId;

/// Bytes of a session's text.
const SESSION_TEXT: usize = 22;

/// Appends the text of a session.
pub fn append_session(out: &mut Vec<u8>, session: SessionId) {
    let mut text = [0; SESSION_TEXT];
    // 16 bytes always make 22 characters, so the slice always has room.
    let length = URL_SAFE_NO_PAD.encode_slice(session.0.to_be_bytes(), &mut text).unwrap_or(0);
    out.extend_from_slice(text.get(..length).unwrap_or_default());
}

/// Reads the text of a session; none if it is not one.
#[must_use]
pub fn parse_session(text: &str) -> Option<SessionId> {
    let mut bytes = [0; 18];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    let bytes: [u8; 16] = bytes.get(..length)?.try_into().ok()?;
    Some(SessionId(u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{SessionId, append_session, parse_session};

    #[test]
    fn a_session_comes_back_as_it_went() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let mut text = Vec::new();
            append_session(&mut text, SessionId(bits));
            assert_eq!(text.len(), 22);
            let text = String::from_utf8(text).unwrap();
            assert_eq!(parse_session(&text).map(|session| session.0), Some(bits));
        }
        for bad in ["", "abc", "*", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(parse_session(bad).is_none(), "{bad}");
        }
    }
}

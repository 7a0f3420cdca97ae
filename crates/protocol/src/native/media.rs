//! Content types (RFC 9110 §8.3), and what each makes of a body.

/// What a content type makes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Validated and kept as JSON.
    Json,
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Why a content type cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MediaError {
    /// Not `type/subtype` with well-formed parameters.
    Malformed,
    /// Text in another charset than UTF-8; this one.
    Charset(String),
}

/// Reads a content type.
pub(crate) fn kind(content_type: &str) -> Result<Kind, MediaError> {
    let (essence, parameters) = split(content_type).ok_or(MediaError::Malformed)?;
    let charset = charset(parameters)?;
    let kind = kind_of_essence(&essence.to_ascii_lowercase());
    match charset {
        Some(charset) if kind != Kind::Binary && !is_utf8(&charset) => {
            Err(MediaError::Charset(charset))
        }
        _ => Ok(kind),
    }
}

/// Appends a content type as a data URL (RFC 2397) takes it: without white space, and without
/// parameters that would have to be quoted.
pub(crate) fn append_data_url_type(out: &mut Vec<u8>, content_type: Option<&str>) {
    let Some((essence, parameters)) = content_type.and_then(split) else {
        out.extend_from_slice(b"application/octet-stream");
        return;
    };
    out.extend_from_slice(essence.as_bytes());
    let plain = |byte: u8| is_token(byte) || matches!(byte, b';' | b'=' | b' ' | b'\t');
    if parameters.bytes().all(plain) {
        let spaceless = parameters.trim_matches([' ', '\t', ';']).bytes();
        let before = out.len();
        out.push(b';');
        out.extend(spaceless.filter(|byte| !matches!(byte, b' ' | b'\t')));
        if out.len() == before + 1 {
            out.truncate(before);
        }
    }
}

/// The type with its subtype, and what stands behind the first semicolon.
fn split(content_type: &str) -> Option<(&str, &str)> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let essence = essence.trim_matches([' ', '\t']);
    let (kind, subtype) = essence.split_once('/')?;
    let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    (token(kind) && token(subtype)).then_some((essence, parameters))
}

/// The charset among well-formed parameters.
fn charset(parameters: &str) -> Result<Option<String>, MediaError> {
    let mut charset = None;
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Ok(charset);
        }
        let (name, after) = rest.split_once('=').ok_or(MediaError::Malformed)?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(MediaError::Malformed);
        }
        let (value, after) = value(after).ok_or(MediaError::Malformed)?;
        if name.eq_ignore_ascii_case("charset") && charset.is_none() {
            charset = Some(value);
        }
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(';') {
            return Err(MediaError::Malformed);
        }
        rest = after;
    }
}

/// A parameter's value, a token or a quoted string (RFC 9110 §5.6.4), and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return (!token.is_empty()).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            _ if letter.is_control() && letter != '\t' => return None,
            _ => value.push(letter),
        }
    }
    None
}

fn kind_of_essence(essence: &str) -> Kind {
    let json = essence == "application/json" || essence.ends_with("+json");
    if json {
        return Kind::Json;
    }
    let text = essence.starts_with("text/")
        || essence.ends_with("+xml")
        || matches!(
            essence,
            "application/x-www-form-urlencoded"
                | "multipart/form-data"
                | "application/xml"
                | "application/javascript"
                | "application/x-javascript"
                | "application/ecmascript"
        );
    if text { Kind::Text } else { Kind::Binary }
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{Kind, MediaError, append_data_url_type, kind};

    #[test]
    fn content_types_decide_what_a_body_is() {
        for (content_type, expected) in [
            ("application/json", Ok(Kind::Json)),
            ("application/JSON; charset=UTF-8", Ok(Kind::Json)),
            ("application/ld+json", Ok(Kind::Json)),
            ("text/plain", Ok(Kind::Text)),
            ("text/html;charset=\"utf-8\"", Ok(Kind::Text)),
            ("application/x-www-form-urlencoded", Ok(Kind::Text)),
            ("application/xml", Ok(Kind::Text)),
            ("image/svg+xml", Ok(Kind::Text)),
            ("text/javascript", Ok(Kind::Text)),
            ("application/javascript", Ok(Kind::Text)),
            ("image/png", Ok(Kind::Binary)),
            ("application/octet-stream", Ok(Kind::Binary)),
            ("application/x-thing; charset=latin1", Ok(Kind::Binary)),
            ("text/plain; charset=iso-8859-1", Err(MediaError::Charset("iso-8859-1".into()))),
            ("text/plain;", Ok(Kind::Text)),
            ("text/plain ; a=b ; c=\"d;\\\"e\"", Ok(Kind::Text)),
            ("", Err(MediaError::Malformed)),
            ("text", Err(MediaError::Malformed)),
            ("text/", Err(MediaError::Malformed)),
            ("/plain", Err(MediaError::Malformed)),
            ("te xt/plain", Err(MediaError::Malformed)),
            ("text/plain; charset", Err(MediaError::Malformed)),
            ("text/plain; charset=", Err(MediaError::Malformed)),
            ("text/plain; a=\"b", Err(MediaError::Malformed)),
            ("text/plain; a=b c", Err(MediaError::Malformed)),
            ("text/plain, text/html", Err(MediaError::Malformed)),
        ] {
            assert_eq!(kind(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn a_data_url_has_no_white_space_and_no_quotes() {
        for (content_type, expected) in [
            (None, "application/octet-stream"),
            (Some("nonsense"), "application/octet-stream"),
            (Some("image/png"), "image/png"),
            (Some("image/png;"), "image/png"),
            (Some("audio/ogg; codecs=opus"), "audio/ogg;codecs=opus"),
            (Some("audio/ogg; codecs=\"a, b\""), "audio/ogg"),
        ] {
            let mut out = Vec::new();
            append_data_url_type(&mut out, content_type);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

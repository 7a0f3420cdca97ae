//! Queries and percent-encoding (RFC 3986 §2.1), and `+` for a space as browsers' forms write it.

use std::borrow::Cow;

use fanfare_core::code::Code;

use crate::native::problem::Problem;

/// The parameters of a query, still encoded. Copying it copies a reference.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    text: &'a str,
}

/// Bytes that cannot be percent-decoded to UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A `%` without two hexadecimal digits behind it.
    #[error("a `%` at byte {0} is not followed by two hexadecimal digits")]
    Percent(usize),
    /// The decoded bytes are not UTF-8.
    #[error("the decoded bytes are not UTF-8")]
    NotUtf8,
}

/// Whether `+` stands for a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plus {
    /// It does: queries.
    Space,
    /// It stands for itself: paths.
    Itself,
}

impl<'a> Query<'a> {
    /// The parameters of `text`, which has no question mark in front.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The names and values in their order, still encoded.
    pub fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Whether a parameter of this name stands in it, with or without a value.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.pairs().any(|(known, _)| known == name)
    }

    /// The first value of this name, decoded; an empty value counts as absent.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with the encoding of the value.
    pub fn value(self, name: &str) -> Result<Option<Cow<'a, str>>, DecodeError> {
        if self.text.is_empty() {
            // Most publishes have no query, and each is asked for all of its options.
            return Ok(None);
        }
        self.pairs()
            .find(|(known, value)| *known == name && !value.is_empty())
            .map(|(_, value)| decode(value, Plus::Space))
            .transpose()
    }

    /// The first value of this name, decoded; an empty value counts as absent.
    ///
    /// # Errors
    /// A problem that names the parameter, if its value cannot be decoded.
    pub fn parameter(self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        self.value(name).map_err(|error| {
            Problem::new(
                Code::ParameterInvalid,
                format!("`{name}=` cannot be decoded: {error}."),
                "Percent-encode the value's UTF-8, as `encodeURIComponent` does.",
            )
        })
    }

    /// Whether a switch such as `echo=0` is on; none if it is absent.
    ///
    /// # Errors
    /// A problem that names the parameter, if its value is neither.
    pub fn switch(self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.parameter(name)? else {
            return Ok(None);
        };
        match read_switch(&value) {
            Some(on) => Ok(Some(on)),
            None => Err(Problem::new(
                Code::ParameterInvalid,
                format!("`{name}={}` is neither on nor off.", value.escape_debug()),
                format!("Use `{name}=1` or `{name}=0`."),
            )),
        }
    }

    /// All values of this name, decoded, without empty ones.
    pub fn values(self, name: &str) -> impl Iterator<Item = Result<Cow<'a, str>, DecodeError>> {
        self.pairs()
            .filter(move |(known, value)| *known == name && !value.is_empty())
            .map(|(_, value)| decode(value, Plus::Space))
    }
}

/// Percent-decodes `text`; borrows where there is nothing to decode.
///
/// # Errors
/// [`DecodeError`] says what is wrong with the encoding.
pub fn decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, DecodeError> {
    let space = plus == Plus::Space;
    if !text.bytes().any(|byte| byte == b'%' || (space && byte == b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(|(_, digit)| hex(digit));
                let low = bytes.next().and_then(|(_, digit)| hex(digit));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(DecodeError::Percent(at));
                };
                decoded.push(high << 4 | low);
            }
            b'+' if space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    match String::from_utf8(decoded) {
        Ok(decoded) => Ok(Cow::Owned(decoded)),
        Err(_no_utf8) => Err(DecodeError::NotUtf8),
    }
}

/// Reads what a switch can be set to.
pub(crate) fn read_switch(value: &str) -> Option<bool> {
    match value {
        "1" | "true" | "on" | "yes" => Some(true),
        "0" | "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Plus, Query, decode};

    #[test]
    fn percent_encoding_is_taken_back() {
        for (text, plus, decoded) in [
            ("plain", Plus::Space, Ok("plain")),
            ("a%2Fb%2fc", Plus::Itself, Ok("a/b/c")),
            ("a+b", Plus::Itself, Ok("a+b")),
            ("a+b", Plus::Space, Ok("a b")),
            ("%F0%9F%8E%89", Plus::Itself, Ok("🎉")),
            ("a%", Plus::Itself, Err(DecodeError::Percent(1))),
            ("a%4", Plus::Itself, Err(DecodeError::Percent(1))),
            ("%zz", Plus::Itself, Err(DecodeError::Percent(0))),
            ("%ff", Plus::Itself, Err(DecodeError::NotUtf8)),
        ] {
            assert_eq!(decode(text, plus).as_deref(), decoded.as_deref(), "{text}");
        }
    }

    #[test]
    fn empty_values_are_absent_and_the_first_value_counts() {
        let query = Query::new("a=&a=1&a=2&flag&b=%31");
        assert_eq!(query.value("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.values("a").count(), 2);
        assert!(query.has("flag"));
        assert_eq!(query.value("flag").unwrap(), None);
        assert_eq!(query.value("b").unwrap().as_deref(), Some("1"));
        assert_eq!(query.value("c").unwrap(), None);
    }
}

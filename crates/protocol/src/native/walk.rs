//! JSON one level deep: the members of an object and the items of a list, each with its own bytes.
//!
//! Nothing is kept of what the caller does not want, so that an object of a million members costs
//! no more than its bytes.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::native::scan;

/// Text that is passed over from its front.
#[derive(Debug)]
struct Walk<'a> {
    rest: &'a str,
    begun: bool,
}

/// Hands each member's name and JSON to `take`, in order; none if the text is no JSON object. What
/// was taken by then is not to be used.
pub(crate) fn members<'a>(text: &'a str, mut take: impl FnMut(&str, &'a str)) -> Option<()> {
    let mut walk = Walk::open(text, '{')?;
    while walk.goes_on('}')? {
        let name = walk.value()?;
        walk.pass(':')?;
        take(&name_of(name)?, walk.value()?);
    }
    walk.end()
}

/// The JSON of the first items of a list, one more than `count_max` at most; none if the text is no
/// JSON list that far.
pub(crate) fn items(text: &str, count_max: usize) -> Option<Vec<&str>> {
    let mut walk = Walk::open(text, '[')?;
    let mut items = Vec::new();
    while walk.goes_on(']')? {
        items.push(walk.value()?);
        if items.len() > count_max {
            return Some(items);
        }
    }
    walk.end().map(|()| items)
}

impl<'a> Walk<'a> {
    fn open(text: &'a str, mark: char) -> Option<Self> {
        let mut walk = Self { rest: text, begun: false };
        walk.pass(mark).map(|()| walk)
    }

    /// Whether something comes before the `end`, which is passed.
    fn goes_on(&mut self, end: char) -> Option<bool> {
        if self.pass(end).is_some() {
            return Some(false);
        }
        if self.begun {
            self.pass(',')?;
        }
        self.begun = true;
        Some(true)
    }

    fn pass(&mut self, mark: char) -> Option<()> {
        self.rest = self.rest.trim_start_matches(SPACE).strip_prefix(mark)?;
        Some(())
    }

    fn value(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches(SPACE);
        if let Some(string) = plain_string(self.rest) {
            self.rest = self.rest.get(string.len()..)?;
            return Some(string);
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        self.rest = self.rest.get(values.byte_offset()..)?;
        Some(value.get())
    }

    fn end(&self) -> Option<()> {
        self.rest.trim_start_matches(SPACE).is_empty().then_some(())
    }
}

/// The JSON string at the front of a text, if it has no escapes: most have none, and then nothing
/// but its end has to be found. A control character is for the parser to refuse.
fn plain_string(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let at = scan::position(inner.as_bytes(), scan::ends_string)?;
    (inner.as_bytes().get(at) == Some(&b'"')).then(|| text.get(..at + 2)).flatten()
}

/// What a JSON string says, borrowed where it has no escapes; the text has been read as JSON.
pub(crate) fn string_of(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match plain_string(json) {
        Some(string) if string.len() == json.len() => {
            Ok(Cow::Borrowed(string.get(1..string.len() - 1).unwrap_or_default()))
        }
        _ => serde_json::from_str(json).map(Cow::Owned),
    }
}

fn name_of(json: &str) -> Option<Cow<'_, str>> {
    string_of(json).ok()
}

/// Whether a text that cannot be read is read once more to say why: megabytes are not.
pub(crate) fn is_worth_a_reason(text: &str) -> bool {
    text.len() <= REASON_BYTES
}

/// Bytes of a text that a reason is looked for in.
const REASON_BYTES: usize = 256 * 1024;

/// White space between the parts of JSON (RFC 8259 section 2).
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{items, members};

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let mut read = Vec::new();
        members(text, |name, value| read.push((name.to_owned(), value.to_owned())))?;
        Some(read)
    }

    #[test]
    fn each_member_keeps_its_bytes() {
        let text = " { \"a\" : [1, {\"b\":2}] ,\n\"c\\u0064\":\"}\",\"a\":-1.5e3\t} ";
        let expected = [("a", "[1, {\"b\":2}]"), ("cd", "\"}\""), ("a", "-1.5e3")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(text), Some(expected.to_vec()));
        assert_eq!(read("{}"), Some(Vec::new()));
    }

    #[test]
    fn a_string_is_read_like_the_parser_reads_it() {
        for json in [
            r#""""#,
            r#""a""#,
            r#""é\u0041""#,
            r#""a\\""#,
            r#""a\"b""#,
            "\"a\u{7f}\u{2028}\"",
            "\"a\nb\"",
            "\"a",
            "a",
            "1",
            "\"a\"b",
            "\"",
        ] {
            let parsed = serde_json::from_str::<String>(json).ok();
            assert_eq!(super::string_of(json).ok().map(Cow::into_owned), parsed, "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in [
            "",
            "x",
            "[]",
            "1",
            "{",
            "{,}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\" 1}",
            "{\"a\":}",
            "{1:2}",
            "{\"a\":1}}",
            "{\"a\":1} x",
            "{\"a\":tru}",
            "{\"\\ud800\":1}",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert!(serde_json::from_str::<serde_json::Map<_, _>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_is_read_as_far_as_it_matters() {
        assert_eq!(items(" [ 1 , \"a\" ] ", 2), Some(vec!["1", "\"a\""]));
        assert_eq!(items("[1,2,3,4,5", 2), Some(vec!["1", "2", "3"]));
        assert_eq!(items("[]", 0), Some(Vec::new()));
        for text in ["", "{}", "[1,]", "[,1]", "[1", "[1]]"] {
            assert_eq!(items(text, 9), None, "{text}");
        }
    }
}

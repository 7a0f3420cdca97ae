//! One message is one line, and `--raw` gives back what was published.

use super::{Look, render};
use crate::command::client::message::Message;

fn message(fields: &str) -> Message {
    let json = format!(r#"{{"type":"message","channel":"c","offset":1,"prev":0,{fields}}}"#);
    serde_json::from_str(&json).unwrap()
}

fn shown(message: &Message, look: Look) -> String {
    String::from_utf8(render(message, look).unwrap()).unwrap()
}

#[test]
fn each_look_of_each_payload() {
    // Fields, plain, raw, data in JSON.
    let table = [
        (r#""data":"hello""#, "hello", "hello", r#""hello""#),
        (r#""data":"""#, "", "", r#""""#),
        (
            r#""data":"a\r\nb\u0000\u001b[1m\tü\u00e9""#,
            "a\\r\\nb\\u0000\\u001b[1m\tüé",
            "a\r\nb\0\u{1b}[1m\tüé",
            r#""a\r\nb\u0000\u001b[1m\tüé""#,
        ),
        (r#""data":"\ud83c\udf89""#, "🎉", "🎉", "\"🎉\""),
        (
            r#""data":{"a": 1.0},"content_type":"application/json""#,
            r#"{"a": 1.0}"#,
            r#"{"a": 1.0}"#,
            r#"{"a": 1.0}"#,
        ),
        (r#""data":"x","content_type":"application/ld+json; a=b""#, "\"x\"", "\"x\"", "\"x\""),
        (r#""data":"x","content_type":"text/json-like""#, "x", "x", "\"x\""),
        (
            r#""data":"AAEC","encoding":"base64","content_type":"image/png""#,
            "data:image/png;base64,AAEC",
            "\0\u{1}\u{2}",
            "\"AAEC\"",
        ),
        (
            r#""data":"AAEC","encoding":"base64""#,
            "data:application/octet-stream;base64,AAEC",
            "\0\u{1}\u{2}",
            "\"AAEC\"",
        ),
    ];
    for (fields, plain, raw, data) in table {
        let message = message(fields);
        assert_eq!(shown(&message, Look::Plain), format!("{plain}\n"));
        assert_eq!(shown(&message, Look::Named), format!("c: {plain}\n"));
        assert_eq!(shown(&message, Look::Raw), raw);
        let json = shown(&message, Look::Json);
        assert!(json.contains(&format!(r#""data":{data}"#)), "{json}");
    }
}

#[test]
fn json_has_its_fields_in_one_order_and_no_cursor() {
    let message = message(
        r#""cursor":"~x","data":"d","tags":["a"],"event":"e","time":5,"epoch":"e1","new":true"#,
    );
    assert_eq!(
        shown(&message, Look::Json),
        "{\"type\":\"message\",\"channel\":\"c\",\"offset\":1,\"prev\":0,\"epoch\":\"e1\",\
         \"time\":5,\"event\":\"e\",\"tags\":[\"a\"],\"data\":\"d\"}\n"
    );
}

#[test]
fn base64_that_is_none_is_said_and_not_printed() {
    assert!(render(&message(r#""data":"!","encoding":"base64""#), Look::Raw).is_err());
    assert!(render(&message(r#""data":"!","encoding":"rot13""#), Look::Plain).is_err());
}

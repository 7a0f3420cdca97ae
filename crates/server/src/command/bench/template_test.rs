//! Templates: what is filled in, what stays, and what a mistake is told as.

use super::{Hole, Request, Template, Values};

#[test]
fn braces_of_json_stay_and_words_are_filled_in() {
    let template = Template::read(r#"{"channel":"{channel}","data":"{payload}"}"#).unwrap();
    let values = Values { channel: "news", payload: b"Hello", ..Values::default() };
    assert_eq!(template.filled(&values), r#"{"channel":"news","data":"Hello"}"#);
    assert!(template.has(Hole::Channel));
    assert!(!template.has(Hole::Host));
}

#[test]
fn a_misspelt_word_is_told_with_those_that_there_are() {
    let error = Template::read("GET /{chanel}").unwrap_err().to_string();
    assert!(error.starts_with("{chanel} cannot be filled in; there are host, channel"), "{error}");
}

#[test]
fn a_request_gets_its_line_ends_and_its_length() {
    let text =
        "\nPOST /c/{channel} HTTP/1.1\nHost: {host}\nContent-Length: {length}\n\na\n{payload}";
    let request = Request::read(text).unwrap();
    let mut out = Vec::new();
    let values = Values { channel: "x", host: "h:1", payload: b"Hello", ..Values::default() };
    request.fill(&mut out, &values);
    let wanted = "POST /c/x HTTP/1.1\r\nHost: h:1\r\nContent-Length: 7\r\n\r\na\nHello";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
}

#[test]
fn a_request_without_a_body_ends_with_an_empty_line() {
    let mut out = Vec::new();
    let request = Request::read("GET / HTTP/1.1\nHost: {host}\n").unwrap();
    request.fill(&mut out, &Values { host: "h", ..Values::default() });
    assert_eq!(String::from_utf8(out).unwrap(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

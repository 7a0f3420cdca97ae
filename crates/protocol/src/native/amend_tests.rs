//! What is shown of a publication is what was published, and what is changed of it is what was meant.

use bytes::Bytes;
use fanfare_core::publication::{Content, Data, Detail, Draft, End, Expect, Lifetime, SessionId};
use std::time::Duration;

use super::{amend, append_draft};
use crate::native::route::Rules;

fn draft(data: Data) -> Draft {
    let detail = Detail {
        event: Some("price".into()),
        tags: vec!["a".into(), "b".into()],
        content_type: None,
        conflate: Some("X".into()),
        exclude: Some(SessionId(7)),
    };
    Draft {
        content: Some(Content { data, detail: Some(Box::new(detail)) }),
        lifetime: Lifetime::Expiring(Duration::from_secs(30)),
        key: Some("k1".into()),
        publisher: Some("hook:ada".into()),
        expect: Some(Expect::Nothing),
        end: End::Open,
    }
}

fn text(text: &'static str) -> Data {
    Data::Text(Bytes::from_static(text.as_bytes()))
}

fn shown(draft: &Draft) -> String {
    let mut out = Vec::new();
    append_draft(&mut out, draft);
    let shown = String::from_utf8(out).unwrap();
    serde_json::from_str::<serde_json::Value>(&shown).unwrap();
    shown
}

fn amended(draft: Draft, with: &str) -> Result<Draft, String> {
    amend(draft, with, &Rules::default()).map_err(|problem| problem.detail().to_owned())
}

#[test]
fn a_draft_is_shown_as_an_item() {
    let rest = r#""event":"price","tags":["a","b"],"conflate":"X","ttl":30,"key":"k1"}"#;
    assert_eq!(shown(&draft(text("a\"\n"))), format!(r#"{{"data":"a\"\n",{rest}"#));
    let json = Data::Json(Bytes::from_static(b"{\"a\": 1}"));
    assert_eq!(shown(&draft(json)), format!(r#"{{"data":{{"a": 1}},{rest}"#));
    let binary = Data::Binary(Bytes::from_static(&[0xff]));
    assert_eq!(shown(&draft(binary)), format!(r#"{{"data":"/w==","encoding":"base64",{rest}"#));
    let end = Draft {
        content: None,
        lifetime: Lifetime::Retained,
        key: None,
        end: End::Close,
        ..draft(text(""))
    };
    assert_eq!(shown(&end), r#"{"end":true}"#);
    let live = Draft { lifetime: Lifetime::Live, ..end };
    assert_eq!(shown(&live), r#"{"ttl":0,"end":true}"#);
}

#[test]
fn only_what_is_named_becomes_otherwise() {
    let before = draft(text("hello"));
    let same = amended(before.clone(), "{}").unwrap();
    assert_eq!(
        (same.content, same.lifetime, same.key),
        (before.content.clone(), before.lifetime, before.key.clone())
    );
    let after = amended(before.clone(), r#"{"data":{"b":2},"event":null,"ttl":0}"#).unwrap();
    assert_eq!(
        shown(&after),
        r#"{"data":{"b":2},"tags":["a","b"],"conflate":"X","ttl":0,"key":"k1"}"#
    );
    let content = after.content.as_ref().unwrap();
    assert_eq!(content.exclude(), Some(SessionId(7)), "who leaves it out stays");
    assert_eq!(after.publisher.as_deref(), Some("hook:ada"));
    assert_eq!(after.expect, Some(Expect::Nothing));
    let after = amended(before, r#"{"tags":["c"],"key":"k2","conflate":"","end":true}"#).unwrap();
    assert_eq!(
        shown(&after),
        r#"{"data":"hello","event":"price","tags":["c"],"ttl":30,"key":"k2"}"#
    );
}

#[test]
fn a_payload_comes_with_its_kind_anew() {
    let binary = || draft(Data::Binary(Bytes::from_static(&[0xff])));
    let after = amended(binary(), r#"{"data":"plain"}"#).unwrap();
    assert_eq!(after.content.unwrap().data, text("plain"));
    let after =
        amended(binary(), r#"{"data":"/w8=","encoding":"base64","content_type":"image/png"}"#);
    let content = after.unwrap().content.unwrap();
    assert_eq!(content.data, Data::Binary(Bytes::from_static(&[0xff, 0x0f])));
    assert_eq!(content.detail.unwrap().content_type.as_deref(), Some("image/png"));
    for (with, expected) in [
        ("[]", "This is no JSON object"),
        (r#"{"content_type":"image/png"}"#, "stands without `data`"),
        (r#"{"event":"open"}"#, "`event` is a name"),
        (r#"{"event":7}"#, "`event` is no string"),
        (r#"{"data":"x","encoding":"rot13"}"#, "is not known"),
        (r#"{"ttl":"never"}"#, "`ttl` cannot be read"),
    ] {
        let told = amended(binary(), with).unwrap_err();
        assert!(told.contains(expected), "{with}: {told}");
    }
    let large = format!("{{\"data\":\"{}\"}}", "a".repeat(Rules::default().payload_bytes_max + 1));
    assert!(amended(binary(), &large).unwrap_err().contains("the limit is"));
}

//! What publishers may say, and its bounds.

use std::time::Duration;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::publication::{Data, Draft, End, Expect, Lifetime, SessionId};
use fanfare_protocol::native::batch::{BatchItem, ITEMS_MAX};
use fanfare_protocol::native::channels::Each;
use fanfare_protocol::native::cursor::{entry_text, position_text};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::route::{Route, Rules};

use crate::asking::{ask, entry, position, refused};

type Drafts = Vec<Each<Draft>>;

fn post(target: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Drafts, Problem> {
    match ask("POST", target, headers)? {
        Route::Publish(asked) => asked.drafts(
            Bytes::copy_from_slice(body),
            &None,
            &Rules { payload_bytes_max: 100, ..Rules::default() },
        ),
        other => panic!("no publish but {other:?}"),
    }
}

fn draft(target: &str, headers: &[(&str, &str)], body: &str) -> Draft {
    let mut drafts = post(target, headers, body.as_bytes()).unwrap();
    assert_eq!(drafts.len(), 1);
    drafts.remove(0).unwrap().1
}

fn code(target: &str, headers: &[(&str, &str)], body: &[u8]) -> Code {
    let problem = post(target, headers, body).unwrap_err();
    assert!(!problem.hint().is_empty());
    problem.code()
}

#[test]
fn the_content_type_decides_what_a_payload_is() {
    let (text, json, binary) = ("text", "json", "binary");
    for (content_type, target, body, expected) in [
        (None, "/c/a", &b"x"[..], text),
        (None, "/c/a", b"", text),
        (Some("application/x-www-form-urlencoded"), "/c/a", b"a=b&c", text),
        (Some("text/plain; charset=utf-8"), "/c/a", b"x", text),
        (Some("application/json"), "/c/a", b" {\"a\":1}\n", json),
        (Some("application/ld+json"), "/c/a", b"null", json),
        (Some("image/png"), "/c/a", b"\xff\x00", binary),
        (Some("text/plain"), "/c/a?binary=1", b"\xff", binary),
        (Some("text/plain; charset=latin1"), "/c/a?binary=1", b"\xff", binary),
        (None, "/c/a?binary=1", b"\xff", binary),
        (None, "/c/a?binary=0", b"x", text),
    ] {
        let headers: Vec<_> =
            content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        let (_, draft) = post(target, &headers, body).unwrap().remove(0).unwrap();
        let content = draft.content.unwrap();
        let kind = match &content.data {
            Data::Text(_) => text,
            Data::Json(_) => json,
            Data::Binary(_) => binary,
        };
        assert_eq!(kind, expected, "{content_type:?}");
        assert_eq!(content.data.bytes(), body, "a body is kept as it came");
        let kept = content.detail.as_ref().and_then(|detail| detail.content_type.as_deref());
        assert_eq!(kept, content_type);
    }
}

#[test]
fn a_body_that_is_not_what_it_says_is_refused() {
    let json: &[(&str, &str)] = &[("Content-Type", "application/json")];
    for body in [&b""[..], b"{", b"{} x", b"\xff", b"\"\xff\"", b"NaN", b"\xef\xbb\xbf{}"] {
        assert_eq!(code("/c/a", json, body), Code::JsonInvalid, "{body:?}");
    }
    assert_eq!(code("/c/a", &[], b"\xff"), Code::TextInvalid);
    assert_eq!(code("/c/a", &[], &[b'x'; 101]), Code::PayloadTooLarge);
    assert!(post("/c/a", &[], &[b'x'; 100]).is_ok());
    assert_eq!(code("/c/a", &[("Content-Type", "text")], b"x"), Code::ContentTypeInvalid);
    let latin = [("Content-Type", "text/plain; charset=latin1")];
    assert_eq!(code("/c/a", &latin, b"x"), Code::CharsetUnsupported);
}

#[test]
fn json_of_any_depth_is_taken_without_a_deep_stack() {
    let nested = "[".repeat(400_000) + &"]".repeat(400_000);
    let rules = Rules::default();
    let json: &[(&str, &str)] = &[("Content-Type", "application/json")];
    let Ok(Route::Publish(asked)) = ask("POST", "/c/a", json) else {
        panic!("no publish");
    };
    assert_eq!(asked.drafts(Bytes::from(nested.clone()), &None, &rules).unwrap().len(), 1);
    let Ok(Route::Batch(asked)) = ask("POST", "/publish", &[]) else {
        panic!("no batch");
    };
    let body = format!("[{{\"channel\":\"a\",\"data\":{nested}}}]");
    let items = asked.items(&Bytes::from(body), &None, &rules).unwrap();
    assert!(matches!(items[..], [BatchItem::One(..)]));
}

#[test]
fn the_query_wins_over_the_headers() {
    let headers = [
        ("Fanfare-Event", "header"),
        ("Fanfare-Tags", "x, y"),
        ("Fanfare-TTL", "10"),
        ("Idempotency-Key", "header"),
        ("Fanfare-Conflate", "header"),
        ("Fanfare-Expect", "none"),
        ("Fanfare-End", "1"),
        ("Fanfare-Session", "AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ"),
    ];
    let by_header = draft("/c/a", &headers, "x");
    let detail = by_header.content.unwrap().detail.unwrap();
    assert_eq!(detail.event.as_deref(), Some("header"));
    assert_eq!(detail.tags, ["x".into(), "y".into()]);
    assert_eq!(detail.conflate.as_deref(), Some("header"));
    assert_eq!(detail.exclude, Some(SessionId(1)));
    assert_eq!(by_header.lifetime, Lifetime::Expiring(Duration::from_secs(10)));
    assert_eq!(by_header.key.as_deref(), Some("header"));
    assert_eq!(by_header.expect, Some(Expect::Nothing));
    assert_eq!(by_header.end, End::Close);
    let position_of_a = position_text(position(3));
    let query = format!("/c/a?event=q&tags=z&ttl=0&key=q&conflate=q&expect={position_of_a}&end=0");
    let by_query = draft(&query, &headers, "x");
    let detail = by_query.content.unwrap().detail.unwrap();
    assert_eq!(detail.event.as_deref(), Some("q"));
    assert_eq!(detail.tags, ["z".into()]);
    assert_eq!(by_query.lifetime, Lifetime::Live);
    assert_eq!(by_query.key.as_deref(), Some("q"));
    assert_eq!(by_query.expect, Some(Expect::Head(position(3))));
    assert_eq!(by_query.end, End::Open);
    let plain = draft("/c/a", &[("Fanfare-Event", ""), ("Fanfare-Session", "nobody")], "x");
    assert_eq!(plain.content.unwrap().detail, None);
}

#[test]
fn options_keep_their_bounds() {
    let (e255, e256) = ("e".repeat(255), "e".repeat(256));
    let (t64, t65) = ("t".repeat(64), "t".repeat(65));
    let (g16, g17) = (vec!["t"; 16].join(","), vec!["t"; 17].join(","));
    for (name, good, bad) in [
        (
            "event",
            &["goal", &e255, "%F0%9F%8E%89", "opened"][..],
            &[&e256, "a%0Ab", "a%0Db", "a%00", "a%C2%85", "fanfare.x", "open", "error", "%ff"][..],
        ),
        ("tags", &["a,b", &t64, &g16], &[&t65, &g17, "a,,b", ","]),
        (
            "ttl",
            &["0", "30", "30s", "12h", "365d"],
            &["-1", "1.5", "soon", "366d", "99999999999999999999"],
        ),
        ("key", &["k", &e255], &[&e256]),
        ("conflate", &["k", &e255], &[&e256]),
        ("expect", &["none", "~!"], &["all", "5", "~", "5."]),
        ("end", &["1", "true", "0"], &["maybe"]),
        ("binary", &["1", "0"], &["x"]),
    ] {
        for value in good {
            assert!(post(&format!("/c/a?{name}={value}"), &[], b"x").is_ok(), "{name}={value}");
        }
        for value in bad {
            let code = code(&format!("/c/a?{name}={value}"), &[], b"x");
            assert_eq!(code, Code::ParameterInvalid, "{name}={value}");
        }
    }
    let problem = refused(ask("POST", "/c/a?ttl=soon", &[]));
    assert!(problem.detail().contains("ttl") && problem.hint().contains("30"));
}

#[test]
fn a_cursor_expects_the_head_of_each_channel() {
    let cursor = format!("{}{}", entry_text(entry("a", 1)), entry_text(entry("b", 2)));
    let drafts = post(&format!("/c/a,b,n?expect={cursor}"), &[], b"x").unwrap();
    let expects: Vec<_> = drafts.into_iter().map(|each| each.unwrap().1.expect.unwrap()).collect();
    let expected = [Expect::Head(position(1)), Expect::Head(position(2)), Expect::Elsewhere];
    assert_eq!(expects, expected);
    let several = format!("/c/a,b?expect={}", position_text(position(1)));
    assert_eq!(code(&several, &[], b"x"), Code::ParameterInvalid);
}

#[test]
fn an_end_without_a_body_publishes_nothing() {
    assert!(draft("/c/a?end=1", &[], "").content.is_none());
    assert!(draft("/c/a?end=1", &[], "x").content.is_some());
    let typed = draft("/c/a?end=1", &[("Content-Type", "text/plain")], "");
    assert!(typed.content.is_some());
    assert!(draft("/c/a", &[], "").content.is_some());
}

fn batch(body: &str) -> Result<Vec<BatchItem>, Problem> {
    let Ok(Route::Batch(asked)) = ask("POST", "/publish", &[]) else {
        panic!("no batch");
    };
    let rules = Rules { payload_bytes_max: 100, ..Rules::default() };
    asked.items(&Bytes::copy_from_slice(body.as_bytes()), &None, &rules)
}

fn item(body: &str) -> BatchItem {
    let mut items = batch(&format!("[{body}]")).unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

#[test]
fn a_batch_is_an_array_or_lines() {
    for body in [
        "[{\"channel\":\"a\",\"data\":1},{\"channel\":\"b\",\"data\":2}]",
        " \n[{\"channel\":\"a\",\"data\":1}\n,{\"channel\":\"b\",\"data\":2}]\n",
        "{\"channel\":\"a\",\"data\":1}\n{\"channel\":\"b\",\"data\":2}",
        "{\"channel\":\"a\",\"data\":1}\r\n\r\n{\"channel\":\"b\",\"data\":2}\r\n",
    ] {
        let items = batch(body).unwrap();
        let names: Vec<_> = items
            .iter()
            .map(|item| match item {
                BatchItem::One(channel, _) => channel.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["a", "b"], "{body}");
    }
    for (body, code) in
        [("", Code::BatchInvalid), ("[", Code::BatchInvalid), ("\n\n", Code::BatchInvalid)]
    {
        assert_eq!(batch(body).unwrap_err().code(), code, "{body}");
    }
    let line = "{\"channel\":\"a\",\"data\":1}\n";
    assert_eq!(batch(&line.repeat(ITEMS_MAX)).unwrap().len(), ITEMS_MAX);
    assert_eq!(batch(&line.repeat(ITEMS_MAX + 1)).unwrap_err().code(), Code::BatchTooLarge);
    let array = format!("[{}]", vec!["1"; ITEMS_MAX + 1].join(","));
    assert_eq!(batch(&array).unwrap_err().code(), Code::BatchTooLarge);
    assert_eq!(batch("[]").unwrap().len(), 0);
}

#[test]
fn the_data_of_an_item_is_what_it_says() {
    let text = |text: &'static str| Some(Data::Text(text.into()));
    let json = |text: &'static str| Some(Data::Json(text.into()));
    for (members, expected) in [
        ("\"data\":\"hi\\n\"", text("hi\n")),
        ("\"data\":{ \"a\": 1e2 }", json("{ \"a\": 1e2 }")),
        ("\"data\":null", json("null")),
        ("\"data\":7", json("7")),
        ("\"data\":\"hi\",\"content_type\":\"application/json\"", json("\"hi\"")),
        ("\"data\":\"/wA=\",\"encoding\":\"base64\"", Some(Data::Binary((&b"\xff\0"[..]).into()))),
        ("\"data\":\"/wA\",\"encoding\":\"base64\"", Some(Data::Binary((&b"\xff\0"[..]).into()))),
        ("\"data\":\"aGk=\",\"encoding\":\"base64\",\"content_type\":\"text/plain\"", text("hi")),
        ("\"end\":true", None),
        ("\"data\":\"\",\"end\":true", text("")),
        ("\"channel\":\"b\",\"data\":\"\"", text("")),
    ] {
        let BatchItem::One(_, draft) = item(&format!("{{\"channel\":\"a\",{members}}}")) else {
            panic!("{members}");
        };
        assert_eq!(draft.content.map(|content| content.data), expected, "{members}");
    }
}

#[test]
fn an_item_that_cannot_be_read_is_refused_alone_and_names_its_channel() {
    let large = format!("\"data\":\"{}\"", "x".repeat(101));
    for (members, code) in [
        ("\"x\":1", Code::ParameterInvalid),
        ("\"end\":false", Code::ParameterInvalid),
        ("\"data\":1,\"ttl\":\"soon\"", Code::ParameterInvalid),
        ("\"data\":1,\"ttl\":1.5", Code::ParameterInvalid),
        ("\"data\":1,\"tags\":\"a\"", Code::ParameterInvalid),
        ("\"data\":1,\"tags\":[\"a,b\"]", Code::ParameterInvalid),
        ("\"data\":1,\"event\":7", Code::ParameterInvalid),
        ("\"data\":1,\"end\":\"x\"", Code::ParameterInvalid),
        ("\"data\":1,\"encoding\":\"gzip\"", Code::ParameterInvalid),
        ("\"data\":1,\"encoding\":\"base64\"", Code::ParameterInvalid),
        ("\"data\":\"%\",\"encoding\":\"base64\"", Code::ParameterInvalid),
        ("\"data\":\"x\",\"content_type\":\"image/png\"", Code::ParameterInvalid),
        ("\"data\":\"x\",\"content_type\":\"nonsense\"", Code::ContentTypeInvalid),
        (&large, Code::PayloadTooLarge),
    ] {
        let BatchItem::Refused(problem) = item(&format!("{{\"channel\":\"a\",{members}}}")) else {
            panic!("{members}");
        };
        assert_eq!(problem.code(), code, "{members}");
        assert_eq!(problem.channel(), Some("a"), "{members}");
    }
    for (body, code) in [
        ("7", Code::BatchInvalid),
        ("{\"data\":1}", Code::ChannelMissing),
        ("{\"channel\":\"\",\"data\":1}", Code::ChannelMissing),
        ("{\"channel\":\"$x\",\"data\":1}", Code::ChannelInvalid),
        ("{\"channels\":[],\"data\":1}", Code::ParameterInvalid),
        ("{\"channels\":[\"a\"],\"channel\":\"b\",\"data\":1}", Code::ParameterConflict),
    ] {
        let BatchItem::Refused(problem) = item(body) else {
            panic!("{body}");
        };
        assert_eq!(problem.code(), code, "{body}");
    }
}

#[test]
fn an_item_may_name_several_channels_and_all_options() {
    let body = "{\"channels\":[\"a\",\"b\",\"a\"],\"data\":1,\"event\":\"e\",\"tags\":[\"t\"],\
                \"ttl\":30,\"key\":\"k\",\"conflate\":\"c\",\"expect\":\"none\",\"end\":true}";
    let BatchItem::Several(drafts) = item(body) else {
        panic!("no several");
    };
    assert_eq!(drafts.len(), 2);
    for each in drafts {
        let (_, draft) = each.unwrap();
        assert_eq!(draft.lifetime, Lifetime::Expiring(Duration::from_secs(30)));
        assert_eq!(draft.key.as_deref(), Some("k"));
        assert_eq!(draft.expect, Some(Expect::Nothing));
        assert_eq!(draft.end, End::Close);
        assert_eq!(draft.content.unwrap().event(), Some("e"));
    }
}

#[test]
fn of_several_channels_one_with_an_invalid_name_is_refused_alone() {
    let told = |each: Each<Draft>| match each {
        Ok((channel, _)) => channel.to_string(),
        Err(problem) => {
            format!("{} {}", problem.code().name(), problem.channel().unwrap_or_default())
        }
    };
    let long = format!("a,{}", "x".repeat(300));
    let cut = format!("channel-invalid {}", "x".repeat(255));
    for (list, expected) in [
        ("a,$x,b", vec!["a", "channel-invalid $x", "b"]),
        ("$x,$x", vec!["channel-invalid $x", "channel-invalid $x"]),
        ("a,b/c", vec!["a", "channel-invalid b/c"]),
        ("a,%zz,a", vec!["a", "channel-invalid %zz"]),
        (&long, vec!["a", &cut]),
    ] {
        let drafts = post(&format!("/c/{list}"), &[], b"x").unwrap();
        assert_eq!(drafts.into_iter().map(told).collect::<Vec<_>>(), expected, "{list}");
        let Ok(Route::Remove(named)) = ask("DELETE", &format!("/c/{list}"), &[]) else {
            panic!("{list} is not removed");
        };
        assert_eq!(named.len(), expected.len(), "{list}");
    }
    let BatchItem::Several(drafts) = item("{\"channels\":[\"a\",\"$x\"],\"data\":1}") else {
        panic!("no several");
    };
    assert_eq!(drafts.into_iter().map(told).collect::<Vec<_>>(), ["a", "channel-invalid $x"]);
    let BatchItem::Refused(problem) = item("{\"channel\":\"$x\",\"data\":1}") else {
        panic!("a refused item");
    };
    assert_eq!(problem.channel(), Some("$x"));
    for method in ["POST", "DELETE"] {
        assert_eq!(refused(ask(method, "/c/$x", &[])).code(), Code::ChannelInvalid);
    }
    assert_eq!(refused(ask("GET", "/c/a,$x", &[])).code(), Code::ChannelInvalid);
}

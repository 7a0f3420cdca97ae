//! What becomes of publications: they pass, are changed or refused, in whatever way they come.

use serde_json::{Value, json};

use super::{Asking, Backend, Reply, closed, command, send, text};
use crate::http2::Client;
use crate::wire::{Wire, frame};

/// Refuses what is rude, writes in capitals what shouts, and lets everything else pass.
fn moderate(question: &Value) -> Reply {
    if question["type"] != "publish" {
        return Reply::Json(json!({"allow": true}));
    }
    let data = question["message"]["data"].as_str().unwrap_or_default();
    Reply::Json(match data {
        "rude" => json!({"allow": false, "reason": "Be nice."}),
        "shout" => json!({"allow": true, "message": {"data": "SHOUT", "event": "loud"}}),
        "number" => json!({"allow": true, "message": {"data": {"n": 1}}}),
        _ => json!({"allow": true}),
    })
}

const OPEN: &str = "[namespaces.chat]\nanonymous_publish = true\nanonymous_subscribe = true\n\
                    [namespaces.calm]\nanonymous_publish = true\nask_publish = false\n";

fn asking(backend: &Backend) -> Asking {
    Asking::start(backend, &["publish"], OPEN)
}

/// What is kept of a channel: each publication's data, or its event with it.
fn kept(asking: &Asking, channel: &str) -> Vec<String> {
    let line = format!("GET /c/{channel}?poll=1 HTTP/1.1");
    let (_, answer) = send(&mut asking.server.connect(), &line, &["Authorization: Bearer k"], "");
    let publications = answer["publications"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let shown = |it: &Value| match it["event"].as_str() {
        Some(event) => format!("{event}: {}", it["data"]),
        None => it["data"].to_string(),
    };
    publications.iter().map(shown).collect()
}

const CHANGED: [&str; 3] = ["\"calm\"", "loud: \"SHOUT\"", "{\"n\":1}"];

#[test]
fn posts_pass_are_changed_or_refused() {
    let backend = Backend::start(moderate);
    let asking = asking(&backend);
    for (place, mut wire) in asking.connections().into_iter().enumerate() {
        let line = format!("POST /c/chat:{place}?tags=t HTTP/1.1");
        for text in ["calm", "shout", "number"] {
            let (status, answer) = send(&mut wire, &line, &[], text);
            assert_eq!((status, answer["offset"].is_u64()), (200, true), "{answer}");
        }
        let (status, answer) = send(&mut wire, &line, &[], "rude");
        assert_eq!((status, &answer["detail"]), (403, &json!("Be nice.")), "{answer}");
        assert_eq!(kept(&asking, &format!("chat:{place}")), CHANGED);
        let asked = backend.asked();
        assert_eq!(asked.len(), 4);
        assert_eq!(asked[0]["message"], json!({"data": "calm", "tags": ["t"]}));
        assert_eq!(
            (&asked[0]["transport"], &asked[0]["address"]),
            (&json!("http"), &json!("127.0.0.1"))
        );
    }
    let mut wire = asking.server.connect();
    wire.post_chunked("chat:chunks", "shout");
    assert_eq!(kept(&asking, "chat:chunks"), [CHANGED[1]]);
    let mut client = Client::connect(&asking.server);
    assert_eq!(client.post("/c/chat:two", b"rude").0, 403);
    assert_eq!(client.post("/c/chat:two", b"shout").0, 200);
    assert_eq!(kept(&asking, "chat:two"), [CHANGED[1]]);
    backend.asked();
    // Not of this namespace.
    assert_eq!(send(&mut wire, "POST /c/calm:a HTTP/1.1", &[], "rude").0, 200);
    assert!(backend.asked().is_empty());
}

#[test]
fn of_several_each_is_asked_about() {
    let backend = Backend::start(|question| match question["channel"].as_str() {
        Some("chat:b") => Reply::Json(json!({"allow": false, "reason": "Not here."})),
        _ => moderate(question),
    });
    let asking = asking(&backend);
    let mut wire = asking.server.connect();
    let line = "POST /c/chat:a,chat:b,chat:c HTTP/1.1";
    let (status, answer) = send(&mut wire, line, &[], "shout");
    assert_eq!(status, 200);
    let results = &answer["results"];
    assert!(results[0]["offset"].is_u64() && results[2]["offset"].is_u64(), "{answer}");
    assert_eq!(results[1]["error"]["detail"], "Not here.");
    backend.asked();
    let batch: Vec<Value> = (0..200)
        .map(|number| {
            let channel = ["chat:m", "chat:b", "calm:x", "nowhere"][number % 4];
            json!({"channel": channel, "data": number.to_string()})
        })
        .chain([json!({"channels": ["chat:m", "chat:b"], "data": "shout"}), json!({"data": 1})])
        .collect();
    let (status, answer) =
        send(&mut wire, "POST /publish HTTP/1.1", &[], &Value::from(batch).to_string());
    assert_eq!(status, 200, "{answer}");
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 202);
    assert_eq!(results[1]["error"]["detail"], "Not here.");
    assert!(results[2]["offset"].is_u64(), "{}", results[2]);
    assert_eq!(results[3]["error"]["status"], 401);
    assert_eq!(results[200]["results"][1]["error"]["detail"], "Not here.");
    assert_eq!(results[201]["error"]["code"], "no-channel");
    // Neither what may not be published nor what is not asked about was.
    assert_eq!(backend.asked().len(), 102);
    let order: Vec<String> = (0..50).map(|place| format!("\"{}\"", place * 4)).collect();
    assert_eq!(kept(&asking, "chat:m"), [&order[..], &[CHANGED[1].to_owned()]].concat());
}

/// An open WebSocket of this language.
fn socket(mut wire: Wire, channel: &str, language: &str) -> Wire {
    let offer = format!("Sec-WebSocket-Protocol: {language}");
    wire.open_websocket(&format!("/c/{channel}?echo=0"), &[&offer]);
    if language == "fanfare.v1" {
        assert_eq!(text(&mut wire)["type"], "open");
    }
    wire
}

#[test]
fn frames_pass_are_changed_or_refused() {
    let backend = Backend::start(moderate);
    let asking = asking(&backend);
    for (place, wire) in asking.connections().into_iter().enumerate() {
        let channel = format!("chat:v{place}");
        let mut wire = socket(wire, &channel, "fanfare.v1");
        let publish =
            |data: &str| json!({"id": data, "type": "publish", "channel": channel, "data": data});
        // Several at once: they are answered in their order, one after another.
        for data in ["calm", "shout", "rude", "number"] {
            wire.send(frame(0x81, publish(data).to_string().as_bytes()));
        }
        let replies: Vec<Value> = (0..4).map(|_| text(&mut wire)).collect();
        let ids: Vec<&str> = replies.iter().filter_map(|reply| reply["id"].as_str()).collect();
        assert_eq!(ids, ["calm", "shout", "rude", "number"]);
        assert_eq!(replies[2]["detail"], "Be nice.", "{}", replies[2]);
        assert!(replies[3]["offset"].is_u64(), "{}", replies[3]);
        assert_eq!(kept(&asking, &channel), CHANGED);
        let asked = backend.asked();
        assert_eq!((asked.len(), &asked[0]["transport"]), (4, &json!("websocket")));
        assert_eq!(command(&mut wire, &json!({"id": 9, "type": "ping"}))["id"], 9);
    }
    for (place, wire) in asking.connections().into_iter().enumerate() {
        let channel = format!("chat:r{place}");
        let mut wire = socket(wire, &channel, "fanfare.raw");
        for data in ["calm", "shout", "number", "rude"] {
            wire.send(frame(0x81, data.as_bytes()));
        }
        assert_eq!(closed(&mut wire), (1008, "forbidden: Be nice.".to_owned()));
        assert_eq!(kept(&asking, &channel), CHANGED);
    }
}

#[test]
fn a_change_that_is_none_is_a_failure() {
    let backend = Backend::start(|_| {
        Reply::Json(json!({"allow": true, "message": {"event": "fanfare.open"}}))
    });
    let asking = asking(&backend);
    let mut wire = asking.server.connect();
    let (status, answer) = send(&mut wire, "POST /c/chat:a HTTP/1.1", &[], "x");
    assert_eq!((status, &answer["code"]), (503, &json!("authority-timeout")), "{answer}");
    let line = asking.server.line_with("has not answered a question");
    assert!(line.contains("`message` is none"), "{line}");
    assert!(kept(&asking, "chat:a").is_empty());
}

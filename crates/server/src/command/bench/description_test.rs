//! Descriptions: our own are right, those in `benches/rivals` too, and mistakes are told.

use std::path::Path;

use super::Description;

fn mistake(change: impl Fn(String) -> String) -> String {
    let text = r#"
        name = "x"
        [transport.sse]
        framing = "http"
        request = "GET /{channel} HTTP/1.1"
        [publish.post]
        request = "POST /{channel} HTTP/1.1\n\n{payload}"
    "#;
    Description::parse(text, Path::new(".")).unwrap();
    format!("{:#}", Description::parse(&change(text.to_owned()), Path::new(".")).unwrap_err())
}

#[test]
fn our_own_descriptions_are_right() {
    let fanfare = Description::fanfare().unwrap();
    for transport in ["sse", "ndjson", "v1", "raw"] {
        assert!(fanfare.transport(transport).is_some(), "{transport}");
        let floor = Description::floor().unwrap();
        assert!(floor.transport(transport).is_some(), "the floor stands beside {transport}");
    }
    for way in ["post", "batch", "raw", "v1"] {
        fanfare.way(way).unwrap();
    }
    for way in ["post", "batch", "apart", "ask"] {
        Description::floor().unwrap().way(way).unwrap();
    }
}

#[test]
fn the_rivals_in_the_repository_are_described_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/rivals");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let description = Description::read(path.to_str().unwrap()).unwrap();
            let published = description.ways.contains_key("post") || description.store.is_some();
            assert!(published, "{} can be published to", path.display());
            for file in &description.files {
                assert!(description.folder.join(file).is_file(), "{file} is there");
            }
            found += 1;
        }
    }
    assert!(found >= 5, "{found} rivals");
}

#[test]
fn one_kind_of_websocket_stands_for_both_of_ours() {
    let rival = r#"
        name = "x"
        [transport.websocket]
        framing = "websocket"
        request = "GET /{channel} HTTP/1.1"
        [publish.post]
        request = "POST /{channel} HTTP/1.1\n\n{payload}"
    "#;
    let rival = Description::parse(rival, Path::new(".")).unwrap();
    assert!(rival.transport("raw").is_some_and(|transport| transport.websocket));
    assert!(rival.transport("v1").is_some());
    assert!(rival.transport("sse").is_none());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let told = mistake(|text| text.replace("{channel} HTTP/1.1\"", "{chanel} HTTP/1.1\""));
    assert!(told.starts_with("transport.sse: {chanel} cannot be filled in"), "{told}");
    let told = mistake(|text| text.replace("framing = \"http\"", "framing = \"smoke\""));
    assert!(told.contains("unknown variant `smoke`"), "{told}");
    let told = mistake(|text| text.replace("{payload}", "payload"));
    assert_eq!(told, "publish.post: {payload} stands nowhere");
    let told = mistake(|text| text.replace("name =", "nmae = \"y\"\nname ="));
    assert!(told.contains("nmae"), "{told}");
    let told = mistake(|text| text.replace("framing", "send = [\"x\"]\nframing"));
    assert!(told.contains("only a WebSocket can send"), "{told}");
    let told = mistake(|text| format!("{text}\nitem = \"{{payload}}\""));
    assert!(told.contains("one without the other"), "{told}");
    let told = mistake(|text| format!("{text}\nmessage = \"{{payload}}\""));
    assert!(told.contains("needs an answer"), "{told}");
}

#[test]
fn the_example_in_the_documents_is_a_description() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/README.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, behind) = page.split_once("```toml title=mine.toml\n").unwrap();
    let text = behind.split("\n```\n").next().unwrap();
    let mine = Description::parse(text, Path::new(".")).unwrap();
    assert_eq!(mine.transports.len(), 2);
    assert!(mine.way("batch").unwrap().item.is_some());
}

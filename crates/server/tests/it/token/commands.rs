//! Client commands show who they are, wherever they have it from, and tell it to nobody.

use std::fs;
use std::process::Command;

use super::{SECRET, serve, token};
use crate::cli::run::{Folder, fanfare, finish};

/// A command for this server.
fn asking(url: &str, arguments: &[&str]) -> Command {
    let mut command = fanfare(arguments);
    command.env("FANFARE_URL", url);
    command
}

#[test]
fn every_command_shows_its_token_from_the_flag_a_file_or_the_environment() {
    let server = serve(&[SECRET, ("FANFARE_PRESENCE", "true")]);
    let url = format!("http://{}", server.address());
    let rights = ["--publish", "--subscribe", "--history", "--presence"];
    let rights: Vec<_> = rights.into_iter().flat_map(|right| [right, "chat:*"]).collect();
    let good = token(&[&["--sub", "ada"], &rights[..]].concat());
    let folder = Folder::new();
    let path = folder.path().join("token");
    fs::write(&path, format!("{good}\n")).unwrap();
    let path = path.to_str().unwrap();
    let table: [&[&str]; 7] = [
        &["pub", "chat:a", "hi"],
        &["sub", "chat:a", "--since", "all", "--count", "1", "--transport", "ws"],
        &["sub", "chat:a", "--since", "all", "--count", "1", "--transport", "sse"],
        &["sub", "chat:a", "--since", "all", "--count", "1", "--transport", "ndjson"],
        &["sub", "chat:a", "--since", "all", "--count", "1", "--transport", "poll"],
        &["history", "chat:a"],
        &["presence", "chat:a"],
    ];
    for arguments in table {
        let refused = finish(asking(&url, arguments).spawn().unwrap());
        assert_eq!(refused.code, Some(4), "{arguments:?}: {}", refused.stderr);
        let mut shown = [
            asking(&url, &[arguments, &["--token", &good]].concat()),
            asking(&url, &[arguments, &["--publisher-key", &good]].concat()),
            asking(&url, &[arguments, &["--token-file", path]].concat()),
            asking(&url, arguments),
            asking(&url, arguments),
        ];
        shown[3].env("FANFARE_TOKEN", &good).env("FANFARE_KEY", "tell-nobody-of-another");
        shown[4].env("FANFARE_KEY", &good);
        for command in &mut shown {
            let outcome = finish(command.spawn().unwrap());
            assert_eq!(outcome.code, Some(0), "{command:?}: {}", outcome.stderr);
        }
    }
}

#[test]
fn a_file_without_a_token_is_said_and_what_is_wrong_with_one_tells_nothing_of_it() {
    let server = serve(&[SECRET]);
    let url = format!("http://{}", server.address());
    let folder = Folder::new();
    let path = folder.path().join("token");
    let name = path.to_str().unwrap();
    let missing = finish(asking(&url, &["sub", "a", "--token-file", name]).spawn().unwrap());
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    for (text, code, why) in [
        ("\n", 2, "is empty"),
        ("tell-nobody\nof two lines", 2, "cannot be sent"),
        ("tell-nobody", 4, "401"),
    ] {
        fs::write(&path, text).unwrap();
        let outcome =
            finish(asking(&url, &["history", "a", "--token-file", name]).spawn().unwrap());
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("tell-nobody"), "{}", outcome.stderr);
    }
    let both = ["history", "a", "--token-file", name, "--token", "x"];
    assert_eq!(finish(asking(&url, &both).spawn().unwrap()).code, Some(2));
}

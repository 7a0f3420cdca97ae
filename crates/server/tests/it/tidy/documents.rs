//! Documents: what they name exists, and what exists is named.

use std::collections::BTreeSet;

use super::{read, root};
use crate::crash::Directory;
use crate::server::Server;
use crate::wire::body;

#[test]
fn the_architecture_is_short_and_names_folders_that_exist() {
    let text = read("ARCHITECTURE.md");
    assert!(text.lines().count() <= 300, "ARCHITECTURE.md stays short");
    let invariants = text.lines().filter(|line| line.starts_with("- **Invariant:**")).count();
    assert!(invariants >= 10, "{invariants} invariants are named");
    let mut named = 0;
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cell = line.split('|').nth(1).unwrap();
        for folder in cell.split('`').skip(1).step_by(2) {
            assert!(root().join(folder).is_dir(), "{folder} is a folder");
            named += 1;
        }
    }
    assert!(named >= 20, "the map names {named} folders");
}

#[test]
fn the_architecture_maps_every_folder_with_sources() {
    let text = read("ARCHITECTURE.md");
    for crate_name in ["core", "protocol", "server"] {
        let base = format!("crates/{crate_name}/src");
        for entry in std::fs::read_dir(root().join(&base)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_dir() {
                let folder = format!("`{base}/{}/`", entry.file_name().to_string_lossy());
                assert!(text.contains(&folder), "ARCHITECTURE.md maps {folder}");
            }
        }
    }
}

#[test]
fn links_within_the_documents_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "benches/README.md"] {
        check_links(page);
    }
    for path in super::files(&["docs"], ".md") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        check_links(&format!("docs/{name}"));
    }
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let directory = Directory::new("metrics");
    let server = crate::crash::start(directory.path(), &[]);
    let mut wire = server.connect();
    wire.ask("GET /metrics HTTP/1.1", &[]);
    let answer = wire.answer();
    let types = body(&answer).lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let there: BTreeSet<String> = types
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, "info") => format!("{name}_info"),
            (name, _) => name.to_owned(),
        })
        .collect();
    assert_eq!(there, metrics(), "docs/operations.md names the metrics of a scrape");
}

#[test]
fn every_limit_says_what_it_answers_and_what_to_watch() {
    let reference = read("docs/configuration.md");
    let operations = read("docs/operations.md");
    let keys: Vec<&str> =
        reference.split("\n### `").filter(|section| section.starts_with("limits.")).collect();
    assert!(keys.len() >= 13, "{} limits", keys.len());
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    wire.ask("GET /metrics HTTP/1.1", &[]);
    let scrape = wire.answer();
    for section in keys {
        let (key, about) = section.split_once('`').unwrap();
        assert!(about.contains("Beyond it: "), "{key} says what is answered");
        let (_, watch) = about.split_once("Watch `").unwrap_or_else(|| panic!("{key}: a metric"));
        let metric = watch.split('`').next().unwrap();
        assert!(metrics().contains(metric), "{key} names {metric}");
        let row =
            |line: &&str| line.starts_with("| `limits.") && line.contains(&format!("`{key}`"));
        let told = operations.lines().any(|line| row(&line));
        assert!(told, "docs/operations.md says how {key} is answered");
        let gauge = format!("fanfare_limit{{key=\"{key}\"}}");
        assert!(scrape.contains(&gauge), "a scrape has {gauge}");
    }
}

#[test]
fn limits_that_documents_and_hints_name_are_keys() {
    let reference = read("docs/configuration.md");
    let mut texts: Vec<String> =
        super::files(&["docs", "crates/server/src", "crates/protocol/src"], "")
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "rs"))
            .filter(|path| !path.to_string_lossy().contains("test"))
            .map(read)
            .collect();
    texts.push(read("README.md"));
    for text in texts {
        for (at, _) in text.match_indices("`limits.") {
            let key = text[at + 1..].split(['`', '\n', '=', ' ']).next().unwrap();
            // The page shows one key misspelt, to say how that is told.
            let known = key == "limits.payload_byte_max";
            assert!(known || reference.contains(&format!("### `{key}`")), "{key} is a key");
        }
    }
}

#[test]
fn the_readme_names_the_commands_that_are_run() {
    let text = read("README.md");
    let tests = "```sh title=tests\nscripts/test\n```";
    assert!(text.contains(tests), "the README's last command is scripts/test");
    assert!(text.contains("```sh title=start\ncargo run --release -- dev\n```"), "and its first");
    assert!(read(".ci/run").contains("scripts/test"), "CI runs the same");
    assert!(read("justfile").contains("scripts/test"), "and so does just");
    assert!(read("scripts/test").contains("cargo test --workspace"), "which runs these tests");
}

/// The metrics that `docs/operations.md` has lines for.
fn metrics() -> BTreeSet<String> {
    read("docs/operations.md")
        .lines()
        .filter(|line| line.starts_with("| `fanfare_"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect()
}

/// Checks the links of a page that lead to files of the repository.
fn check_links(page: &str) {
    let text = read(page);
    let folder = root().join(page).parent().unwrap().to_path_buf();
    for (at, _) in text.match_indices("](") {
        let link = text[at + 2..].split(')').next().unwrap();
        if link.contains("://") {
            continue;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() { root().join(page) } else { folder.join(path) };
        assert!(target.is_file(), "{page} links to {link}");
        assert!(anchor.is_empty() || anchors(&read(&target)).contains(anchor), "{page}: {link}");
    }
}

/// What a page can be entered at: its headings, and what is named on purpose.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|next| next.is_alphanumeric() || " -_".contains(*next));
        kept.map(|next| if next == ' ' { '-' } else { next }).collect()
    });
    let named = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    headings.chain(named.map(str::to_owned)).collect()
}

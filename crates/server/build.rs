//! Lists the files below `examples/`, which `fanfare demo` serves out of the binary: a folder that
//! is dropped there is a page, without a line of Rust.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The endings of what is served. Everything else of an example stays in the repository.
const SERVED: [&str; 6] = ["css", "html", "js", "sh", "svg", "toml"];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder so")]
fn main() -> io::Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    println!("cargo::rerun-if-changed={}", examples.display());
    let mut paths = Vec::new();
    collect(&examples, "", &mut paths)?;
    paths.sort();
    let lines = paths.iter().map(|path| {
        let file = format!(
            "concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})",
            format!("/../../examples/{path}")
        );
        format!("    File {{ path: {path:?}, content: include_str!({file}) }},\n")
    });
    let table = format!("&[\n{}]\n", lines.collect::<String>());
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    fs::write(PathBuf::from(folder).join("examples.rs"), table)
}

/// Adds the paths of what is served below `folder`, each with `/` between its parts.
fn collect(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), paths)?;
        } else if path.extension().is_some_and(|ending| SERVED.iter().any(|known| ending == *known))
        {
            paths.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

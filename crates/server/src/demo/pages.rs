//! The files of `examples/`, as the build listed them. Knows nothing of HTTP but paths.

/// A file below `examples/`.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path below `examples/`.
    pub(crate) path: &'static str,
    /// What is in it.
    pub(crate) content: &'static str,
}

/// What a request's path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A file.
    File(&'static File),
    /// A folder that was asked for without its slash, without which its page's links would lead
    /// astray: the path to go to.
    Folder(String),
}

/// Finds what is served at a path. A folder's page is its `index.html`.
pub(crate) fn find(path: &str) -> Option<Found> {
    let path = path.strip_prefix('/')?;
    let index = if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
    let whole = format!("{path}{index}");
    if let Some(file) = FILES.iter().find(|file| file.path == whole) {
        return Some(Found::File(file));
    }
    let page = format!("{path}/index.html");
    let is_folder = FILES.iter().any(|file| file.path == page);
    is_folder.then(|| Found::Folder(format!("/{path}/")))
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

#[cfg(test)]
mod tests {
    use super::{FILES, Found, find};

    #[test]
    fn every_file_is_found_and_folders_lead_to_their_pages() {
        for file in FILES {
            let found = find(&format!("/{}", file.path));
            assert!(matches!(found, Some(Found::File(it)) if it.path == file.path));
            let Some(folder) = file.path.strip_suffix("index.html") else { continue };
            let found = find(&format!("/{folder}"));
            assert!(matches!(found, Some(Found::File(it)) if it.path == file.path), "{folder}");
            let Some(bare) = folder.strip_suffix('/') else { continue };
            let found = find(&format!("/{bare}"));
            assert!(matches!(found, Some(Found::Folder(path)) if path == format!("/{folder}")));
        }
        for path in ["/nothing", "/seeds/nothing", "//", "/../README.md", "seeds/", ""] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}

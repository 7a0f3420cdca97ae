//! That folders are counted, and leave nothing behind.

use std::fs;

use super::Folder;

#[test]
fn a_folder_is_counted_with_what_is_below_it_and_goes_with_it() {
    let folder = Folder::new().unwrap();
    let path = folder.path().to_path_buf();
    let empty = folder.bytes().unwrap();
    fs::create_dir(path.join("below")).unwrap();
    fs::write(path.join("below/file"), vec![1; 100_000]).unwrap();
    fs::File::open(path.join("below/file")).unwrap().sync_all().unwrap();
    let bytes = folder.bytes().unwrap() - empty;
    assert!((100_000..300_000).contains(&bytes), "{bytes}");
    drop(folder);
    assert!(!path.exists());
}

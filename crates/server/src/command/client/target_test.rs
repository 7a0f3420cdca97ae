//! A URL read wrongly asks the wrong server, a name escaped wrongly the wrong channel.

use super::Target;

#[test]
fn urls_are_read() {
    for (url, host, port, authority) in [
        ("http://127.0.0.1:8300", "127.0.0.1", 8300, "127.0.0.1:8300"),
        ("http://live.example.com/", "live.example.com", 80, "live.example.com"),
        ("http://[::1]:9", "::1", 9, "[::1]:9"),
        ("https://live.example.com", "live.example.com", 443, "live.example.com"),
        ("wss://live.example.com:9", "live.example.com", 9, "live.example.com:9"),
    ] {
        let target = Target::read(url).unwrap();
        assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
        assert_eq!(target.authority, authority);
        let secure = url.starts_with("https") || url.starts_with("wss");
        assert_eq!(target.trust.is_some(), secure, "{url}");
    }
    for url in ["", "localhost:8300", "ftp://x", "http://a@b", "http://x?y"] {
        assert!(Target::read(url).is_err(), "{url:?}");
    }
}

#[test]
fn any_channel_name_fits_into_a_path() {
    let target = Target::read("http://x:1/live/").unwrap();
    let channels = ["runs/1".to_owned(), "a,b&c=é%".to_owned()];
    assert_eq!(
        target.path(&channels, &[("since", "last:20".to_owned())]),
        "/live/c?channel=runs%2F1&channel=a%2Cb%26c%3D%C3%A9%25&since=last%3A20"
    );
}

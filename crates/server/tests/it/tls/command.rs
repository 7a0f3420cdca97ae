//! `fanfare pub` and `fanfare sub` over https.

use super::Secure;
use crate::cli::run::fanfare;

#[test]
fn commands_believe_the_authority_they_are_told_and_nobody_else() {
    let secure = Secure::start(&[]);
    let url = format!("https://{}", secure.address);
    let ca = secure.authority.file();
    let ca = ca.to_str().unwrap();
    let published = fanfare(&["pub", "--url", &url, "--ca", ca, "news", "hello"]).output().unwrap();
    assert!(published.status.success(), "{published:?}");
    for transport in ["ws", "sse", "poll"] {
        let read = fanfare(&["sub", "--url", &url, "--ca", ca])
            .args(["--transport", transport, "--since", "all", "--count", "1", "news"])
            .output()
            .unwrap();
        assert!(read.status.success(), "{read:?}");
        assert!(String::from_utf8_lossy(&read.stdout).contains("hello"), "{read:?}");
    }
    let refused = fanfare(&["pub", "--url", &url, "news", "hello"]).output().unwrap();
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("--ca") || told.contains("ca-certificates"), "{told}");
    let http = format!("http://{}", secure.server.address());
    let refused = fanfare(&["pub", "--url", &http, "--ca", ca, "news", "x"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--ca is for https"));
}

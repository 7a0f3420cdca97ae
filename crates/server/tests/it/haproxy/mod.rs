//! Behind haproxy as Debian ships it, with the lines that the documentation gives.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::run::Folder;
use crate::proxied;
use crate::server::Server;
use crate::tls::proxied::Behind;
use crate::wire::{Wire, frame};

/// Where Debian installs it.
const BINARY: &str = "/usr/sbin/haproxy";

/// A running haproxy.
#[derive(Debug)]
struct Proxy {
    child: Child,
    address: String,
    _folder: Folder,
}

impl Proxy {
    /// A haproxy in front of the server at this address, with the file that the documentation gives
    /// under this title.
    fn start(server: &str, title: &str) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            eprintln!("SKIPPED: {BINARY} is missing; Debian's haproxy has it");
            return None;
        }
        // The port is free when it is chosen, and somebody else may take it until haproxy does.
        (0..5)
            .find_map(|_| Self::try_start(server, title))
            .or_else(|| panic!("haproxy has no port"))
    }

    fn try_start(server: &str, title: &str) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = Folder::new();
        let file = folder.path().join("haproxy.cfg");
        let page = include_str!("../../../../../docs/proxies.md");
        let (_, block) = page.split_once(&format!("```haproxy title={title}\n")).unwrap();
        let (lines, _) = block.split_once("```").unwrap();
        assert!(lines.contains("bind :80\n") && lines.contains("127.0.0.1:8300"), "{lines}");
        let lines = lines.replace("bind :80", &format!("bind {free}"));
        fs::write(&file, lines.replace("127.0.0.1:8300", server)).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("-db").arg("-q").arg("-f").arg(&file).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut proxy = Self { child, address: free.to_string(), _folder: folder };
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if TcpStream::connect(free).is_ok() {
                return Some(proxy);
            }
            if proxy.child.try_wait().unwrap().is_some() {
                return None;
            }
            // It tells nobody that it listens.
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    fn connect(&self) -> Wire {
        Wire::connect(&self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

#[test]
fn with_the_documented_lines_everything_passes_and_a_drain_is_no_end() {
    let server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let Some(proxy) = Proxy::start(server.address(), "haproxy.cfg") else { return };
    proxied::passes_and_is_drained(server, &proxy.address);
}

#[test]
fn the_client_has_its_own_address_by_header_and_is_missed_when_it_goes() {
    let (server, _file) = proxied::server("trusted = [\"127.0.0.1\"]");
    let Some(proxy) = Proxy::start(server.address(), "haproxy.cfg") else { return };
    proxied::has_the_clients_address(&server, &proxy.address);
    proxied::misses_who_goes(&server, &proxy.address);
}

#[test]
fn the_client_has_its_own_address_by_the_proxy_protocol() {
    let lines = "[admin]\nlisten = [\"127.0.0.1:0\"]\n[proxies]\ntrusted = [\"127.0.0.1\"]\n\
                 protocol = \"v2\"\n";
    let (server, _file) = proxied::configured(lines);
    let Some(proxy) = Proxy::start(server.address(), "haproxy-tcp.cfg") else { return };
    proxied::has_the_clients_address(&server, &proxy.address);
    let mut socket = proxy.connect();
    socket.open_websocket("/c/chat", &[]);
    socket.send(frame(0x81, b"through"));
    assert_eq!(socket.frame(), (0x81, b"through".to_vec()));
}

#[test]
fn tls_passes_a_balancer_that_says_who_is_there() {
    let behind = Behind::start("127.0.0.1");
    let Some(proxy) = Proxy::start(&behind.address, "haproxy-tcp.cfg") else { return };
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let mut command = Command::new("curl");
        command.args(["-sN", "--max-time", "20", flag, "--interface", proxied::CLIENT]);
        command.arg("--cacert").arg(behind.authority());
        command.args(["-H", "Accept: text/event-stream", "-w", " %{http_version} %{http_code}"]);
        command.arg(format!("https://{}/c/news-{version}?since=all", proxy.address));
        let curl = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let line = behind.server.line_with("a reader comes");
        assert!(line.contains(&format!("\"{}\"", proxied::CLIENT)), "{line}");
        let mut ending = Command::new("curl");
        ending.args(["-sf", "--max-time", "20", flag, "-d", "last"]);
        // Who ends a channel needs a key.
        ending.args(["-H", "Authorization: Bearer key"]);
        ending.arg("--cacert").arg(behind.authority());
        ending.arg(format!("https://{}/c/news-{version}?end=1", proxy.address));
        assert!(ending.stdout(Stdio::null()).status().unwrap().success());
        let told = curl.wait_with_output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains("data: last"), "{told}");
        assert!(told.ends_with(&format!(" {version} 200")), "{told}");
    }
}

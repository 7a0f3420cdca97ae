//! A client that vanishes without a word is noticed, on every transport.
//!
//! Loopback cannot lose a client: the test makes two network namespaces with a cable between them,
//! server and clients on either side, and takes the clients' address away under their connections.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::Server;

/// A vanished client is gone from the metrics within this time.
const GONE_WITHIN: Duration = Duration::from_secs(45);

/// Private addresses, in namespaces of the test's own.
const SERVER: &str = "10.213.7.1";
const CLIENT: &str = "10.213.7.2";

#[test]
fn a_black_holed_client_is_gone_within_45_seconds() {
    let Some(network) = Network::make() else { return };
    let server = network.serve();
    let mut clients = Vec::new();
    for transport in ["ws", "sse", "ndjson"] {
        let url = format!("http://{SERVER}:8300");
        let binary = env!("CARGO_BIN_EXE_fanfare");
        let flags = ["sub", "news", "--url", &url, "--transport", transport, "--since", "all"];
        clients.push(network.client(binary, &flags));
    }
    // A stream on a connection that the edge owns: it has answered a chunked publish before.
    let url = format!("http://{SERVER}:8300/c/news");
    let key = "Authorization: Bearer key";
    let publish = ["-sN", "-H", "Transfer-Encoding: chunked", "-H", key, "-d", "Hello", &url];
    let read = ["--next", "-sN", "-H", "Accept: text/event-stream", &url];
    clients.push(network.client("curl", &[publish.as_slice(), &read].concat()));
    // And one of a connection of HTTP/2.
    let prior = ["--http2-prior-knowledge", "-sN", "-H", "Accept: text/event-stream", &url];
    clients.push(network.client("curl", &prior));
    network.wait_for(&server, [1, 3, 1], 5, Duration::from_secs(20));

    network.black_hole();
    let began = Instant::now();
    network.wait_for(&server, [0, 0, 0], 0, GONE_WITHIN);
    let took = began.elapsed();
    eprintln!("all were gone, as readers and as members, after {took:?}");
    assert!(took > Duration::from_secs(5), "they were told, not lost: {took:?}");
}

/// Two namespaces with a cable, removed at the end, however the test ends.
#[derive(Debug)]
struct Network {
    server: String,
    client: String,
}

impl Network {
    /// None, and it is said, without the right to make namespaces.
    fn make() -> Option<Self> {
        let id = std::process::id();
        let network = Self { server: format!("fanfare-s{id}"), client: format!("fanfare-c{id}") };
        if let Err(why) = ip(&["netns", "add", &network.server]) {
            eprintln!("SKIPPED: no network namespaces here, which need root and iproute2: {why}");
            return None;
        }
        let (server, client) = (network.server.as_str(), network.client.as_str());
        let (near, far) = (format!("{SERVER}/30"), format!("{CLIENT}/30"));
        let veth = ["name", "cable", "netns", client];
        let add = ["link", "add", "cable", "netns", server, "type", "veth", "peer"];
        for arguments in [
            &["netns", "add", client][..],
            &[&add[..], &veth].concat(),
            &["-n", server, "addr", "add", &near, "dev", "cable"],
            &["-n", client, "addr", "add", &far, "dev", "cable"],
            &["-n", server, "link", "set", "lo", "up"],
            &["-n", server, "link", "set", "cable", "up"],
            &["-n", client, "link", "set", "cable", "up"],
        ] {
            ip(arguments).unwrap();
        }
        Some(network)
    }

    /// A server on its side; over its own loopback it is asked for its figures.
    fn serve(&self) -> Server {
        let mut command = within(&self.server, env!("CARGO_BIN_EXE_fanfare"));
        command.env("FANFARE_PRESENCE", "true");
        command.args([
            "serve",
            "--memory",
            "--publisher-key",
            "tell-nobody",
            "--anonymous-subscribe",
        ]);
        command.args(["--listen", &format!("{SERVER}:8300"), "--listen", "127.0.0.1:8300"]);
        Server::of(command)
    }

    fn client(&self, program: &str, arguments: &[&str]) -> Client {
        let mut command = within(&self.client, program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Nobody needs what it says, but it must be able to say it.
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for pipe in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            thread::spawn(move || BufReader::new(pipe).lines().for_each(drop));
        }
        Client(child)
    }

    /// From here on the clients' packets have no sender, and those for them no receiver.
    fn black_hole(&self) {
        ip(&["-n", &self.client, "addr", "flush", "dev", "cable"]).unwrap();
    }

    /// Waits until so many read by WebSocket, SSE and NDJSON, and are members.
    fn wait_for(&self, server: &Server, readers: [u64; 3], members: u64, within: Duration) {
        let until = Instant::now() + within;
        loop {
            let found = self.readers(server);
            if found == (readers, members) {
                return;
            }
            let wanted = (readers, members);
            assert!(Instant::now() < until, "{found:?} and not {wanted:?} after {within:?}");
            // There is no event for what a counter in another process does.
            thread::sleep(Duration::from_millis(250));
        }
    }

    fn readers(&self, server: &Server) -> ([u64; 3], u64) {
        let mut curl = within(&self.server, "curl");
        let output = curl.args(["-s", "--max-time", "10"]);
        let output = output.arg(format!("http://{}/metrics", server.address())).output().unwrap();
        let figures = String::from_utf8(output.stdout).unwrap();
        let figure = |name: String| -> u64 {
            let value = figures.lines().find_map(|line| line.strip_prefix(&name));
            value.unwrap_or_else(|| panic!("no {name}: {figures}")).parse().unwrap()
        };
        let readers = ["websocket", "sse", "ndjson"]
            .map(|transport| figure(format!("fanfare_connections{{transport=\"{transport}\"}} ")));
        (readers, figure("fanfare_members ".to_owned()))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [&self.client, &self.server] {
            // One that was never made cannot be removed and need not be.
            let _never_made = ip(&["netns", "del", name]);
        }
    }
}

/// A client, killed at the end of its test.
#[derive(Debug)]
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        // One that has left already cannot be killed and need not be.
        let _left = self.0.kill();
        let _code = self.0.wait();
    }
}

/// A command inside of a namespace.
fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| error.to_string())?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(words) }
}

//! `fanfare compare`: every cell is measured, nothing is lost, and nothing is left behind.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::run::{Folder, Outcome, fanfare, finish, finish_within, run};
use crate::server::Server;

/// Two routes with eight seconds of silence each, on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(240);

const SMALL: &str = "compare --subscribers 8 --idle 40 --newcomers 12 --for 300ms --delay 5ms";

fn words(words: &str) -> Vec<&str> {
    words.split_whitespace().collect()
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.stderr))
}

/// A figure that was measured is a number above nothing.
fn number(cell: &Value, path: &str) -> f64 {
    let found = cell.pointer(path).and_then(Value::as_f64);
    let found = found.unwrap_or_else(|| panic!("{path} in {cell}"));
    assert!(found > 0.0 && found.is_finite(), "{path} is {found} in {cell}");
    found
}

/// What must hold in each cell of a small run.
fn check(cell: &Value, delay: f64) {
    for time in ["connect", "transfer", "push", "total"] {
        assert_eq!(cell[time]["count"], 12, "{time}: {cell}");
        number(cell, &format!("/{time}/median"));
    }
    let [connect, push, total] =
        ["/connect/median", "/push/median", "/total/median"].map(|path| number(cell, path));
    let parts = connect + push + number(cell, "/transfer/median");
    let sum = &cell["sum"];
    assert!((sum["sum"].as_f64().unwrap() - parts).abs() < 1e-6, "{cell}");
    assert!((total - parts).abs() <= number(cell, "/sum/error"), "C + R + P is not T: {cell}");
    assert_eq!(sum["adds_up"], true, "{cell}");
    // The handshake of TCP and the request there and back; the message one way.
    assert!(connect >= 4.0 * delay - 2.0 && push >= delay, "{cell}");
    for path in ["/delivery_p50", "/delivery_p99", "/bytes_down", "/cpu_microseconds"] {
        number(cell, path);
    }
    assert!(number(cell, "/bytes_down") > 128.0, "a message is more than its payload: {cell}");
    let polls = cell["transport"] == "poll";
    assert_eq!(cell["bytes_up"].as_f64().unwrap() > 50.0, polls, "only polls ask again: {cell}");
    assert!(cell["memory_bytes"].is_f64(), "{cell}");
    for cut in ["fin", "reset"] {
        assert_eq!(cell[format!("resumed_after_{cut}")]["count"], 8, "{cell}");
        number(cell, &format!("/resumed_after_{cut}/median"));
    }
    // Silence is noticed after 7.5 seconds without a byte, the last of which came before the cut.
    assert!(number(cell, "/resumed_after_silence/median") > 7_000.0, "{cell}");
    let tally = &cell["tally"];
    assert!(tally["expected"].as_u64().unwrap() > 100, "{cell}");
    assert_eq!(tally["delivered"], tally["expected"], "{cell}");
    for nothing in ["lost", "doubled", "reordered", "stray", "disconnected"] {
        assert_eq!(tally[nothing], 0, "{nothing}: {cell}");
    }
    assert_eq!(cell["gaps"], 0, "{cell}");
}

#[test]
fn every_cell_is_measured_nothing_is_lost_and_the_parts_add_up() {
    let folder = Folder::new();
    let page = folder.path().join("page.svg");
    let arguments = [words(SMALL), vec!["--json", "--svg", page.to_str().unwrap()]].concat();
    let outcome = finish_within(fanfare(&arguments).spawn().unwrap(), DEADLINE);
    let report = report(&outcome);
    let cells = report["cells"].as_array().unwrap();
    let names: Vec<_> =
        cells.iter().map(|cell| format!("{} {}", cell["route"], cell["transport"])).collect();
    let kinds = ["websocket", "sse", "ndjson", "poll"];
    let due: Vec<_> = ["direct", "proxy"]
        .iter()
        .flat_map(|route| kinds.map(|kind| format!("\"{route}\" \"{kind}\"")))
        .collect();
    assert_eq!(names, due);
    for cell in cells {
        check(cell, if cell["route"] == "proxy" { 5.0 } else { 0.0 });
    }
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("cut by silence, resumed") && page.contains("proxy, 5 ms each way"));
}

#[test]
fn ctrl_c_ends_the_run_and_its_server() {
    let child = fanfare(&words(SMALL)).spawn().unwrap();
    let server = server_of(&child);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let outcome = finish(child);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(130), ""), "{}", outcome.stderr);
    let until = Instant::now() + Duration::from_secs(20);
    while fs::exists(format!("/proc/{server}")).unwrap() {
        assert!(Instant::now() < until, "its server {server} goes on");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The server that a run has started, once there is one.
fn server_of(child: &Child) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = fs::read_to_string(&children).unwrap();
        if let Some(server) = found.split_whitespace().next() {
            return server.parse().unwrap();
        }
        assert!(Instant::now() < until, "no server is started");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_cannot_be_compared_is_told() {
    let server = Server::serve("tell-nobody");
    let url = format!("http://{}", server.address());
    let cases = [
        (vec!["--size", "8"], "a payload has from 28 bytes"),
        (vec!["--delay", "3s"], "write a time up to 500ms"),
        (vec!["--url", "http://127.0.0.1:1"], "Connection refused"),
        // A server that wants a key of its publishers.
        (vec!["--url", &url], "a publication was refused with 401"),
    ];
    for (more, told) in cases {
        let outcome = run(&[&["compare", "--idle", "5", "--subscribers", "2"], &more[..]].concat());
        assert_ne!(outcome.code, Some(0), "{more:?}");
        assert!(outcome.stderr.contains(told), "{more:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty(), "{more:?} told figures");
    }
}

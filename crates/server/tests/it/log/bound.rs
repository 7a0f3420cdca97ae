//! Publishing without end: the directory never grows above its bound.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::crash::{Directory, start};
use crate::wire::{Wire, body};

const BYTES_MAX: u64 = 8 << 20;

/// Settings under which retention, or the bound alone, decides what goes.
fn settings(count: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("FANFARE_LOG__SEGMENT_BYTES", "1MiB"),
        ("FANFARE_LOG__BYTES_MAX", "8MiB"),
        ("FANFARE_LIMITS__PAYLOAD_BYTES_MAX", "128KiB"),
        ("FANFARE_HISTORY__MEMORY_COUNT", "10"),
        ("FANFARE_HISTORY__COUNT", count),
    ]
}

/// Bytes of all files below a directory, as `ls` counts them; those that go meanwhile are gone.
fn bytes_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Looks at a directory all the time; gives the most that it ever had, and how often it looked.
fn watch(directory: &Path, done: &Arc<AtomicBool>) -> JoinHandle<(u64, u64)> {
    let (directory, done) = (directory.to_owned(), Arc::clone(done));
    std::thread::spawn(move || {
        let (mut most, mut looks) = (0, 0);
        while !done.load(Relaxed) {
            most = bytes_of(&directory).max(most);
            looks += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        (most, looks)
    })
}

/// Publishes a hundred to each of five channels, of 1.6 kB each.
fn publish(wire: &mut Wire, round: usize) {
    let items: Vec<_> = (0..500)
        .map(|number| {
            let data = format!("{}#{round}.{number}", "x".repeat(1_600));
            serde_json::json!({"channel": format!("busy-{}", number % 5), "data": data})
        })
        .collect();
    let items = serde_json::Value::from(items).to_string();
    let length = format!("Content-Length: {}", items.len());
    wire.ask("POST /publish HTTP/1.1", &["Content-Type: application/json", &length]);
    wire.send(items);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("\"error\""), "{answer}");
}

/// The numbers that end the publications of a channel, oldest first, and the first `prev`.
fn kept(wire: &mut Wire, channel: &str) -> (Vec<String>, u64) {
    wire.ask(&format!("GET /c/{channel}/history?limit=1000&order=desc HTTP/1.1"), &[]);
    let answer = wire.answer();
    let page: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    let publications = page["publications"].as_array().unwrap();
    let number = |told: &serde_json::Value| {
        told["data"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
    };
    let floor = publications.last().map_or(0, |oldest| oldest["prev"].as_u64().unwrap());
    (publications.iter().rev().map(number).collect(), floor)
}

/// Publishes five times the bound and restarts in between; gives what `busy-0` has kept.
fn run(name: &str, count: &'static str) -> (Vec<String>, u64, u64) {
    let directory = Directory::new(name);
    let done = Arc::new(AtomicBool::new(false));
    let watched = watch(directory.path(), &done);
    for life in 0..2 {
        let mut server = start(directory.path(), &settings(count));
        let mut wire = server.connect();
        if life == 0 {
            let document = "Content-Length: 8";
            wire.ask("POST /c/document HTTP/1.1", &[document]);
            wire.send("kept all");
            assert!(wire.answer().starts_with("HTTP/1.1 200 "));
        }
        for round in 0..25 {
            publish(&mut wire, life * 25 + round);
            let told = wire.figure("fanfare_log_bytes");
            assert!(told <= BYTES_MAX, "{told} in round {round}");
        }
        server.terminate();
        assert_eq!(server.exit_code(), Some(0));
    }
    let server = start(directory.path(), &settings(count));
    done.store(true, Relaxed);
    let (most, looks) = watched.join().unwrap();
    println!("{name}: {most} bytes at most of {BYTES_MAX}, looked at {looks} times");
    assert!(most <= BYTES_MAX, "the directory had {most} bytes");
    assert!(most > BYTES_MAX / 4, "too little was published: {most}");
    let mut wire = server.connect();
    let (numbers, floor) = kept(&mut wire, "busy-0");
    wire.ask("GET /c/document?as=raw&since=all&wait=0 HTTP/1.1", &[]);
    (numbers, floor, most)
}

/// What the newest publications of `busy-0` end with, oldest first.
fn newest(count: usize) -> Vec<String> {
    let all = (0..50).flat_map(|round| (0..500).step_by(5).map(move |of| format!("{round}.{of}")));
    let all: Vec<String> = all.collect();
    all[all.len() - count..].to_vec()
}

#[test]
fn retention_holds_the_directory_below_its_bound_and_keeps_what_it_should() {
    let (numbers, _, _) = run("retained", "50");
    assert_eq!(numbers, newest(50), "what retention keeps is there, whatever segment it was in");
}

#[test]
fn the_bound_holds_where_retention_would_keep_more() {
    let (numbers, floor, _) = run("bounded", "1000000");
    assert!(numbers.len() > 100 && floor > 0, "{} from {floor}", numbers.len());
    assert_eq!(numbers, newest(numbers.len()), "the newest, without a hole");
}

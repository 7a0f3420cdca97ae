//! Five thousand members of one channel.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::watcher::{Carrier, Watcher};
use crate::server::Server;
use crate::wire::{Wire, body};

/// Members beside the watchers.
const MEMBERS: usize = 5_000;

/// Clock ticks of a second, as Linux has told processes' times for decades.
const TICKS: u64 = 100;

#[test]
fn five_thousand_members_are_listed_to_the_last_and_told_as_numbers() {
    let server = Server::dev(&[]);
    let mut watcher = Watcher::open(&server, Carrier::Sse, "hall");
    let (began, used) = (Instant::now(), cpu_ticks(&server));
    let mut members: Vec<Wire> = Vec::with_capacity(MEMBERS);
    for number in 0..MEMBERS {
        let mut wire = server.connect();
        let target = format!("/c/hall?as=ndjson&client=client-{number:04}");
        wire.ask(&format!("GET {target} HTTP/1.1"), &[]);
        members.push(wire);
    }
    for wire in &mut members {
        wire.until("\"type\":\"open\"");
    }
    let came = began.elapsed();
    let (names, numbers) = hear(&mut watcher, MEMBERS + 1);
    assert_eq!(names, 99, "of a hundred members, itself included, names are told");
    let coming = cpu_ticks(&server) - used;
    eprintln!("{MEMBERS} came in {came:?}, told in {numbers} numbers, {coming} ticks of CPU");
    assert!(numbers as u64 <= began.elapsed().as_secs() + 2, "{numbers} numbers in {came:?}");

    let asked = Instant::now();
    let listed = list(&server);
    eprintln!("listed in {:?}", asked.elapsed());
    let expected: Vec<String> = (0..MEMBERS).map(|number| format!("client-{number:04}")).collect();
    assert_eq!(listed[..MEMBERS], expected);
    assert_eq!(listed[MEMBERS..], ["sse-watcher"]);

    let used = cpu_ticks(&server);
    let left = Instant::now();
    drop(members);
    loop {
        let next = watcher.next();
        assert_eq!(next[0], "presence", "no name is told of a crowd");
        if next[1] == 1 {
            break;
        }
    }
    let went = left.elapsed();
    let going = cpu_ticks(&server) - used;
    eprintln!("all had gone after {went:?}, {going} ticks of CPU");
    // Half a millisecond a member and way is many times what it takes, and far less than a second
    // look at everyone for each would.
    let bound = TICKS * MEMBERS as u64 / 2_000;
    let bound = if cfg!(debug_assertions) { bound * 4 } else { bound };
    assert!(coming + going < 2 * bound, "{coming} and {going} ticks, not {bound} each");
    assert!(went < Duration::from_secs(30), "{went:?}");
    server.connect().wait_for_figure("fanfare_members", 1);
}

/// How many names, and then numbers, were told until `count` was.
fn hear(watcher: &mut Watcher, count: usize) -> (usize, usize) {
    let (mut names, mut numbers) = (0, 0);
    loop {
        let next = watcher.next();
        match next[0].as_str() {
            Some("join") => {
                assert_eq!(numbers, 0, "a name after a number");
                names += 1;
            }
            Some("presence") => numbers += 1,
            other => panic!("{other:?}"),
        }
        if next == json!(["presence", count]) {
            return (names, numbers);
        }
    }
}

/// All members, page by page.
fn list(server: &Server) -> Vec<String> {
    let mut wire = server.connect();
    let (mut after, mut listed) = (String::new(), Vec::new());
    loop {
        wire.ask(&format!("GET /c/hall/presence?limit=1000{after} HTTP/1.1"), &[]);
        let page: Value = serde_json::from_str(body(&wire.answer())).unwrap();
        assert_eq!(page["count"], MEMBERS + 1);
        let members = page["members"].as_array().unwrap().iter();
        listed.extend(members.map(|member| member["client"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return listed,
        }
    }
}

/// The CPU time that the server has used, in clock ticks.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

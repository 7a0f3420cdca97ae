//! An application's backend that is told what happens: a process of its own, that can be killed,
//! started again, and have a bad day.
//!
//! The process is this very test binary: with [`PLACE`] in its environment the test at the end is the
//! backend. It writes what it was told into a file before it answers, so that neither its end nor a
//! lost answer takes anything away.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cli::run::Folder;
use crate::wire::header;

/// The port and the folder of a backend.
const PLACE: &str = "FANFARE_TEST_BACKEND";

/// What it shares with the server.
pub(super) const SECRET: &str = "whsec_c2VjcmV0IG9mIHRlc3RzLCAzMiBieXRlcyBsb25nISE=";

/// Longer than anything should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a backend does with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Takes it.
    Well,
    /// Takes it, after a while.
    Slow,
    /// Answers 503.
    Busy,
    /// Takes it, and says that it has not.
    Forgetful,
    /// Sends the server to itself.
    Elsewhere,
    /// Speaks something else than HTTP.
    Babbling,
    /// Closes the connection without a word.
    Curt,
    /// Never answers.
    Silent,
    /// Never ends its answer.
    Endless,
}

impl Mood {
    const ALL: [Self; 9] = [
        Self::Well,
        Self::Slow,
        Self::Busy,
        Self::Forgetful,
        Self::Elsewhere,
        Self::Babbling,
        Self::Curt,
        Self::Silent,
        Self::Endless,
    ];

    /// All in which nothing is ever taken for certain.
    pub(super) const BAD: [Self; 7] = [
        Self::Busy,
        Self::Forgetful,
        Self::Elsewhere,
        Self::Babbling,
        Self::Curt,
        Self::Silent,
        Self::Endless,
    ];
}

/// A backend, as seen from its test.
#[derive(Debug)]
pub(super) struct Backend {
    /// Its process and what that says, which is kept open: it says that it has been running long.
    running: Mutex<Option<(Child, BufReader<ChildStdout>)>>,
    port: u16,
    folder: Folder,
}

impl Backend {
    /// One that is well.
    pub(super) fn start() -> Self {
        let mut backend = Self { running: Mutex::default(), port: 0, folder: Folder::new() };
        backend.feel(Mood::Well);
        backend.port = backend.revive();
        backend
    }

    /// Where it is told.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/fanfare", self.port)
    }

    /// From now on it does this.
    pub(super) fn feel(&self, mood: Mood) {
        let place = Mood::ALL.iter().position(|it| *it == mood).unwrap();
        let new = self.folder.path().join("mood.new");
        fs::write(&new, place.to_string()).unwrap();
        fs::rename(new, self.folder.path().join("mood")).unwrap();
    }

    /// Ends it without a word.
    pub(super) fn kill(&self) {
        if let Some((mut child, _words)) = self.running.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it, where it was before; says at which port that is.
    pub(super) fn revive(&self) -> u16 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["events::backend::one_backend", "--exact", "--nocapture"]);
        command.env(PLACE, format!("{} {}", self.port, self.folder.path().display()));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert_ne!(words.read_line(&mut line).unwrap(), 0, "the backend has ended");
            // The runner of tests begins a line of its own before.
            if let Some((_, port)) = line.split_once("backend listens ") {
                break port.trim().parse().unwrap();
            }
        };
        *self.running.lock().unwrap() = Some((child, words));
        port
    }

    /// Every event that it was told, in the order in which they came, those that came again too.
    pub(super) fn heard(&self) -> Vec<Value> {
        let told = fs::read_to_string(self.folder.path().join("told")).unwrap_or_default();
        // The last line may not be whole yet.
        let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let bodies = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        bodies
            .flat_map(|body| {
                assert_eq!(body["type"], "events", "{body}");
                body["events"].as_array().unwrap().clone()
            })
            .collect()
    }

    /// Those that came for the first time.
    pub(super) fn distinct(&self) -> Vec<Value> {
        let mut seen = std::collections::BTreeSet::new();
        let mut events = self.heard();
        events.retain(|event| seen.insert(event["id"].as_str().unwrap().to_owned()));
        events
    }

    /// Waits until what it was told is so.
    pub(super) fn wait_until(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + DEADLINE;
        loop {
            let events = self.distinct();
            if is_so(&events) {
                return events;
            }
            assert!(Instant::now() < until, "{what} is not told: {events:?}");
            // There is no event for what another process writes into a file.
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a backend does. Run by itself it starts one and tells it something unsigned.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is told through its environment what to be")]
fn one_backend() {
    if let Ok(place) = std::env::var(PLACE) {
        let (port, folder) = place.split_once(' ').unwrap();
        return serve(port.parse().unwrap(), Path::new(folder));
    }
    let backend = Backend::start();
    let mut wire = crate::wire::Wire::connect(&format!("127.0.0.1:{}", backend.port));
    wire.ask("POST / HTTP/1.1", &["Content-Length: 2"]);
    wire.send("{}");
    assert!(wire.answer().starts_with("HTTP/1.1 401 "));
}

fn serve(port: u16, folder: &Path) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("backend listens {}", listener.local_addr().unwrap().port());
    loop {
        let (socket, _) = listener.accept().unwrap();
        let folder = folder.to_owned();
        // A connection that breaks is nobody's mistake here.
        thread::spawn(move || drop(converse(socket, &folder)));
    }
}

fn mood(folder: &Path) -> Mood {
    let place: usize = fs::read_to_string(folder.join("mood")).unwrap().parse().unwrap();
    Mood::ALL[place]
}

fn converse(socket: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut writer = socket;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = header(&head, "content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if !is_signed(&head, &body) {
            writer.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let mood = mood(folder);
        if mood == Mood::Slow {
            thread::sleep(Duration::from_millis(300));
        }
        if matches!(mood, Mood::Well | Mood::Slow | Mood::Forgetful) {
            body.push(b'\n');
            let told = folder.join("told");
            OpenOptions::new().create(true).append(true).open(told)?.write_all(&body)?;
        }
        let answer: &[u8] = match mood {
            Mood::Well | Mood::Slow => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            Mood::Busy => b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            Mood::Forgetful => b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
            Mood::Elsewhere => {
                b"HTTP/1.1 307 There\r\nLocation: /fanfare\r\nContent-Length: 0\r\n\r\n"
            }
            Mood::Babbling => b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            Mood::Curt => return Ok(()),
            Mood::Silent => loop {
                thread::sleep(Duration::from_millis(50));
                if self::mood(folder) != Mood::Silent {
                    return Ok(());
                }
            },
            Mood::Endless => {
                writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    writer.write_all(&[b'x'; 1024])?;
                    thread::sleep(Duration::from_millis(1));
                }
            }
        };
        writer.write_all(answer)?;
    }
}

fn is_signed(head: &str, body: &[u8]) -> bool {
    let named = |name| header(head, name).unwrap_or_default();
    let secret = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let mut signed =
        format!("{}.{}.", named("webhook-id"), named("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(body);
    named("webhook-signature").split(' ').filter_map(|it| it.strip_prefix("v1,")).any(|signature| {
        let tag = STANDARD.decode(signature).unwrap_or_default();
        hmac::verify(&key, &signed, &tag).is_ok()
    })
}

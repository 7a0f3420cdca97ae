//! The backend of a test: it checks that each request is signed, keeps what it was asked, and answers
//! as the test wants, or not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the server signs with.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Longer than anything should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a question is answered.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// With this.
    Json(Value),
    /// With this after a while.
    Late(Duration, Value),
    /// With these bytes, and then the connection ends.
    Bytes(Vec<u8>),
    /// With a body that does not end.
    Endless,
    /// Not at all, for as long as the backend lives.
    Never,
}

type Answering = Box<dyn Fn(&Value) -> Reply + Send + Sync>;

/// A running backend.
pub(super) struct Backend {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    answering: Answering,
    asked: Mutex<Vec<Value>>,
    complaints: Mutex<Vec<String>>,
    sockets: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

impl Backend {
    pub(super) fn start(answering: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", answering)
    }

    /// As [`Self::start`], where another was before.
    pub(super) fn start_at(
        address: &str,
        answering: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let until = Instant::now() + DEADLINE;
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < until, "{address}: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            answering: Box::new(answering),
            asked: Mutex::default(),
            complaints: Mutex::default(),
            sockets: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                serving.sockets.lock().unwrap().push(socket.try_clone().unwrap());
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.serve(socket));
            }
        });
        Self { address, shared }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it was asked since this was last called.
    pub(super) fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }

    /// The same, as the types of the questions.
    pub(super) fn types(&self) -> Vec<String> {
        let asked = self.asked();
        asked.iter().map(|it| it["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until it was asked so often.
    pub(super) fn wait_for(&self, count: usize) {
        let until = Instant::now() + DEADLINE;
        while self.shared.asked.lock().unwrap().len() < count {
            assert!(Instant::now() < until, "it was not asked {count} times");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the accept, which sees that it is over.
        let _gone = TcpStream::connect(&self.address);
        for socket in self.shared.sockets.lock().unwrap().drain(..) {
            let _gone = socket.shutdown(Shutdown::Both);
        }
        let complaints = self.shared.complaints.lock().unwrap();
        assert!(complaints.is_empty() || thread::panicking(), "{complaints:?}");
    }
}

impl Shared {
    fn serve(&self, socket: TcpStream) {
        let mut writer = socket.try_clone().unwrap();
        let mut reader = BufReader::new(socket);
        while let Some((head, sent)) = request(&mut reader) {
            if let Err(complaint) = check(&head, &sent) {
                self.complaints.lock().unwrap().push(complaint);
            }
            let question: Value = serde_json::from_slice(&sent).unwrap_or_default();
            self.asked.lock().unwrap().push(question.clone());
            let reply = (self.answering)(&question);
            let answer = match reply {
                Reply::Json(answer) => answer,
                Reply::Late(after, answer) => {
                    thread::sleep(after);
                    answer
                }
                Reply::Bytes(bytes) => {
                    let _gone = writer.write_all(&bytes);
                    let _gone = writer.shutdown(Shutdown::Both);
                    return;
                }
                Reply::Endless => {
                    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[";
                    let _gone = writer.write_all(head);
                    while writer.write_all(&[b' '; 1024]).is_ok() {}
                    return;
                }
                Reply::Never => {
                    // Until the other end, or the test, has had enough.
                    let _gone = reader.read(&mut [0; 1]);
                    return;
                }
            };
            let body = answer.to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            if writer.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The next request: its head and its body.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut body = vec![0; value(&head, "content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn value<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Whether a request is signed as Standard Webhooks says.
fn check(head: &[String], body: &[u8]) -> Result<(), String> {
    if head.first().map(String::as_str) != Some("POST /hook HTTP/1.1") {
        return Err(format!("another request: {:?}", head.first()));
    }
    let get = |name: &str| value(head, name).ok_or_else(|| format!("no {name}"));
    let (id, timestamp) = (get("webhook-id")?, get("webhook-timestamp")?);
    let seconds: u64 = timestamp.parse().map_err(|_no| format!("the time {timestamp}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if now.abs_diff(seconds) > 60 {
        return Err(format!("the time {timestamp}"));
    }
    if get("content-type")? != "application/json" {
        return Err("another type".to_owned());
    }
    let secret = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)));
    match get("webhook-signature")?.split(' ').any(|one| one == expected) {
        true => Ok(()),
        false => Err("a wrong signature".to_owned()),
    }
}

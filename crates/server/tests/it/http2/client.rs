//! A client of HTTP/2 whose calls block, each with a deadline.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::server::Server;

/// Longer than any answer should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    runtime: Arc<Runtime>,
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

/// The head of an answer and what comes behind it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// What comes of one stream, and the way back on it.
#[derive(Debug)]
pub(crate) struct Body {
    runtime: Arc<Runtime>,
    stream: RecvStream,
    sender: Option<SendStream<Bytes>>,
    read: Vec<u8>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Cleanly.
    Closed,
    /// By RST_STREAM.
    Reset(Reason),
    /// With its connection.
    Lost,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        let mut settings = Builder::new();
        // As browsers do: a stream that is not read holds up no other.
        settings.initial_connection_window_size(16 << 20);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let authority = server.address().to_owned();
        let (send, connection) = runtime.block_on(async {
            let socket = TcpStream::connect(&authority).await.unwrap();
            timeout(DEADLINE, settings.handshake(socket)).await.unwrap().unwrap()
        });
        let connection = runtime.spawn(connection);
        Self { runtime: Arc::new(runtime), send, connection, authority }
    }

    /// Asks, and sends a body if there is one. Gives the answer's head.
    pub(crate) fn ask(
        &mut self,
        (method, target): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        self.try_ask((method, target), headers, body).unwrap()
    }

    /// As [`Self::ask`], for what may fail.
    pub(crate) fn try_ask(
        &mut self,
        (method, target): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, h2::Error> {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{target}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(()).unwrap(), body.map(|body| Some(Bytes::copy_from_slice(body))))
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(("GET", target), &[], None)
    }

    /// Publishes, and gives the status and the answer.
    pub(crate) fn post(&mut self, target: &str, body: &[u8]) -> (u16, String) {
        let mut answer = self.ask(("POST", target), &[], Some(body));
        (answer.status.as_u16(), answer.body.whole())
    }

    /// A stream of Server-Sent Events.
    pub(crate) fn events(&mut self, target: &str) -> Answer {
        self.ask(("GET", target), &[("accept", "text/event-stream")], None)
    }

    /// A WebSocket, or why there is none.
    pub(crate) fn websocket(&mut self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.connect_to(
            "websocket",
            target,
            &[&[("sec-websocket-version", "13")], headers].concat(),
        )
    }

    /// An extended CONNECT.
    pub(crate) fn connect_to(
        &mut self,
        protocol: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        // The server's settings have to have come.
        let ready = async {
            while !self.send.is_extended_connect_protocol_enabled() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        self.runtime.block_on(async { timeout(DEADLINE, ready).await.unwrap() });
        let mut request =
            Request::builder().method("CONNECT").uri(format!("http://{}{target}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(Protocol::from(protocol));
        self.send(request, Some(None)).unwrap()
    }

    /// Sends a request: without a body, with this one, or with a stream that stays open.
    fn send(
        &mut self,
        request: Request<()>,
        body: Option<Option<Bytes>>,
    ) -> Result<Answer, h2::Error> {
        let runtime = Arc::clone(&self.runtime);
        let asking = async {
            poll_fn(|context| self.send.poll_ready(context)).await?;
            let (answer, mut sender) = self.send.send_request(request, body.is_none())?;
            let keeps_open = body == Some(None);
            if let Some(Some(bytes)) = body {
                // A server that refuses it may have ended the stream already; its answer says why.
                let _refused = sender.send_data(bytes, true);
            }
            let (head, stream) = answer.await?.into_parts();
            let sender = keeps_open.then_some(sender);
            let body =
                Body { runtime: Arc::clone(&self.runtime), stream, sender, read: Vec::new() };
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        runtime.block_on(async { timeout(DEADLINE, asking).await.expect("an answer in time") })
    }

    /// Waits for the end of the connection.
    pub(crate) fn ended(self) -> Result<(), h2::Error> {
        drop(self.send);
        let ended = self.runtime.block_on(async { timeout(DEADLINE, self.connection).await });
        ended.expect("an end in time").unwrap()
    }
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Body {
    /// Takes the next part in. None at the end.
    fn fill(&mut self) -> Option<End> {
        let stream = &mut self.stream;
        let next = async { timeout(DEADLINE, stream.data()).await };
        match self.runtime.block_on(next).expect("something in time") {
            None => Some(End::Closed),
            Some(Err(error)) => match error.reason() {
                Some(reason) if error.is_reset() => Some(End::Reset(reason)),
                _ => Some(End::Lost),
            },
            Some(Ok(bytes)) => {
                self.read.extend_from_slice(&bytes);
                let _closed = self.stream.flow_control().release_capacity(bytes.len());
                None
            }
        }
    }

    /// Everything up to this text, and it.
    pub(crate) fn until(&mut self, pattern: &str) -> String {
        loop {
            let found = self.read.windows(pattern.len()).position(|at| at == pattern.as_bytes());
            if let Some(at) = found {
                return String::from_utf8(self.take(at + pattern.len())).unwrap();
            }
            let ended = self.fill();
            let read = String::from_utf8_lossy(&self.read);
            assert_eq!(ended, None, "ended before {pattern:?}: {read}");
        }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            let ended = self.fill();
            assert_eq!(ended, None, "ended with {} bytes", self.read.len());
        }
        self.read.drain(..length).collect()
    }

    /// Everything, of which the end is a clean one.
    pub(crate) fn whole(&mut self) -> String {
        let (text, end) = self.end();
        assert_eq!(end, End::Closed, "{text}");
        text
    }

    /// What is left, and how it ends.
    pub(crate) fn end(&mut self) -> (String, End) {
        loop {
            if let Some(end) = self.fill() {
                return (String::from_utf8_lossy(&std::mem::take(&mut self.read)).into(), end);
            }
        }
    }

    /// A frame of a WebSocket: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        let length = match head[1] {
            126 => self.take(2),
            127 => self.take(8),
            short => vec![short],
        };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (head[0], self.take(length))
    }

    /// Sends on a stream that was left open.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let sender = self.sender.as_mut().unwrap();
        sender.send_data(Bytes::copy_from_slice(bytes), false).unwrap();
    }

    /// Ends its own side.
    pub(crate) fn say_no_more(&mut self) {
        self.sender.as_mut().unwrap().send_data(Bytes::new(), true).unwrap();
    }

    /// Sends this over and over until the server has taken nothing for half a second, or so much.
    /// Says how much it took.
    pub(crate) fn flood(&mut self, bytes: &Bytes, most: usize) -> usize {
        let sender = self.sender.as_mut().unwrap();
        let mut sent = 0;
        let flooding = async {
            while sent < most {
                sender.reserve_capacity(bytes.len());
                let room = poll_fn(|context| sender.poll_capacity(context));
                match timeout(Duration::from_millis(500), room).await {
                    Ok(Some(Ok(0))) => {}
                    Ok(Some(Ok(room))) => {
                        // It goes on where it was cut, so that frames stay whole.
                        let at = sent % bytes.len();
                        let part = bytes.slice(at..(at + room).min(bytes.len()));
                        sent += part.len();
                        sender.send_data(part, false).unwrap();
                    }
                    _ => return,
                }
            }
        };
        self.runtime.block_on(flooding);
        sent
    }

    /// Takes the request back.
    pub(crate) fn reset(mut self) {
        if let Some(sender) = &mut self.sender {
            sender.send_reset(Reason::CANCEL);
        }
    }
}

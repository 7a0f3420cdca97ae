//! Readers of one channel over each transport: what came, item by item, whatever carried it.

mod body;
mod incoming;
mod item;
mod place;
mod poll;
mod stream;
mod websocket;

use std::time::Duration;

pub(crate) use body::{Body, Framing};
pub(crate) use incoming::{Broken, Incoming};
pub(crate) use item::{Ending, Gap, Item, Message};
pub(crate) use place::Place;
pub(crate) use websocket::Frames;

/// What carries the publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Server-Sent Events.
    Sse,
    /// One JSON object a line.
    Ndjson,
    /// WebSocket with the native subprotocol.
    V1,
    /// WebSocket with bare payloads.
    Raw,
    /// Long-poll, asked again from its own cursor.
    Poll,
}

impl Carrier {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Sse, Self::Ndjson, Self::V1, Self::Raw, Self::Poll];
}

/// Which part of the server the reader's connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// The first request of a connection, which a shard reads.
    Shard,
    /// A request on a connection that hyper owns already, because it has answered a chunked POST.
    Edge,
}

/// Where the request says from which place to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// In `since=`.
    Since,
    /// In the `Last-Event-ID` header.
    LastEventId,
}

/// One attach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attach<'a> {
    pub(crate) address: &'a str,
    pub(crate) carrier: Carrier,
    pub(crate) channel: &'a str,
    /// As it stands in the request; none for `now`.
    pub(crate) from: Option<&'a str>,
    pub(crate) said: Said,
    pub(crate) via: Via,
}

/// A reader that has been answered.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The `Fanfare-Cursor` of the answer, which for a poll is where the answer ends.
    pub(crate) cursor: String,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Stream(Box<stream::Stream>),
    Socket(Box<websocket::Socket>),
    Poll(Box<poll::Poll>),
}

impl Attach<'_> {
    /// Connects, asks and waits for the head of the answer.
    pub(crate) fn open(self) -> Result<Reader, Broken> {
        let mut incoming = Incoming::try_connect(self.address)?;
        if self.via == Via::Edge {
            let request = "POST /c/beside HTTP/1.1\r\nHost: localhost\r\n\
                Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
            incoming.send(request.as_bytes())?;
            let (head, _) = incoming.answer()?;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        }
        if self.carrier == Carrier::Poll {
            let poll = poll::Poll::ask(incoming, &self)?;
            return Ok(Reader {
                cursor: poll.cursor.clone(),
                transport: Transport::Poll(Box::new(poll)),
            });
        }
        incoming.send(self.request().as_bytes())?;
        let head = incoming.head()?;
        let cursor = header(&head, "fanfare-cursor").unwrap_or_default().to_owned();
        let transport = match self.carrier {
            Carrier::V1 | Carrier::Raw => {
                assert!(head.starts_with("HTTP/1.1 101"), "{head}");
                let socket = websocket::Socket::new(Frames::new(incoming), self.carrier);
                Transport::Socket(Box::new(socket))
            }
            _ => {
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                Transport::Stream(Box::new(stream::Stream::new(incoming, self.carrier)))
            }
        };
        Ok(Reader { cursor, transport })
    }

    /// The lines of the request that say from where; the first belongs to the query.
    fn start(&self) -> (String, String) {
        match (self.from, self.said) {
            (None, _) => (String::new(), String::new()),
            (Some(from), Said::Since) => (format!("&since={from}"), String::new()),
            (Some(from), Said::LastEventId) => {
                (String::new(), format!("Last-Event-ID: {from}\r\n"))
            }
        }
    }

    fn request(&self) -> String {
        let (query, line) = self.start();
        let channel = self.channel;
        let (options, upgrade) = match self.carrier {
            Carrier::Sse => ("as=sse", String::new()),
            Carrier::Ndjson => ("as=ndjson", String::new()),
            Carrier::Poll => ("wait=30", String::new()),
            Carrier::V1 => ("x=1", websocket::upgrade("fanfare.v1")),
            Carrier::Raw => ("x=1", websocket::upgrade("fanfare.raw")),
        };
        let target = format!("/c/{channel}?{options}{query}");
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{line}\r\n")
    }
}

impl Reader {
    /// The next thing that the reader is told; waits for it.
    pub(crate) fn next(&mut self) -> Item {
        match &mut self.transport {
            Transport::Stream(stream) => stream.next(),
            Transport::Socket(socket) => socket.next(),
            Transport::Poll(poll) => poll.next(),
        }
    }

    /// How long a read waits before the test fails.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        match &mut self.transport {
            Transport::Stream(stream) => stream.incoming().patience = patience,
            Transport::Socket(socket) => socket.frames.incoming.patience = patience,
            Transport::Poll(poll) => poll.incoming.patience = patience,
        }
    }
}

/// A header's value in an answer's head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    crate::wire::header(head, name)
}

//! Reading: streams, `HEAD` and history.

use bytes::Bytes;
use fanfare_core::code::{Code, Retry};
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::publication::SessionId;
use fanfare_core::rate::Rate;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{Answer, Opened, Opening, Request};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::head::Version;
use fanfare_protocol::native::history::{self, HistoryRequest};
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::packing::{ContentCoding, Packing};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{OpeningEvent, Reading, Transport};
use fanfare_protocol::native::response::{Media, ResponseHead};
use fanfare_protocol::native::session::Session;
use fanfare_protocol::native::{ndjson, sse};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::answer::{self, AnswerBody, Answered};
use super::ask;
use super::connection::Origin;
use super::rewound::Ending;
use super::stream::{Cut, Streaming, Words};
use crate::auth::Caller;
use crate::limit::ClientAddress;
use crate::node::{Changes, Letter};
use crate::pipe::{Common, PipeItem, PipeReader, pipe};

impl Shared {
    /// Makes a subscriber on the shard with the fewest connections. The end of one that comes from
    /// nowhere is not told.
    pub(super) fn subscribe(
        &self,
        reading: Reading,
        (caller, changes): (Caller, Changes),
        address: Option<ClientAddress>,
        common: Option<Arc<Common>>,
    ) -> Result<Subscriber, Problem> {
        let secret = super::random::session()?;
        let shard = self.load.lightest();
        let Some(mailbox) = self.node.mailboxes().get(usize::from(shard)) else {
            return Err(Problem::of(Code::NotApplied));
        };
        let pace = reading.pace();
        // Counted here, so that the next one sees it however busy the shard is.
        self.load.arrive(shard);
        let (writer, reader) = pipe(mailbox.clone(), common);
        mailbox.put(Letter::Subscriber {
            opening: Box::new(Opening {
                format: reading.format,
                subscriptions: reading.subscriptions,
                carried: reading.carried,
                session: secret,
                echo: reading.echo,
                attendance: reading.attendance,
                pace,
            }),
            caller,
            changes,
            address,
            pipe: writer,
        });
        Ok(Subscriber { pipe: reader, secret, shard })
    }

    /// Answers with a stream.
    pub(super) async fn stream(
        &self,
        reading: Reading,
        (caller, address): (&Caller, ClientAddress),
        from: &Origin,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let (words, form) = self.words(&reading, &from.ending);
        let (format, coding) = (reading.format, reading.coding);
        let begun = match self.begin(reading, caller, (address, from.common())).await {
            Ok(begun) => begun,
            Err(problem) => return Ok(self.refuse_stream(&problem, words, coding, origin)),
        };
        if !begun.channels.is_empty() && begun.channels.iter().all(|channel| channel.over) {
            return Ok(answer::empty(204, Some(&begun.cursor), origin));
        }
        let opening = self.opening(&begun, format, form);
        let media = media_of(&words.transport);
        let streaming = Streaming::new(&opening, Some(begun.pipe), words, &self.cells);
        let head =
            ResponseHead::new(200, media, origin).with_cursor(&begun.cursor).with_coding(coding);
        Ok(answer::with_head(&head, AnswerBody::stream(streaming)))
    }

    /// Subscribes, and waits until every channel has said where it stands.
    async fn begin(
        &self,
        mut reading: Reading,
        caller: &Caller,
        (address, common): (ClientAddress, Option<Arc<Common>>),
    ) -> Result<Begun, Problem> {
        let max_rate = reading.max_rate;
        if self.draining() {
            return Err(Problem::of(Code::Draining));
        }
        let from = std::mem::take(&mut reading.from);
        // Bare payloads do not say which channel they are of.
        let text = reading.format.plain() == Format::Text;
        let changes = if text { Changes::Refused } else { Changes::Taken };
        let subscriber =
            self.subscribe(reading, (caller.clone(), changes), Some(address), common)?;
        match subscriber.pipe.next().await {
            Some(PipeItem::Opened { channels, cursor }) => {
                let session = subscriber.session()?;
                Ok(Begun { pipe: subscriber.pipe, session, channels, cursor, from, max_rate })
            }
            Some(PipeItem::Refused(code)) => Err(Problem::of(code)),
            // The shard drains or ended before the stream began.
            _ => Err(Problem::of(Code::Draining)),
        }
    }

    fn words(&self, reading: &Reading, ending: &Ending) -> (Words, OpeningEvent) {
        let words = Words {
            transport: reading.transport.clone(),
            heartbeat: reading.heartbeat,
            packing: Packing::of(reading.format),
            drain_retry: super::random::within(self.options.drain_retry),
            cut: match reading.version {
                Version::Http10 => Cut::Reset(ending.clone()),
                Version::Http11 | Version::Http2 => Cut::Unfinished,
            },
        };
        (words, reading.opening)
    }

    fn opening(&self, begun: &Begun, format: Format, form: OpeningEvent) -> Vec<u8> {
        let open = Open {
            session: begun.session,
            channels: &begun.channels,
            cursor: &begun.cursor,
            from: &begun.from,
            max_rate: begun.max_rate,
        };
        let mut out = Vec::with_capacity(512);
        match format.plain() {
            Format::Sse | Format::SseChannel | Format::SseEnvelope => {
                let retry = super::random::within(self.options.retry);
                sse::append_open(&mut out, &open, retry, form);
            }
            Format::Ndjson if form == OpeningEvent::Told => ndjson::append_open(&mut out, &open),
            _ => {}
        }
        out
    }

    /// Refuses whoever wants to read.
    pub(super) fn refuse_reader(
        &self,
        problem: &Problem,
        reading: &Reading,
        from: &Origin,
        origin: &AllowedOrigin,
    ) -> Answered {
        self.refuse_stream(problem, self.words(reading, &from.ending).0, reading.coding, origin)
    }

    fn refuse_stream(
        &self,
        problem: &Problem,
        words: Words,
        coding: ContentCoding,
        origin: &AllowedOrigin,
    ) -> Answered {
        if words.transport == Transport::Sse && problem.retry() != Retry::Never {
            return self.refuse_softly(problem, words, coding, origin);
        }
        self.refused(problem, origin)
    }

    /// Refuses an `EventSource`, which would give up for ever at any status but 200, so that it
    /// comes back.
    fn refuse_softly(
        &self,
        problem: &Problem,
        words: Words,
        coding: ContentCoding,
        origin: &AllowedOrigin,
    ) -> Answered {
        self.cells.refused(problem.code());
        let mut out = Vec::new();
        // Who came too often is not asked to come back before it would be let in.
        let after = problem.retry_after().map_or(0, u64::from);
        let retry = words.drain_retry.max(Duration::from_secs(after));
        sse::append_refusal(&mut out, problem, retry);
        let words = Words { packing: Packing::Plain, ..words };
        let streaming = Streaming::new(&out, None, words, &self.cells);
        let head = ResponseHead::new(200, Media::EventStream, origin).with_coding(coding.plain());
        answer::with_head(&head, AnswerBody::stream(streaming))
    }

    /// The head that a `GET` would get, with the cursor.
    pub(super) async fn head_only(
        &self,
        reading: &Reading,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let standing = self.standing(reading).await?;
        let poll = matches!(reading.transport, Transport::Poll { .. });
        if standing.over && !poll {
            return Ok(answer::empty(204, Some(&standing.cursor), origin));
        }
        let media = media_of(&reading.transport);
        let head = ResponseHead::new(200, media, origin)
            .with_cursor(&standing.cursor)
            .with_coding(reading.coding);
        Ok(answer::with_head(&head, AnswerBody::whole(Bytes::new())))
    }

    /// A part of a channel's history.
    pub(super) async fn history(
        &self,
        request: HistoryRequest,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let channel = request.channel;
        let question = Request::History(request.query);
        let asked = ask::question(&self.node, channel.clone(), question);
        match asked.answer().await {
            Answer::History(page) => {
                let cursor = history::answer_cursor(&page);
                let body = history::answer(&page);
                Ok(answer::whole(Media::Json, body, Some(&cursor), origin))
            }
            Answer::Refused(refusal) => Err(Problem::refused(&channel, refusal)),
            other => Err(super::unexpected(&other)),
        }
    }
}

/// A reader whose channels have not answered yet.
pub(super) struct Subscriber {
    /// What it gets.
    pub pipe: PipeReader,
    secret: SessionId,
    shard: ShardId,
}

impl Subscriber {
    /// The stream, once its shard has bound it, which comes before anything is in the pipe.
    fn session(&self) -> Result<Session, Problem> {
        let connection = self.pipe.connection().ok_or_else(|| Problem::of(Code::Internal))?;
        Ok(Session { secret: self.secret, shard: self.shard, connection })
    }
}

/// A stream that stands.
struct Begun {
    pipe: PipeReader,
    session: Session,
    channels: Vec<Opened>,
    cursor: Cursor,
    from: Cow<'static, str>,
    max_rate: Option<Rate>,
}

fn media_of(transport: &Transport) -> Media {
    match transport {
        Transport::Sse => Media::EventStream,
        Transport::Ndjson => Media::Ndjson,
        Transport::Text => Media::TextStream,
        Transport::Poll { .. } => Media::Json,
        Transport::WebSocket(_) => Media::None,
    }
}

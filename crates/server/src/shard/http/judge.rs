//! What becomes of a request: answered here, a reader of this shard, or for the edge.

use std::mem::MaybeUninit;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, SessionId};
use fanfare_core::shard::Opening;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::alias::Aliases;
use fanfare_protocol::native::cors::{self, AllowedOrigin, OriginPolicy};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{BodyWanted, Reading, Transport};
use fanfare_protocol::native::response::Persistence;
use fanfare_protocol::native::route::{Route, Rules, route};

use crate::auth::{self, Access, Caller};
use crate::hooks::Questions;
use crate::hooks::events::Teller;
use crate::limit::{ClientAddress, Limiter, Peer, Sender, Terms, What};
use crate::shard::inquiry::Inquiry;
use crate::shard::options::ShardOptions;
use crate::shard::request::SocketRequest;
use crate::shard::step::Becoming;
use crate::shard::stream::Stream;
use crate::shard::websocket::{Session, Upgrade};

/// What requests are judged by; it is exchanged as a whole when the configuration is read again.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    /// The limits and periods of sockets.
    pub options: ShardOptions,
    /// What requests are read by.
    pub rules: Rules,
    /// Which paths stand for URLs of channels.
    pub aliases: Arc<Aliases>,
    /// Who may publish and read.
    pub access: Arc<Access>,
    /// Which hosts and origins are served.
    pub policy: Arc<OriginPolicy>,
    /// What each address, user and channel may do.
    pub terms: Arc<Terms>,
    /// Who holds them to that.
    pub limiter: Arc<Limiter>,
    /// Whom to tell what happens, if anybody is told.
    pub teller: Option<Teller>,
    /// What the application's backend is asked; none where it is asked nothing.
    pub hooks: Option<Arc<Questions>>,
}

/// What a request needs that is neither in its bytes nor in the rules.
#[derive(Debug, Clone, Copy)]
pub(in crate::shard) struct Given {
    pub now: UnixMillis,
    /// The identity of the reader that it may become.
    pub session: SessionId,
    /// Where it comes from.
    pub peer: Peer,
}

/// What was decided about a request.
#[derive(Debug)]
pub(super) enum Decision {
    PartialHead,
    /// The request needs so many bytes in all.
    PartialBody(usize),
    Malformed,
    HeadTooLarge,
    HandOver,
    Publish(Post),
    Refuse(Box<Refused>),
    /// It is to be asked first who begins to read; the request is judged again then.
    Inquire(Box<Inquiry>),
    /// A reader, and the bytes of its request.
    Become(Box<Becoming>, usize),
}

/// A publish that is answered here.
#[derive(Debug)]
pub(super) struct Post {
    pub channel: ChannelName,
    pub draft: Box<Draft>,
    pub origin: AllowedOrigin,
    pub persistence: Persistence,
    /// Bytes of the whole request.
    pub bytes: usize,
}

/// A publish that is refused here: to hand over everyone who publishes too often would cost more
/// than the publishes.
#[derive(Debug)]
pub(super) struct Refused {
    pub problem: Problem,
    pub origin: AllowedOrigin,
    pub persistence: Persistence,
    /// Bytes of the whole request.
    pub bytes: usize,
}

/// Whether the backend has been asked about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Not,
    Already,
}

/// What the headers say of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Bytes(usize),
    /// Something that the edge understands better.
    Other,
}

impl Judge {
    /// Decides about the request at the front of `unread`, of which the backend may have been asked who
    /// sends it.
    pub(super) fn judge(&self, unread: &[u8], given: Given, admitted: Option<Caller>) -> Decision {
        // Left blank: filling six kilobytes for each request is a good part of a small publish.
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let head_bytes = match parsed.parse_with_uninit_headers(unread, &mut headers) {
            Ok(httparse::Status::Complete(bytes)) if bytes <= self.options.head_bytes_max => bytes,
            Ok(httparse::Status::Partial) => return Decision::PartialHead,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Decision::HeadTooLarge,
            Err(_) => return Decision::Malformed,
        };
        let pairs: Vec<_> = parsed.headers.iter().map(|it| (it.name, it.value)).collect();
        let version = match parsed.version {
            Some(0) => Version::Http10,
            _ => Version::Http11,
        };
        let method = parsed.method.unwrap_or_default();
        let target = parsed.path.unwrap_or_default();
        let asked = Head::new(method, target, version, &pairs);
        let aliased = match self.aliases.find(asked.path) {
            None => None,
            Some(alias) if alias.is_plain() => Some(alias.resolve(asked.query, 0)),
            // The edge draws what is random, and greets.
            Some(_) => return Decision::HandOver,
        };
        let head = aliased.as_ref().map_or(asked, |aliased| aliased.head(&asked));
        let body = body_of(&head);
        let behind = unread.get(head_bytes..).unwrap_or_default();
        match (method, body) {
            ("GET", Body::None) => self.judge_reading(&head, head_bytes, given, admitted),
            ("POST" | "PUT", Body::Bytes(bytes)) if self.may_be_small(&head, bytes) => {
                match behind.get(..bytes) {
                    Some(body) => self.judge_publish(&head, body, head_bytes + bytes, given),
                    None if self.may_publish(&head, given) => {
                        Decision::PartialBody(head_bytes + bytes)
                    }
                    // The edge refuses it without waiting for the body.
                    None => Decision::HandOver,
                }
            }
            _ => Decision::HandOver,
        }
    }

    /// Whether a request can be a publish that is answered here, by its head alone.
    fn may_be_small(&self, head: &Head<'_>, bytes: usize) -> bool {
        bytes <= self.options.body_bytes_max
            && head.version == Version::Http11
            && (head.path == "/c" || head.path.starts_with("/c/"))
            && !head.has("expect")
            && !head.has("upgrade")
    }

    /// Whether it may be published, by its head alone.
    fn may_publish(&self, head: &Head<'_>, given: Given) -> bool {
        let caller = self.access.sender(head, given.now);
        if self.access.may_publish_somewhere(&caller).is_err() {
            return false;
        }
        let Ok(Route::Publish(publishing)) = route(head, &self.rules, given.now) else {
            return false;
        };
        let channels = publishing.channels.iter().flatten();
        self.access.may_publish_to_any(&caller, channels, publishing.end()).is_ok()
    }

    fn judge_publish(&self, head: &Head<'_>, body: &[u8], bytes: usize, given: Given) -> Decision {
        let drafts = || {
            let origin = cors::check(head, &self.policy).ok()?;
            let Ok(Route::Publish(publishing)) = route(head, &self.rules, given.now) else {
                return None;
            };
            // Several channels have several owners; the edge gathers their answers.
            let [Ok(channel)] = publishing.channels.as_slice() else {
                return None;
            };
            let caller = self.access.sender(head, given.now);
            self.access.may_publish(&caller, channel, publishing.end()).ok()?;
            // The edge can wait for an answer.
            if self.hooks.as_ref().is_some_and(|hooks| hooks.asks_to_publish(&caller, channel)) {
                return None;
            }
            let body = Bytes::copy_from_slice(body);
            let drafts = publishing.drafts(body, caller.publisher(), &self.rules).ok()?;
            let Ok([Ok((channel, draft))]) = <[_; 1]>::try_from(drafts) else {
                return None;
            };
            let post = Post {
                channel,
                draft: Box::new(draft),
                origin,
                persistence: persistence(head),
                bytes,
            };
            Some((post, self.sender(head, &caller, given).1))
        };
        let Some((post, sender)) = drafts() else {
            return Decision::HandOver;
        };
        match self.limiter.take(&self.terms, What::Publish, &sender, [&post.channel]) {
            Ok(()) => Decision::Publish(post),
            Err(problem) => {
                let Post { origin, persistence, bytes, .. } = post;
                Decision::Refuse(Box::new(Refused { problem, origin, persistence, bytes }))
            }
        }
    }

    /// Where a request comes from, and who it counts for.
    fn sender(&self, head: &Head<'_>, caller: &Caller, given: Given) -> (ClientAddress, Sender) {
        let address = ClientAddress::of(given.peer.address, head, &self.terms.proxies);
        (address, self.limiter.sender(address, caller))
    }

    fn judge_reading(
        &self,
        head: &Head<'_>,
        bytes: usize,
        given: Given,
        admitted: Option<Caller>,
    ) -> Decision {
        let Ok(origin) = cors::check(head, &self.policy) else {
            return Decision::HandOver;
        };
        let Ok(Route::Read(reading)) = route(head, &self.rules, given.now) else {
            return Decision::HandOver;
        };
        let asked = if admitted.is_some() { Asked::Already } else { Asked::Not };
        let caller = admitted.unwrap_or_else(|| self.access.sender(head, given.now));
        // The edge can wait for the keys that its token is to be checked by.
        if caller.may_pass_soon() {
            return Decision::HandOver;
        }
        if reading.body == BodyWanted::No {
            return Decision::HandOver;
        }
        if let (Asked::Not, Some(inquiry)) = (asked, self.inquiry(head, &caller, &reading, given)) {
            return Decision::Inquire(Box::new(inquiry));
        }
        let becoming = match reading.transport {
            Transport::Poll { .. } => None,
            Transport::WebSocket(_) => {
                let from = self.sender(head, &caller, given);
                Some(self.socket((caller, from), *reading, origin, given))
            }
            Transport::Sse | Transport::Ndjson | Transport::Text => {
                let from = self.sender(head, &caller, given);
                let stream = self.stream((&caller, from), *reading, origin, given);
                match (stream, asked) {
                    (Ok(becoming), _) => Some(becoming),
                    // The edge would ask again.
                    (Err(refused), Asked::Already) => Some(*refused),
                    (Err(_), Asked::Not) => None,
                }
            }
        };
        becoming.map_or(Decision::HandOver, |becoming| Decision::Become(Box::new(becoming), bytes))
    }

    /// What the backend is to be asked about a reader before it begins, if anything.
    fn inquiry(
        &self,
        head: &Head<'_>,
        caller: &Caller,
        reading: &Reading,
        given: Given,
    ) -> Option<Inquiry> {
        let hooks = self.hooks.as_ref()?;
        let transport = match reading.transport {
            Transport::Poll { .. } => return None,
            Transport::WebSocket(_) => "websocket",
            Transport::Sse => "sse",
            Transport::Ndjson => "ndjson",
            Transport::Text => "raw",
        };
        let waits = reading.refusal.is_none() && hooks.asks_to_open(caller, &reading.subscriptions);
        let address = ClientAddress::of(given.peer.address, head, &self.terms.proxies);
        waits.then(|| Inquiry::Opening {
            caller: caller.clone(),
            facts: hooks.facts(head, address, transport),
            subscriptions: reading.subscriptions.clone(),
        })
    }

    /// A stream; one that is refused is told so here only if the edge is not to.
    fn stream(
        &self,
        (caller, (address, sender)): (&Caller, (ClientAddress, Sender)),
        reading: Reading,
        origin: AllowedOrigin,
        given: Given,
    ) -> Result<Becoming, Box<Becoming>> {
        let counted = given.peer.counted;
        let may = self.access.may_open(caller, &reading.subscriptions);
        let limit = || self.limiter.open(&self.terms, &sender, counted, reading.channels());
        let may = may.and_then(|()| limit());
        let stream = Stream::new(&reading, origin, given.session, caller);
        if let Err(problem) = may {
            return Err(Box::new(Becoming::RefusedStream(stream, problem)));
        }
        tracing::debug!(%address, "a reader comes");
        let pace = reading.pace();
        let opening = Opening {
            format: reading.format,
            subscriptions: reading.subscriptions,
            carried: reading.carried,
            session: given.session,
            echo: reading.echo,
            attendance: caller.attends(reading.attendance),
            pace,
        };
        Ok(Becoming::Stream(stream, opening, (address, sender)))
    }

    fn socket(
        &self,
        (caller, (address, sender)): (Caller, (ClientAddress, Sender)),
        mut reading: Reading,
        origin: AllowedOrigin,
        given: Given,
    ) -> Becoming {
        let refusal = reading.refusal.take();
        let upgrade = Upgrade::new(&reading, origin);
        let reads = self.access.may_open(&caller, &reading.subscriptions);
        tracing::debug!(%address, "a reader comes");
        let refusal = match (&reads, refusal) {
            (Ok(()), None) => {
                let channels = reading.channels();
                self.limiter.open(&self.terms, &sender, given.peer.counted, channels).err()
            }
            (_, refusal) => refusal,
        };
        let from = (address, sender);
        let mut request = SocketRequest::of(reading, given.session, (caller, sender, address));
        let opening = request.opening();
        let session = Session::new(request, &opening.subscriptions, self);
        // A browser hides what the handshake is refused with, so these are told after it.
        let refused = match (reads, refusal) {
            (Err(problem), _) => Some(auth::told(problem)),
            (Ok(()), refusal) => refusal,
        };
        match refused {
            Some(problem) => Becoming::Refused(session.refused(upgrade, problem)),
            None => Becoming::Socket(session.upgrading(upgrade), opening, from),
        }
    }
}

fn persistence(head: &Head<'_>) -> Persistence {
    if head.lists("connection", "close") { Persistence::Close } else { Persistence::KeepAlive }
}

fn body_of(head: &Head<'_>) -> Body {
    if head.has("transfer-encoding") {
        return Body::Other;
    }
    let mut lengths = head.all("content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) => Body::None,
        (Some(length), None) => {
            let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let bytes = str::from_utf8(length).ok().filter(|_| digits);
            match bytes.and_then(|text| text.parse().ok()) {
                Some(0) if head.method == "GET" => Body::None,
                Some(bytes) => Body::Bytes(bytes),
                None => Body::Other,
            }
        }
        _ => Body::Other,
    }
}

/// Headers of a request at most; with more, its head is too large.
const HEADERS_MAX: usize = 100;

//! From a request to its answer: checks first, then the one place that knows all routes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::Answer;
use fanfare_core::time::UnixMillis;
use fanfare_protocol::native::cors::{self, AllowedOrigin};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{BodyWanted, Reading, Transport};
use fanfare_protocol::native::response::{Media, ResponseHead};
use fanfare_protocol::native::route::{self, Route};
use http::{Request, request};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::ext::Protocol;

use super::answer::{self, AnswerBody, Answered};
use super::body::{self, BodyRules};
use super::connection::Origin;
use super::{Shared, operations, page};
use crate::auth::{self, Caller};
use crate::clerk::LARGE_BYTES;
use crate::hooks::Facts;
use crate::limit::{ClientAddress, Sender, What};

impl Shared {
    /// Answers a request, whatever it is.
    pub(super) async fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
        from: &Arc<Origin>,
    ) -> Answered {
        let (parts, mut incoming) = request.into_parts();
        if let Some(answer) = operations::answer(self, &parts).await {
            return answer;
        }
        let headers = headers(&parts);
        let asked = head(&parts, &headers);
        let allowed = match cors::check(&asked, &self.policy) {
            Ok(allowed) => allowed,
            Err(problem) => {
                return self.refuse(&problem, &AllowedOrigin::None, &mut incoming, &parts).await;
            }
        };
        let alias = self.aliases.find(asked.path);
        let aliased = match alias.map(|alias| self.resolve(alias, asked.query)).transpose() {
            Ok(aliased) => aliased,
            Err(problem) => return self.refuse(&problem, &allowed, &mut incoming, &parts).await,
        };
        let head = aliased.as_ref().map_or(asked, |aliased| aliased.head(&asked));
        let route = match route::route(&head, &self.rules, unix_millis()) {
            Ok(route) => route,
            Err(problem) => return self.refuse(&problem, &allowed, &mut incoming, &parts).await,
        };
        let caller = self.access.sender_in_time(&head, unix_millis).await;
        let address = ClientAddress::of(from.peer, &head, &self.terms.proxies);
        let facts = self.facts(&head, address, &route);
        let caller = self.introduced(caller, (&route, from), &facts).await;
        let sender = self.limiter.sender(address, &caller);
        let turn = if is_small(&route, &incoming) { None } else { from.turn().await };
        let mut answer = match route {
            Route::Publish(_) | Route::Batch(_) | Route::Remove(_) | Route::Change(_) => {
                let sent = (&caller, &sender, &facts);
                self.write(route, sent, incoming, (&parts, &allowed)).await
            }
            Route::Read(mut reading) => {
                if let Err(problem) = self.admit(&mut reading, &caller, (address, &sender), from) {
                    return self.refuse_reader(&problem, &reading, from, &allowed);
                }
                if let Some(alias) = alias
                    && let Err(problem) =
                        self.prepare(alias, (&reading, &caller), &mut incoming).await
                {
                    return self.refuse_reader(&problem, &reading, from, &allowed);
                }
                let outcome =
                    self.read(*reading, (caller, sender, address), (parts, from), &allowed).await;
                outcome.unwrap_or_else(|problem| self.refused(&problem, &allowed))
            }
            Route::History(_) | Route::Presence(_) => self.look(route, &caller, &allowed).await,
            Route::Preflight => preflight(&head, &allowed),
            Route::ChannelPage(channels) => match alias.zip(aliased) {
                Some((alias, aliased)) => {
                    self.lead_on(alias, &aliased, (&channels, &caller), &allowed).await
                }
                None => page::channel(&allowed),
            },
            Route::Other => match page::other(&parts, self.options.pages, &allowed) {
                Some(page) => page,
                None => self.refused(&Problem::of(Code::NotFound), &allowed),
            },
        };
        answer.body_mut().take_turn(turn);
        answer
    }

    /// What is to be seen of a channel without reading on: its history, and its members.
    async fn look(&self, route: Route, caller: &Caller, allowed: &AllowedOrigin) -> Answered {
        let outcome = match route {
            Route::History(request) => match self.access.may_look_back(caller, &request.channel) {
                Ok(()) => self.history(*request, allowed).await,
                Err(problem) => Err(problem),
            },
            Route::Presence(request) => match self.access.may_list(caller, &request.channel) {
                Ok(()) => self.presence(*request, allowed).await,
                Err(problem) => Err(problem),
            },
            _ => Err(Problem::of(Code::NotFound)),
        };
        outcome.unwrap_or_else(|problem| self.refused(&problem, allowed))
    }

    /// Whether somebody who may read has not come too often, or on too many connections. A WebSocket
    /// is told after its handshake, since browsers hide what that is refused with.
    fn admit(
        &self,
        reading: &mut Reading,
        caller: &Caller,
        (address, sender): (ClientAddress, &Sender),
        from: &Origin,
    ) -> Result<(), Problem> {
        // Whoever is refused for another reason is told that one, and whoever is told where a
        // stream would begin does not begin it.
        if reading.body == BodyWanted::No
            || self.access.may_open(caller, &reading.subscriptions).is_err()
        {
            return Ok(());
        }
        let (terms, channels) = (&self.terms, reading.channels());
        let outcome = match reading.transport {
            Transport::Poll { .. } => {
                // It is counted while it waits only where it has no connection of its own.
                if from.shares_connection() {
                    self.limiter.room(terms, sender, from.peer().counted)?;
                }
                return self.limiter.take(terms, What::Subscribe, sender, channels);
            }
            _ => self.limiter.open(terms, sender, from.peer().counted, channels),
        };
        match (outcome, &reading.transport) {
            (Ok(()), _) => {
                from.attribute(sender);
                tracing::debug!(%address, "a reader comes");
            }
            (Err(problem), Transport::WebSocket(_)) => {
                reading.refusal.get_or_insert(problem);
            }
            (Err(problem), _) => return Err(problem),
        }
        Ok(())
    }

    /// What changes channels or streams: who may is decided before a byte of the body is read.
    async fn write(
        &self,
        route: Route,
        (caller, sender, facts): Asker<'_>,
        mut incoming: Incoming,
        (parts, allowed): (&request::Parts, &AllowedOrigin),
    ) -> Answered {
        let may = match &route {
            Route::Publish(publishing) => {
                let (channels, end) = (publishing.channels.iter().flatten(), publishing.end());
                let may = self.access.may_publish_to_any(caller, channels.clone(), end);
                // Who may not publish to a channel uses up nothing of what others may.
                let theirs =
                    |channel: &&ChannelName| self.access.may_publish(caller, channel, end).is_ok();
                let theirs = channels.filter(theirs);
                may.and_then(|()| self.limiter.take(&self.terms, What::Publish, sender, theirs))
            }
            Route::Remove(channels) => {
                self.access.may_remove_any(caller, channels.iter().flatten())
            }
            // Whose the stream is, only its shard knows.
            Route::Change(_) => self.access.may_open(caller, &[]),
            _ => self.access.may_publish_somewhere(caller),
        };
        let outcome = match may {
            Ok(()) => self.change(route, (caller, sender, facts), &mut incoming, allowed).await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(answer) => answer,
            Err(problem) => self.refuse(&problem, allowed, &mut incoming, parts).await,
        }
    }

    async fn change(
        &self,
        route: Route,
        (caller, sender, facts): Asker<'_>,
        incoming: &mut Incoming,
        allowed: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let rules = self.body_rules(&route);
        let mut stake = self.limiter.stake(&self.terms);
        match route {
            Route::Publish(publishing) => {
                let body = body::read(incoming, rules, &mut stake).await?;
                self.publish(*publishing, body, (caller, facts), allowed).await
            }
            Route::Batch(request) => {
                let body = body::read(incoming, rules, &mut stake).await?;
                self.batch(request, body, (caller, sender, facts), allowed).await
            }
            Route::Change(session) => {
                let body = body::read(incoming, rules, &mut stake).await?;
                self.change_stream(session, body, (caller, sender, facts), allowed).await
            }
            Route::Remove(channels) => {
                body::discard(incoming).await;
                self.remove(channels, caller, allowed).await
            }
            _ => Err(Problem::of(Code::Internal)),
        }
    }

    /// Has a body read: here if it is small, else by a clerk.
    pub(super) async fn read_body<T: Send + 'static>(
        &self,
        bytes: usize,
        read: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        if bytes <= LARGE_BYTES {
            return read();
        }
        let broken = || Err(Problem::of(Code::Internal));
        self.node.clerks().ask(read).await.unwrap_or_else(broken)
    }

    /// What a request's body is held to.
    fn body_rules(&self, route: &Route) -> BodyRules {
        let rules =
            BodyRules { bytes_max: route.body_bytes_max(&self.rules), ..self.payload_rules() };
        let (_, hint) = rules.too_large;
        match route {
            Route::Batch(_) => BodyRules { too_large: (Code::BatchTooLarge, hint), ..rules },
            Route::Change(_) => {
                let hint = "Change fewer channels at once.";
                BodyRules { too_large: (Code::BatchTooLarge, hint), ..rules }
            }
            _ => rules,
        }
    }

    /// What reads channels.
    async fn read(
        self: &Arc<Self>,
        mut reading: Reading,
        (caller, sender, address): (Caller, Sender, ClientAddress),
        (mut parts, from): (request::Parts, &Arc<Origin>),
        allowed: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        reading.attendance = caller.attends(std::mem::take(&mut reading.attendance));
        if matches!(reading.transport, Transport::WebSocket(_)) {
            let Some(upgrade) = parts.extensions.remove() else {
                return Err(Problem::of(Code::HandshakeInvalid));
            };
            return self
                .upgrade(reading, (caller, sender, address), (upgrade, from), allowed)
                .await;
        }
        if let Err(problem) = self.access.may_open(&caller, &reading.subscriptions) {
            return Ok(self.refuse_reader(&problem, &reading, from, allowed));
        }
        self.check_presence(&reading)?;
        if reading.body == BodyWanted::No {
            return self.head_only(&reading, allowed).await;
        }
        let place = match from.place(self, &sender) {
            Ok(place) => place,
            Err(problem) => return Ok(self.refuse_reader(&problem, &reading, from, allowed)),
        };
        if let Transport::Poll { wait } = reading.transport {
            let answered = self.poll(reading, (wait, &caller), from, allowed).await;
            // It has had what it was counted for.
            drop(place);
            return answered;
        }
        let mut answered = self.stream(reading, (&caller, address), from, allowed).await?;
        answered.body_mut().take_place(place);
        from.leave_with_client();
        Ok(answered)
    }

    /// Refuses, having read the body away: a client that is still sending would otherwise be reset
    /// before it reads why.
    async fn refuse(
        &self,
        problem: &Problem,
        allowed: &AllowedOrigin,
        incoming: &mut Incoming,
        parts: &request::Parts,
    ) -> Answered {
        // Who waits for "100 Continue" sends nothing unless the body is asked for. Over HTTP/2 only
        // the one request ends (RFC 9113 §8.1).
        let read_away = parts.version != http::Version::HTTP_2
            && !parts.headers.contains_key(http::header::EXPECT);
        if read_away {
            body::discard(incoming).await;
        }
        self.refused(problem, allowed)
    }

    pub(super) fn refused(&self, problem: &Problem, allowed: &AllowedOrigin) -> Answered {
        self.cells.refused(problem.code());
        answer::problem(&auth::told(problem.clone()), allowed)
    }
}

/// Who sent a request, whom it counts for, and what the application's backend is shown of it.
pub(super) type Asker<'a> = (&'a Caller, &'a Sender, &'a Facts);

/// An answer of the hub that does not fit the question: a bug, told as one.
pub(super) fn unexpected(answer: &Answer) -> Problem {
    // What it holds may be payload, which is nobody's business here.
    let kind = std::mem::discriminant(answer);
    tracing::error!(?kind, "an owner answered another question");
    Problem::of(Code::Internal)
}

/// The headers of a request, with the pseudo-headers of HTTP/2 that HTTP/1 has headers for.
pub(super) fn headers(parts: &request::Parts) -> Vec<(&str, &[u8])> {
    let headers = parts.headers.iter();
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    if parts.version == http::Version::HTTP_2
        && let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(http::header::HOST)
    {
        headers.push(("host", authority.as_str().as_bytes()));
    }
    if let Some(protocol) = parts.extensions.get::<Protocol>() {
        headers.push((":protocol", protocol.as_str().as_bytes()));
    }
    headers
}

/// Whether a request is read and answered in little memory, however many there are of its kind: a
/// small publish, or one that takes its turn by itself when it needs one.
fn is_small(route: &Route, incoming: &Incoming) -> bool {
    match route {
        Route::Read(_) | Route::Preflight => true,
        Route::Publish(_) | Route::Change(_) => {
            let size = incoming.size_hint();
            size.upper().is_some_and(|bytes| bytes <= LARGE_BYTES as u64)
        }
        _ => false,
    }
}

pub(super) fn head<'a>(parts: &'a request::Parts, headers: &'a [(&'a str, &'a [u8])]) -> Head<'a> {
    Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        version: match parts.version {
            http::Version::HTTP_10 | http::Version::HTTP_09 => Version::Http10,
            http::Version::HTTP_2 => Version::Http2,
            _ => Version::Http11,
        },
        headers,
    }
}

fn preflight(head: &Head<'_>, allowed: &AllowedOrigin) -> Answered {
    let extra = cors::preflight_headers(head);
    let extra: Vec<(&'static str, &str)> =
        extra.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut head = ResponseHead::new(204, Media::None, allowed);
    head.extra = &extra;
    answer::with_head(&head, AnswerBody::whole(bytes::Bytes::new()))
}

/// Now, in Unix milliseconds.
pub(crate) fn unix_millis() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

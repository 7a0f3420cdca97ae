//! WebSockets that are opened on a connection which hyper owns: answered here, then given back to
//! a shard as one value. One over HTTP/2 stays here and has its session on a shard all the same.

use bytes::{Bytes, BytesMut};
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{Reading, Transport};
use fanfare_protocol::native::response::{Media, ResponseHead};
use fanfare_protocol::websocket::CloseCode;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::Shared;
use super::answer::{self, AnswerBody, Answered};
use super::connection::Origin;
use super::rewound::Rewound;
use super::socket::Socket;
use super::tunnel::{Place, say_goodbye};
use crate::auth::{self, Caller};
use crate::limit::{ClientAddress, Sender};
use crate::node::{Adoption, Letter};
use crate::shard::{SocketRequest, close_code_of};

/// What becomes of a socket behind its 101.
enum Behind {
    /// A shard takes it.
    Shard(Box<SocketRequest>),
    /// It is told why not, in a close frame, since browsers hide the answers of HTTP.
    Goodbye(CloseCode, String),
}

impl Shared {
    /// Answers 101, and gives the socket back once hyper has written that.
    pub(super) async fn upgrade(
        self: &std::sync::Arc<Self>,
        reading: Reading,
        (caller, sender, address): (Caller, Sender, ClientAddress),
        (upgrade, from): (OnUpgrade, &std::sync::Arc<Origin>),
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        if self.draining() {
            return Err(Problem::of(Code::Draining));
        }
        let Transport::WebSocket(socket) = reading.transport.clone() else {
            return Err(Problem::of(Code::Internal));
        };
        let place = from.place_of_tunnel(self, &sender)?;
        let (behind, cursor) = self.behind(reading, (caller, sender, address)).await?;
        // RFC 8441 §5: over HTTP/2 the status alone says that it is open.
        let (status, mut extra) = match place {
            Some(_) => (200, Vec::new()),
            None => (101, vec![("Connection", "Upgrade"), ("Upgrade", "websocket")]),
        };
        if place.is_none() {
            extra.push(("Sec-WebSocket-Accept", socket.accept.as_str()));
        }
        if let Some(answer) = socket.deflate {
            extra.push(("Sec-WebSocket-Extensions", answer.header()));
        }
        if let Some(subprotocol) = socket.subprotocol {
            extra.push(("Sec-WebSocket-Protocol", subprotocol));
        }
        let mut head = ResponseHead::new(status, Media::None, origin);
        head.cursor = cursor.as_ref();
        head.extra = &extra;
        let answer = answer::with_head(&head, AnswerBody::whole(Bytes::new()));
        let shared = std::sync::Arc::clone(self);
        let from = std::sync::Arc::clone(from);
        self.tracker.spawn(async move {
            match upgrade.await {
                Ok(upgraded) => shared.go_on(upgraded, &from, behind, place).await,
                Err(error) => tracing::debug!(%error, "a WebSocket went before it was open"),
            }
        });
        Ok(answer)
    }

    /// Does with a WebSocket that is open what is to become of it.
    async fn go_on(&self, upgraded: Upgraded, from: &Origin, behind: Behind, place: Option<Place>) {
        match (behind, place) {
            (Behind::Shard(request), Some(place)) => {
                self.tunnel(upgraded, from, *request, place).await;
            }
            (Behind::Goodbye(code, reason), Some(mut place)) => {
                say_goodbye(TokioIo::new(upgraded), (code, &reason)).await;
                place.stream.finish();
            }
            (behind, None) => match take_back(upgraded).await {
                Ok((socket, leftover)) => self.send_on(socket, leftover, from, behind).await,
                Err(error) => tracing::debug!(%error, "a WebSocket could not be taken back"),
            },
        }
    }

    /// What follows the handshake, and the cursor to tell in it.
    async fn behind(
        &self,
        mut reading: Reading,
        (caller, sender, address): (Caller, Sender, ClientAddress),
    ) -> Result<(Behind, Option<Cursor>), Problem> {
        let reads = self.access.may_open(&caller, &reading.subscriptions);
        let refused = reads.err().map(auth::told);
        if let Some(problem) = refused.or_else(|| reading.refusal.take()) {
            self.cells.refused(problem.code());
            let code = close_code_of(problem.code());
            return Ok((Behind::Goodbye(code, problem.close_reason()), None));
        }
        let standing = self.standing(&reading).await?;
        reading.subscriptions = standing.subscriptions;
        let session = super::random::session()?;
        let request = SocketRequest::of(reading, session, (caller, sender, address));
        Ok((Behind::Shard(Box::new(request)), Some(standing.cursor)))
    }

    /// Sends a socket where it belongs.
    async fn send_on(&self, socket: Socket, leftover: Bytes, from: &Origin, behind: Behind) {
        match behind {
            Behind::Shard(request) => self.give_back(socket, leftover, from, *request),
            Behind::Goodbye(code, reason) => say_goodbye(socket, (code, &reason)).await,
        }
    }

    fn give_back(
        &self,
        socket: Socket,
        leftover: Bytes,
        from: &Origin,
        socket_request: SocketRequest,
    ) {
        let shard = self.load.lightest();
        let mailboxes = self.node.mailboxes();
        let Some(mailbox) = mailboxes.get(usize::from(shard)) else { return };
        match (socket.into_parts(), from.take_counted()) {
            (Ok((socket, session, read)), Some(counted)) => {
                mailbox.put(Letter::Adopted(Box::new(Adoption {
                    socket,
                    session,
                    peer: from.peer,
                    leftover: joined(leftover, read),
                    socket_request,
                    counted,
                })));
            }
            (Err(error), _) => tracing::warn!(%error, "a WebSocket could not be given to a shard"),
            (Ok(_), None) => tracing::error!("a connection was given away twice"),
        }
    }
}

/// Takes the socket out of hyper's hands, with what it had read ahead.
async fn take_back(upgraded: Upgraded) -> std::io::Result<(Socket, Bytes)> {
    let Parts { io, read_buf, .. } = upgraded
        .downcast::<TokioIo<Rewound>>()
        .map_err(|_other| std::io::Error::other("hyper gave back another kind of socket"))?;
    let mut rewound = io.into_inner();
    rewound.flush().await?;
    let (socket, rest) = rewound.into_parts()?;
    Ok((socket, joined(read_buf, rest)))
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    if second.is_empty() {
        return first;
    }
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(&first);
    both.extend_from_slice(&second);
    both.freeze()
}

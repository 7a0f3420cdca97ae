//! What a WebSocket's request asked for, while it travels between threads.

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::presence::Attendance;
use fanfare_core::publication::SessionId;
use fanfare_core::rate::Pace;
use fanfare_core::shard::{Echo, Opening};
use fanfare_core::start::Subscription;
use fanfare_protocol::native::reading::{Heartbeat, Pong, Reading, Transport};

use crate::auth::Caller;
use crate::limit::{ClientAddress, Sender};

/// What a WebSocket's request asked for, decoded and checked.
#[derive(Debug, Clone)]
pub(crate) struct SocketRequest {
    /// [`Format::WebSocketRaw`] or [`Format::WebSocketV1`], or one of them deflated.
    pub format: Format,
    /// The channels of the URL and where each starts.
    pub subscriptions: Vec<Subscription>,
    /// Cursor entries of other channels.
    pub carried: Cursor,
    /// The identity of the connection.
    pub session: SessionId,
    /// Whether it gets its own publications back.
    pub echo: Echo,
    /// As whom it comes.
    pub attendance: Attendance,
    /// Whether it gets everything or only what is newest, and how often.
    pub pace: Pace,
    /// How often it is pinged.
    pub heartbeat: Heartbeat,
    /// How a raw socket's text `ping` is answered.
    pub pong: Pong,
    /// Who opened it.
    pub caller: Caller,
    /// Whom it counts for.
    pub sender: Sender,
    /// Where it comes from.
    pub address: ClientAddress,
}

impl SocketRequest {
    /// The request that `reading`, whose transport is a WebSocket, was read from.
    pub(crate) fn of(
        reading: Reading,
        session: SessionId,
        (caller, sender, address): (Caller, Sender, ClientAddress),
    ) -> Self {
        let pace = reading.pace();
        let pong = match reading.transport {
            Transport::WebSocket(socket) => socket.pong,
            _ => Pong::Off,
        };
        Self {
            format: reading.format,
            subscriptions: reading.subscriptions,
            carried: reading.carried,
            session,
            echo: reading.echo,
            attendance: caller.attends(reading.attendance),
            pace,
            heartbeat: reading.heartbeat,
            pong,
            caller,
            sender,
            address,
        }
    }

    /// What the core is asked to open.
    pub(super) fn opening(&mut self) -> Box<Opening> {
        Box::new(Opening {
            format: self.format,
            subscriptions: std::mem::take(&mut self.subscriptions),
            carried: self.carried.clone(),
            session: self.session,
            echo: self.echo,
            attendance: std::mem::take(&mut self.attendance),
            pace: self.pace,
        })
    }
}

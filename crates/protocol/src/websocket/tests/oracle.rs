//! Tungstenite as the judge, in both directions and on damaged streams.
//!
//! The two must agree on every event and on where a stream is refused, but for what RFC 6455
//! leaves open or tungstenite leaves out:
//!
//! - It accepts lengths that are not in their shortest form; section 5.2 forbids them. In a control
//!   frame we call each of the longer forms too long.
//! - It judges a frame when all of it is there, we as soon as a byte cannot be right; so a stream
//!   that ends within a frame may be refused by us and merely be unfinished to it.
//! - It turns a close code that may not be sent into a close with 1002 instead of an error, and
//!   counts 1014, which IANA has registered since, among them.

use std::io::{Cursor, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::super::{CloseCode, Decoder, Event, Frame, MessageKind, Role, Violation, append_frame};
use super::property::{role, sent};
use super::{Outcome, decode_chunked, decode_whole};

/// At most this many bytes a message on both sides; more than a control frame may have.
const ORACLE_BYTES_MAX: u32 = 70_000;

/// Reads one stream, and keeps what is written apart.
struct Wire {
    received: Cursor<Vec<u8>>,
    sent: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.received.read(out)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.sent.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Verdict {
    /// Nothing wrong so far.
    Fine,
    Refused,
}

fn judge(role: Role, received: Vec<u8>) -> WebSocket<Wire> {
    let role = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let bytes_max = usize::try_from(ORACLE_BYTES_MAX).ok();
    let config = WebSocketConfig::default().max_message_size(bytes_max).max_frame_size(bytes_max);
    let wire = Wire { received: Cursor::new(received), sent: Vec::new() };
    WebSocket::from_raw_socket(wire, role, Some(config))
}

/// What tungstenite makes of a stream.
fn judgement(role: Role, stream: &[u8]) -> (Vec<Event>, Verdict) {
    let mut judge = judge(role, stream.to_vec());
    let mut events = Vec::new();
    loop {
        let event = match judge.read() {
            Ok(Message::Text(text)) => {
                Event::Message { kind: MessageKind::Text, data: text.into() }
            }
            Ok(Message::Binary(data)) => Event::Message { kind: MessageKind::Binary, data },
            Ok(Message::Ping(data)) => Event::Ping(data),
            Ok(Message::Pong(data)) => Event::Pong(data),
            Ok(Message::Close(close)) => {
                events.push(closed(close));
                return (events, Verdict::Fine);
            }
            Ok(Message::Frame(frame)) => panic!("reading never gives a bare frame: {frame}"),
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (events, Verdict::Fine),
            Err(Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_)) => {
                return (events, Verdict::Refused);
            }
            Err(other) => panic!("an error that no stream of bytes can cause: {other}"),
        };
        events.push(event);
    }
}

fn closed(close: Option<CloseFrame>) -> Event {
    let code = close.as_ref().and_then(|close| CloseCode::new(close.code.into()));
    Event::Close { code, reason: close.map_or_else(String::new, |close| close.reason.to_string()) }
}

fn agree(stream: &[u8], (events, violation): Outcome, role: Role) -> Result<(), TestCaseError> {
    let (judged, verdict) = judgement(role, stream);
    match violation {
        None if events.iter().any(is_bad_gateway) => {
            prop_assert_eq!(&events[..events.len() - 1], &judged[..judged.len() - 1]);
        }
        None => {
            prop_assert_eq!(events, judged);
            prop_assert_eq!(verdict, Verdict::Fine);
        }
        // From here on it reads another stream than we do.
        Some(Violation::LengthNotMinimal | Violation::ControlTooLong) => {
            prop_assert!(judged.starts_with(&events));
        }
        // A reason that is not UTF-8 beside the wrong code is refused by both.
        Some(Violation::CloseCodeInvalid(_)) if verdict == Verdict::Fine => {
            let reason = "Protocol violation".to_owned();
            let close = Event::Close { code: Some(CloseCode::PROTOCOL_ERROR), reason };
            prop_assert_eq!(judged.last(), Some(&close));
            prop_assert_eq!(events, &judged[..judged.len() - 1]);
        }
        Some(violation) => {
            prop_assert_eq!(events, judged);
            prop_assert!(
                verdict == Verdict::Refused || is_cut(stream, role),
                "{} is not refused by the oracle",
                violation
            );
        }
    }
    Ok(())
}

fn is_bad_gateway(event: &Event) -> bool {
    matches!(event, Event::Close { code: Some(CloseCode::BAD_GATEWAY), .. })
}

/// Whether the frame in which we refuse the stream is cut by its end: with as many bytes more as
/// that frame can want, the oracle refuses it too.
fn is_cut(stream: &[u8], role: Role) -> bool {
    let missing = usize::try_from(ORACLE_BYTES_MAX).unwrap() + 14;
    let longer = [stream, &vec![0; missing]].concat();
    judgement(role, &longer).1 == Verdict::Refused
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_streams_are_judged_alike(
        messages in vec(sent(), 0..4),
        damage in vec((any::<prop::sample::Index>(), 0_u8..8), 0..3),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        garbage in vec(any::<u8>(), 0..12),
        role in role(),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            message.append(role, &mut stream, &mut Vec::new());
        }
        if let Some(cut) = cut {
            stream.truncate(cut.index(stream.len() + 1));
        }
        stream.extend(garbage);
        for (place, bit) in damage {
            if !stream.is_empty() {
                let place = place.index(stream.len());
                stream[place] ^= 1 << bit;
            }
        }
        let mut decoder = Decoder::new(role, ORACLE_BYTES_MAX);
        let outcome = decode_chunked(&mut decoder, &stream, &[usize::MAX]);
        agree(&stream, outcome, role)?;
    }

    #[test]
    fn short_streams_of_likely_bytes_are_judged_alike(
        bytes in vec(
            prop_oneof![
                Just(0x80), Just(0x81), Just(0x82), Just(0x88), Just(0x89), Just(0x01), Just(0x00),
                Just(0xFE), Just(0x7E), 0x80_u8..0x84, any::<u8>(),
            ],
            0..40,
        ),
        role in role(),
    ) {
        let mut decoder = Decoder::new(role, ORACLE_BYTES_MAX);
        let outcome = decode_chunked(&mut decoder, &bytes, &[1]);
        agree(&bytes, outcome, role)?;
    }

    #[test]
    fn what_the_oracle_sends_we_hear(
        texts in vec(".{0,300}", 0..4),
        binary in vec(any::<u8>(), 0..66_000),
        ping in vec(any::<u8>(), 0..126),
        role in role(),
    ) {
        let sender = match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let mut sender = judge(sender, Vec::new());
        let mut expected = Vec::new();
        for text in texts {
            sender.send(Message::text(text.clone())).unwrap();
            expected.push(Event::Message { kind: MessageKind::Text, data: text.into() });
        }
        sender.send(Message::Binary(binary.clone().into())).unwrap();
        expected.push(Event::Message { kind: MessageKind::Binary, data: binary.into() });
        sender.send(Message::Ping(ping.clone().into())).unwrap();
        expected.push(Event::Ping(ping.into()));
        let close = CloseFrame { code: 4001_u16.into(), reason: "bye".into() };
        sender.close(Some(close.clone())).unwrap();
        expected.push(closed(Some(close)));
        let heard = decode_whole(role, &sender.get_ref().sent);
        prop_assert_eq!(heard, (expected, None));
    }

    #[test]
    fn what_we_send_the_oracle_hears(
        text in ".{0,300}",
        binary in vec(any::<u8>(), 0..66_000),
        ping in vec(any::<u8>(), 0..126),
        reason in ".{0,60}",
        mask in any::<[u8; 4]>(),
        role in role(),
    ) {
        let mask = match role {
            Role::Server => Some(mask),
            Role::Client => None,
        };
        let reason = super::super::cut_reason(&reason).to_owned();
        let mut stream = Vec::new();
        for frame in [
            Frame::Message { kind: MessageKind::Text, payload: text.as_bytes() },
            Frame::Ping(&ping),
            Frame::Message { kind: MessageKind::Binary, payload: &binary },
            Frame::Pong(&ping),
            Frame::Close(Some((CloseCode::GOING_AWAY, &reason))),
        ] {
            append_frame(&mut stream, &frame, mask);
        }
        let expected = vec![
            Event::Message { kind: MessageKind::Text, data: text.into() },
            Event::Ping(ping.clone().into()),
            Event::Message { kind: MessageKind::Binary, data: binary.into() },
            Event::Pong(ping.into()),
            Event::Close { code: Some(CloseCode::GOING_AWAY), reason },
        ];
        prop_assert_eq!(judgement(role, &stream), (expected, Verdict::Fine));
    }
}

//! What the codec's tests share: frames built by hand, and decoding in chunks.

mod client;
mod deflated;
mod encoder;
mod extension;
mod handshake;
mod limit;
mod oracle;
mod property;
mod sha1;
mod transcript;
mod utf8;

use super::{Decoder, Event, Role, Violation};

/// What came of a stream: its events, and the violation that ended it, if one did.
type Outcome = (Vec<Event>, Option<Violation>);

/// A mask that differs in all its bytes, so that a wrong turn of it shows.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What the tests allow a message to hold unless they say otherwise.
const PAYLOAD_BYTES_MAX: u32 = 1 << 20;

/// The mask of the peer's frames when we have this role.
fn peer_mask(role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Server => Some(MASK),
        Role::Client => None,
    }
}

/// Any frame at all, the forbidden ones included, independent of the encoder under test.
fn raw_frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(masked | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            out.push(masked | 126);
            out.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            out.push(masked | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    out.extend(mask.into_iter().flatten());
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// Decodes one input until it is used up, into `events`.
fn decode_into(
    decoder: &mut Decoder,
    mut input: &[u8],
    events: &mut Vec<Event>,
) -> Result<(), Violation> {
    while let Some(event) = decoder.decode(&mut input)? {
        events.push(event);
    }
    assert!(input.is_empty(), "asking for more leaves nothing behind");
    Ok(())
}

/// Decodes a stream that arrives in chunks of these sizes, over and over.
fn decode_chunked(decoder: &mut Decoder, mut stream: &[u8], sizes: &[usize]) -> Outcome {
    let mut events = Vec::new();
    for size in sizes.iter().cycle() {
        let (chunk, rest) =
            stream.split_at((*size).clamp(1, stream.len().max(1)).min(stream.len()));
        if let Err(violation) = decode_into(decoder, chunk, &mut events) {
            return (events, Some(violation));
        }
        stream = rest;
        if stream.is_empty() {
            break;
        }
    }
    (events, None)
}

/// Decodes a stream that arrives at once.
fn decode_whole(role: Role, stream: &[u8]) -> Outcome {
    decode_chunked(&mut Decoder::new(role, PAYLOAD_BYTES_MAX), stream, &[usize::MAX])
}

//! Whatever is sent, fragmented and interleaved in whatever way and cut into whatever chunks,
//! arrives as it was; and no stream at all depends on how it is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{CloseCode, Decoder, Event, Frame, MessageKind, Role, append_frame};
use super::{PAYLOAD_BYTES_MAX, decode_chunked, peer_mask, raw_frame};

/// One message with the sizes of its fragments and the pings before each of them.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    kind: MessageKind,
    data: Vec<u8>,
    fragment_sizes: Vec<usize>,
    pings: Vec<Vec<u8>>,
}

pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let text = prop_oneof![
        ".{0,200}".prop_map(String::into_bytes),
        "[a-z]{60,70}".prop_map(|text| text.repeat(2).into_bytes()),
    ];
    let binary = prop_oneof![
        vec(any::<u8>(), 0..300),
        (65_500_usize..65_600, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    let message = prop_oneof![
        3 => text.prop_map(|data| (MessageKind::Text, data)),
        2 => binary.prop_map(|data| (MessageKind::Binary, data)),
    ];
    let fragment_sizes = prop_oneof![Just(vec![]), vec(0_usize..80, 0..8)];
    let pings = vec(vec(any::<u8>(), 0..126), 0..4);
    (message, fragment_sizes, pings).prop_map(|((kind, data), fragment_sizes, pings)| Sent {
        kind,
        data,
        fragment_sizes,
        pings,
    })
}

impl Sent {
    /// Appends its frames to `stream` and what must come of them to `events`.
    pub(super) fn append(&self, role: Role, stream: &mut Vec<u8>, events: &mut Vec<Event>) {
        let mask = peer_mask(role);
        let mut rest = &self.data[..];
        let mut pings = self.pings.iter();
        let mut opcode = match self.kind {
            MessageKind::Text => 0x1,
            MessageKind::Binary => 0x2,
        };
        for size in &self.fragment_sizes {
            let (fragment, after) = rest.split_at((*size).min(rest.len()));
            stream.extend(raw_frame(opcode, fragment, mask));
            if let Some(ping) = pings.next() {
                append_frame(stream, &Frame::Ping(ping), mask);
                events.push(Event::Ping(ping.clone().into()));
            }
            rest = after;
            opcode = 0;
        }
        stream.extend(raw_frame(0x80 | opcode, rest, mask));
        events.push(Event::Message { kind: self.kind, data: self.data.clone().into() });
    }
}

pub(super) fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Server, Role::Client])
}

pub(super) fn chunk_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![usize::MAX]),
        vec(1_usize..20, 1..10),
        vec(1_usize..5000, 1..10),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_arrives(
        messages in vec(sent(), 0..6),
        sizes in chunk_sizes(),
        role in role(),
        close in proptest::option::of(("[a-zé🎺]{0,20}", 3000_u16..5000)),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            message.append(role, &mut stream, &mut expected);
        }
        if let Some((reason, number)) = close {
            let code = CloseCode::new(number).unwrap();
            append_frame(&mut stream, &Frame::Close(Some((code, &reason))), peer_mask(role));
            expected.push(Event::Close { code: Some(code), reason });
        }
        let mut decoder = Decoder::new(role, PAYLOAD_BYTES_MAX);
        let (events, violation) = decode_chunked(&mut decoder, &stream, &sizes);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(events, expected);
        prop_assert_eq!(decoder.pinned_bytes(), 0);
        prop_assert!(decoder.is_at_frame_boundary());
    }

    #[test]
    fn any_stream_means_the_same_however_it_is_cut(
        messages in vec(sent(), 0..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        garbage in vec(any::<u8>(), 0..30),
        sizes in chunk_sizes(),
        role in role(),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            message.append(role, &mut stream, &mut Vec::new());
        }
        stream.extend(garbage);
        for (place, byte) in damage {
            if !stream.is_empty() {
                let place = place.index(stream.len());
                stream[place] = byte;
            }
        }
        let mut whole = Decoder::new(role, 1 << 17);
        let mut chunked = Decoder::new(role, 1 << 17);
        let expected = decode_chunked(&mut whole, &stream, &[usize::MAX]);
        prop_assert_eq!(decode_chunked(&mut chunked, &stream, &sizes), expected);
        prop_assert_eq!(chunked.is_at_frame_boundary(), whole.is_at_frame_boundary());
        prop_assert!(chunked.pinned_bytes() <= 2 * stream.len() + 256);
    }
}

//! Transcripts: `>` lines are what the peer sends, in hexadecimal (`61*126` repeats a byte),
//! `<` lines what the decoder says. Each runs as written, at once and byte by byte.
//!
//! A peer who keeps to RFC 6455 would be cut off, or one who does not would be believed, if one
//! of them failed.

use super::super::{Decoder, Event, MessageKind, Role, Violation};
use super::{PAYLOAD_BYTES_MAX, decode_chunked};

const AS_SERVER: &str = "
# a masked text, RFC 6455 section 5.7
> 8185 37fa213d 7f9f4d5158
< text Hello

# nothing masked with anything is nothing
> 8180 37fa213d 8280 37fa213d
< text
< binary

# text in two fragments
> 0183 00000000 48656c
> 8082 00000000 6c6f
< text Hello

# fragments that are empty, at the start, between and at the end
> 0180 00000000 0080 00000000 0081 00000000 41 0080 00000000 8080 00000000
< text A

# a message of nothing but empty fragments
> 0280 00000000 0080 00000000 8080 00000000
< binary

# control frames between fragments come at once
> 0181 00000000 41 8982 00000000 7069 8a80 00000000 8081 00000000 42
< ping 7069
< pong
< text AB

# a close between fragments ends it all
> 0181 00000000 41 8880 00000000 8081 00000000 42
< close

# lengths of each form, in their shortest
> 82fd 00000000 61*125
> 82fe 007e 00000000 61*126
> 82fe ffff 00000000 61*65535
> 82ff 0000000000010000 00000000 61*65536
< binary 125 bytes
< binary 126 bytes
< binary 65535 bytes
< binary 65536 bytes

# the longest ping
> 89fd 00000000 61*125
< ping 125 bytes

# a close with code and reason; what comes after it is not looked at
> 8887 00000000 03e8 6166746572 ffff ffff
< close 1000 after

# a close with a code alone, of an application
> 8882 00000000 0fa2
< close 4002

# close codes at the edges of what may be sent
> 8882 00000000 03eb
< close 1003

# close code 1007
> 8882 00000000 03ef
< close 1007

# close code 1014
> 8882 00000000 03f6
< close 1014

# close code 3000
> 8882 00000000 0bb8
< close 3000

# close code 4999
> 8882 00000000 1387
< close 4999

# the longest reason
> 88fd 00000000 03e8 61*123
< close 1000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

# half a close code
> 8881 00000000 03
< violation CloseCodeCut 1002

# close code 0
> 8882 00000000 0000
< violation CloseCodeInvalid(0) 1002

# close code 999
> 8882 00000000 03e7
< violation CloseCodeInvalid(999) 1002

# close code 1004
> 8882 00000000 03ec
< violation CloseCodeInvalid(1004) 1002

# close code 1005
> 8882 00000000 03ed
< violation CloseCodeInvalid(1005) 1002

# close code 1006
> 8882 00000000 03ee
< violation CloseCodeInvalid(1006) 1002

# close code 1015
> 8882 00000000 03f7
< violation CloseCodeInvalid(1015) 1002

# close code 2999
> 8882 00000000 0bb7
< violation CloseCodeInvalid(2999) 1002

# close code 5000
> 8882 00000000 1388
< violation CloseCodeInvalid(5000) 1002

# a reason that is not UTF-8
> 8883 00000000 03e8 ff
< violation CloseReasonNotUtf8 1007

# a reason that stops within a character
> 8884 00000000 03e8 e282
< violation CloseReasonNotUtf8 1007

# reserved bit 1, as a compressed message would have it
> c185 37fa213d 7f9f4d5158
< violation ReservedBits 1002

# reserved bit 2
> a1
< violation ReservedBits 1002

# reserved bit 3, on a control frame
> 99
< violation ReservedBits 1002

# undefined data opcode
> 83
< violation UnknownOpcode(3) 1002

# undefined data opcode, the last
> 07
< violation UnknownOpcode(7) 1002

# undefined control opcode
> 8b
< violation UnknownOpcode(11) 1002

# undefined control opcode, the last
> 8f
< violation UnknownOpcode(15) 1002

# what came before an offence has been said
> 8181 00000000 41 8f
< text A
< violation UnknownOpcode(15) 1002

# a frame without a mask
> 8105
< violation UnmaskedFrame 1002

# a fragmented ping
> 09
< violation FragmentedControl 1002

# a fragmented close
> 08
< violation FragmentedControl 1002

# a ping of 126 bytes
> 89fe
< violation ControlTooLong 1002

# a close with a 64-bit length
> 88ff
< violation ControlTooLong 1002

# a continuation of nothing
> 8080 00000000
< violation UnexpectedContinuation 1002

# a continuation after the message has ended
> 0180 00000000 8080 00000000 0080 00000000
< text
< violation UnexpectedContinuation 1002

# a message inside a message
> 0181 00000000 41 8181 00000000 42
< violation InterleavedMessage 1002

# a fragmented message inside a message
> 0281 00000000 41 0281 00000000 42
< violation InterleavedMessage 1002

# a length of 125 in 16 bits
> 82fe 007d
< violation LengthNotMinimal 1002

# a length of 65535 in 64 bits
> 82ff 000000000000ffff
< violation LengthNotMinimal 1002

# a length with the high bit
> 82ff 80
< violation LengthHighBit 1002

# a message one byte beyond the limit, refused on its head
> 82ff 0000000000100001 00000000
< violation MessageTooBig { payload_bytes_max: 1048576 } 1009

# the longest length there is
> 82ff 7fffffffffffffff 00000000
< violation MessageTooBig { payload_bytes_max: 1048576 } 1009

# fragments that together are beyond the limit, refused on the head that says so
> 0281 00000000 61 80ff 0000000000100000 00000000
< violation MessageTooBig { payload_bytes_max: 1048576 } 1009

# text that is not UTF-8, refused in the middle of its frame
> 81fe 1000 00000000 48656c6c6f ff
< violation TextNotUtf8 1007

# text that stops within a character
> 8183 00000000 41e282
< violation TextNotUtf8 1007

# the same bytes are good in binary
> 8283 00000000 41e282
< binary 41e282
";

const AS_CLIENT: &str = "
# an unmasked text, RFC 6455 section 5.7
> 8105 48656c6c6f
< text Hello

# a fragmented text with a ping between, RFC 6455 section 5.7
> 0103 48656c 8905 48656c6c6f 8002 6c6f
< ping 48656c6c6f
< text Hello

# 256 bytes and 64 KiB of binary, RFC 6455 section 5.7
> 827e0100 61*256 827f0000000000010000 61*65536
< binary 256 bytes
< binary 65536 bytes

# a masked frame
> 8185
< violation MaskedFrame 1002
";

#[test]
fn a_server_hears_what_a_client_says() {
    run(AS_SERVER, Role::Server);
}

#[test]
fn a_client_hears_what_a_server_says() {
    run(AS_CLIENT, Role::Client);
}

#[test]
fn nothing_is_heard_after_a_violation_or_a_close() {
    for ended in [&[0xFF, 0xFF][..], &[0x88, 0x80, 0, 0, 0, 0]] {
        let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
        let mut input = ended;
        let first = decoder.decode(&mut input);
        assert!(matches!(first, Err(_) | Ok(Some(Event::Close { .. }))), "{first:?}");
        let mut input = &[0x81, 0x81, 0, 0, 0, 0, b'A', 0xFF][..];
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert!(input.is_empty());
        assert_eq!(decoder.pinned_bytes(), 0);
    }
}

fn run(transcripts: &str, role: Role) {
    let mut count = 0;
    for transcript in transcripts.split("\n\n").map(str::trim) {
        let name = transcript.lines().next().unwrap();
        let mut inputs = Vec::new();
        let mut expected = Vec::new();
        for line in transcript.lines().skip(1) {
            match line.split_once(' ').unwrap() {
                (">", hex) => inputs.push(bytes_of(hex)),
                ("<", said) => expected.push(said.to_owned()),
                (other, _) => panic!("{name}: a line starts with {other}"),
            }
        }
        let stream = inputs.concat();
        let sizes = inputs.iter().map(Vec::len).collect::<Vec<_>>();
        for sizes in [&sizes[..], &[usize::MAX], &[1], &[2, 3, 5]] {
            let mut decoder = Decoder::new(role, PAYLOAD_BYTES_MAX);
            let (events, violation) = decode_chunked(&mut decoder, &stream, sizes);
            let said = events.iter().map(said_of).chain(violation.map(violation_of));
            assert_eq!(said.collect::<Vec<_>>(), expected, "{name}, in chunks of {sizes:?}");
            assert_eq!(decoder.pinned_bytes(), 0, "{name}: nothing is kept");
            assert!(decoder.is_at_frame_boundary(), "{name}");
        }
        count += 1;
    }
    assert!(count > 3, "the transcripts were found");
}

fn bytes_of(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in line.split(' ') {
        if let Some((byte, times)) = word.split_once('*') {
            let byte = u8::from_str_radix(byte, 16).unwrap();
            bytes.resize(bytes.len() + times.parse::<usize>().unwrap(), byte);
            continue;
        }
        for pair in word.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    bytes
}

fn said_of(event: &Event) -> String {
    let said = match event {
        Event::Message { kind: MessageKind::Text, data } => {
            format!("text {}", str::from_utf8(data).unwrap())
        }
        Event::Message { kind: MessageKind::Binary, data } => format!("binary {}", hex_of(data)),
        Event::Deflated { data, .. } => format!("deflated {}", hex_of(data)),
        Event::Ping(data) => format!("ping {}", hex_of(data)),
        Event::Pong(data) => format!("pong {}", hex_of(data)),
        Event::Close { code: Some(code), reason } => format!("close {} {reason}", code.number()),
        Event::Close { code: None, reason } => format!("close {reason}"),
    };
    said.trim_end().to_owned()
}

fn hex_of(data: &[u8]) -> String {
    if data.len() > 40 {
        return format!("{} bytes", data.len());
    }
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn violation_of(violation: Violation) -> String {
    format!("violation {violation:?} {}", violation.close_code().number())
}

//! PROXY headers as proxies send them, byte by byte, and what is none.

use super::{HEADER_BYTES_MAX, NotAHeader, Progress, Source, checksum, read_header};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

const IPV4: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x20, 0x6c];

fn client(text: &str) -> Result<Progress, NotAHeader> {
    Ok(Progress::Whole(Source::Client(text.parse().unwrap())))
}

#[test]
fn the_source_is_read_and_the_rest_is_skipped() {
    assert_eq!(read_header(&header(0x21, 0x11, IPV4)), client("192.0.2.7:4711"));
    let extended = [IPV4, &[0x01, 0, 2, b'h', b'2', 0x04, 0, 0]].concat();
    assert_eq!(read_header(&header(0x21, 0x11, &extended)), client("192.0.2.7:4711"));
    let mut ipv6 = [0; 36];
    (ipv6[0], ipv6[1], ipv6[15], ipv6[33]) = (0x20, 0x01, 1, 80);
    assert_eq!(read_header(&header(0x21, 0x21, &ipv6)), client("[2001::1]:80"));
    let mut mapped = [0; 36];
    mapped[10..16].copy_from_slice(&[255, 255, 192, 0, 2, 9]);
    assert_eq!(read_header(&header(0x21, 0x21, &mapped)), client("192.0.2.9:0"));
    for (command, family, rest, expected) in [
        (0x20, 0x00, &[][..], Source::Proxy),
        (0x20, 0x11, IPV4, Source::Proxy),
        (0x21, 0x00, &[][..], Source::Unknown),
        (0x21, 0x00, b"anything", Source::Unknown),
        (0x21, 0x31, &[0; 216], Source::Unknown),
    ] {
        assert_eq!(read_header(&header(command, family, rest)), Ok(Progress::Whole(expected)));
    }
}

#[test]
fn it_is_read_in_pieces_and_never_beyond() {
    let all = header(0x21, 0x11, IPV4);
    let (mut read, mut left) = (Vec::new(), all.as_slice());
    while let Progress::Needs(more) = read_header(&read).unwrap() {
        assert!(more <= left.len(), "nothing behind the header is asked for");
        // A socket gives less than it was asked for.
        let (now, later) = left.split_at(more.min(3));
        read.extend_from_slice(now);
        left = later;
    }
    assert_eq!(read, all);
}

#[test]
fn what_is_no_header_is_told_apart() {
    let long = u16::try_from(HEADER_BYTES_MAX - 15).unwrap().to_be_bytes();
    for (bytes, expected) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), NotAHeader::Missing),
        (b"P".to_vec(), NotAHeader::Missing),
        (b"\r\n\r\nGET".to_vec(), NotAHeader::Missing),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(), NotAHeader::Version1),
        (header(0x11, 0x11, IPV4), NotAHeader::Unknown),
        (header(0x22, 0x11, IPV4), NotAHeader::Unknown),
        (header(0x21, 0x41, IPV4), NotAHeader::Unknown),
        ([SIGNATURE, &[0x21, 0x11], &long].concat(), NotAHeader::TooLong),
        (header(0x21, 0x11, &IPV4[..11]), NotAHeader::CutOff),
        (header(0x21, 0x21, IPV4), NotAHeader::CutOff),
        (header(0x21, 0x31, IPV4), NotAHeader::CutOff),
        (header(0x21, 0x11, &[IPV4, &[1, 0]].concat()), NotAHeader::CutOff),
        (header(0x21, 0x11, &[IPV4, &[1, 0, 2, 0]].concat()), NotAHeader::CutOff),
        (header(0x21, 0x11, &[IPV4, &[3, 0, 1, 0]].concat()), NotAHeader::CutOff),
        (header(0x21, 0x11, &[IPV4, &[3, 0, 4, 1, 2, 3, 4]].concat()), NotAHeader::Checksum),
    ] {
        assert_eq!(read_header(&bytes), Err(expected), "{bytes:?}");
    }
}

#[test]
fn a_right_checksum_is_taken_wherever_it_stands() {
    assert_eq!(checksum(b"123456789".iter().copied()), 0xE306_9283);
    for behind in [&[][..], &[4, 0, 1, 9]] {
        let mut all = header(0x21, 0x11, &[IPV4, &[3, 0, 4, 0, 0, 0, 0], behind].concat());
        let sum = checksum(all.iter().copied()).to_be_bytes();
        let place = 16 + IPV4.len() + 3;
        all[place..place + 4].copy_from_slice(&sum);
        assert_eq!(read_header(&all), client("192.0.2.7:4711"));
        all[16] ^= 1;
        assert_eq!(read_header(&all), Err(NotAHeader::Checksum));
    }
}

//! What is written is read again, and whatever else is read does no harm.

#![expect(clippy::indexing_slicing, reason = "a test that looks beside the mark has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "tests are built with checks")]

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::publication::{Content, Data, Detail, End, Publication, SessionId};
use fanfare_core::shard::{Append, AppendKey};
use proptest::prelude::*;

use super::batch::{Batches, Commit, Next, search};
use super::body::{EndBody, HeadBody, KeyBody, KeyFields, RemovalBody};
use super::publication::{PublicationBody, measure, put};
use super::record::{self, Found, Heading, Kind, NO_CHANNEL, Record, Seal};
use super::segment::{Beginning, Footer, FooterChannel, SegmentHeader, TRAILER, Trailer};
use super::store::{Identity, Store};

fn texts() -> impl Strategy<Value = Option<Box<str>>> {
    proptest::option::of("[a-zà-ü0-9]{1,40}".prop_map(Box::from))
}

fn data() -> impl Strategy<Value = Data> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    prop_oneof![
        "[ -~]{0,200}".prop_map(|text| Data::Text(Bytes::from(text))),
        Just(Data::Json(Bytes::from_static(b"{\"a\":[1,2]}"))),
        bytes.prop_map(Data::Binary),
    ]
}

prop_compose! {
    fn details()(
        event in texts(),
        tags in proptest::collection::vec("[a-z]{1,64}".prop_map(Box::from), 0..16),
        content_type in texts(),
        conflate in texts(),
        exclude in proptest::option::of(any::<u128>().prop_map(SessionId)),
    ) -> Option<Box<Detail>> {
        let detail = Detail { event, tags, content_type, conflate, exclude };
        (detail != Detail::default()).then(|| Box::new(detail))
    }
}

prop_compose! {
    fn keys()(
        publisher in proptest::option::of("[a-z]{0,20}".prop_map(Arc::from)),
        key in "[a-z]{1,255}".prop_map(Box::from),
        digest in any::<[u8; 16]>(),
        expires_at in any::<u64>(),
    ) -> AppendKey {
        AppendKey { publisher, key, digest, expires_at }
    }
}

prop_compose! {
    fn appends()(
        data in data(),
        detail in details(),
        key in proptest::option::of(keys().prop_map(Box::new)),
        epoch in 1..u64::MAX,
        offset in 1..1_u64 << 53,
        time in any::<u64>(),
        expires_at in proptest::option::of(1..u64::MAX),
        ends in any::<bool>(),
    ) -> Append {
        let channel = ChannelName::new("news").unwrap();
        let position = Some(Position::new(offset, Epoch::from_bits(epoch)));
        let content = Content { data, detail };
        let (channel, prev) = (channel, offset - 1);
        let publication =
            Publication { channel: channel.clone(), position, prev, time, expires_at, content };
        let after = Position::new(prev, Epoch::from_bits(epoch));
        let end = if ends { End::Close } else { End::Open };
        Append { append: 1, channel, publication: Some(Arc::new(publication)), end, after, key }
    }
}

/// A segment's bytes with these records in one batch.
fn segment(appends: &[Append]) -> (SegmentHeader, Vec<u8>) {
    let (number, first, mark, time, salt) = (7, 100, 3, 5, 0x1234_5678);
    let generation = Epoch::from_bits(9);
    let header = SegmentHeader { number, first, generation, mark, time, salt };
    let mut bytes = header.to_bytes();
    let begin = bytes.len();
    let (seal, mut sequence) = (header.seal(), first);
    let mut heading = |kind, flags, channel| {
        sequence += 1;
        Heading { sequence: sequence - 1, kind, flags, channel }
    };
    record::append(&mut bytes, seal, heading(Kind::Channel, 0, 0), |out| out.extend(b"news"));
    for append in appends {
        let publication = append.publication.as_ref().unwrap();
        let (flags, length) = measure(publication, append).unwrap();
        let before = bytes.len();
        record::append(&mut bytes, seal, heading(Kind::Publication, flags, 0), |out| {
            put(out, publication, append);
        });
        assert_eq!(bytes.len() - before, length + record::HEADER, "as long as was measured");
    }
    let commit = Commit {
        first,
        count: u32::try_from(appends.len()).unwrap() + 1,
        names: 1,
        synced: 50,
        mark: 4,
        checksum: crc32c::crc32c(&bytes[begin..]),
        earlier: 2,
        loose: true,
    };
    commit.append(&mut bytes, seal, first + appends.len() as u64 + 1);
    (header, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn publications_are_read_as_they_were_written(appends in proptest::collection::vec(appends(), 1..5)) {
        let (header, bytes) = segment(&appends);
        prop_assert_eq!(SegmentHeader::of(&bytes), Beginning::Intact(header));
        let mut batches = Batches::new(&bytes, header.seal(), 64, header.first);
        let Next::Batch(batch) = batches.next() else { panic!("no batch") };
        prop_assert_eq!((batch.commit.mark, batch.commit.earlier, batch.commit.loose), (4, 2, true));
        for (record, append) in batch.records[1..].iter().zip(&appends) {
            let expected = append.publication.as_ref().unwrap();
            let body = PublicationBody::of(record.body, record.flags).unwrap();
            prop_assert_eq!(body.weight(), expected.weight());
            let key = body.key.map(|key| Box::new(key.to_key()));
            prop_assert_eq!(&key, &append.key);
            let read = body.publication(append.channel.clone());
            prop_assert_eq!(format!("{read:?}"), format!("{expected:?}"));
            prop_assert_eq!(&read.content, &expected.content);
        }
        prop_assert!(matches!(batches.next(), Next::Nothing));
    }

    #[test]
    fn a_changed_byte_breaks_the_batch(
        appends in proptest::collection::vec(appends(), 1..3),
        at in any::<prop::sample::Index>(),
        by in 1..=255_u8,
    ) {
        let (header, mut bytes) = segment(&appends);
        let at = 64 + at.index(bytes.len() - 64);
        bytes[at] ^= by;
        let mut batches = Batches::new(&bytes, header.seal(), 64, header.first);
        prop_assert!(matches!(batches.next(), Next::Broken(_)));
        let _no_harm: Vec<_> = search(&bytes, 64, header.seal()).collect();
    }

    #[test]
    fn anything_at_all_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), flags: u8) {
        let seal = Seal::new(1, 2);
        let mut batches = Batches::new(&bytes, seal, 0, 1);
        while let Next::Batch(_) = batches.next() {}
        let _found = Record::at(&bytes, 3, seal);
        prop_assert_eq!(search(&bytes, 0, seal).count(), 0);
        let _body = PublicationBody::of(&bytes, flags).map(|body| {
            (body.weight(), body.publication(ChannelName::new("a").unwrap()))
        });
        let _ = (EndBody::of(&bytes, flags), KeyBody::of(&bytes), HeadBody::of(&bytes));
        let _ = (RemovalBody::of(&bytes), Footer::of(&bytes), Store::of(&bytes));
        let _ = (SegmentHeader::of(&bytes), Trailer::of(&bytes));
    }

    #[test]
    fn the_other_records_are_read_as_they_were_written(
        key in keys(), epoch in 1..u64::MAX, numbers in any::<[u64; 4]>(), jumps: u32, ended: bool,
    ) {
        let epoch = Epoch::from_bits(epoch);
        let [start, floor, head, time] = numbers;
        let newest = time;
        let fields = KeyFields::of(&key).unwrap();
        let mut bytes = Vec::new();
        let body = HeadBody { epoch, start, floor, head, newest, jumps, ended };
        body.put(&mut bytes);
        prop_assert_eq!((HeadBody::of(&bytes), bytes.len()), (Some(body), HeadBody::LENGTH));
        bytes.clear();
        let body = RemovalBody { epoch, mark: head };
        body.put(&mut bytes);
        prop_assert_eq!((RemovalBody::of(&bytes), bytes.len()), (Some(body), RemovalBody::LENGTH));
        bytes.clear();
        let position = Position::new(head, epoch);
        let body = KeyBody { position, stored: ended, key: fields };
        body.put(&mut bytes);
        prop_assert_eq!((KeyBody::of(&bytes), bytes.len()), (Some(body), body.length()));
        bytes.clear();
        let body = EndBody { head: position, time, key: ended.then_some(fields) };
        body.put(&mut bytes);
        let flags = if ended { super::body::KEYED } else { 0 };
        prop_assert_eq!((EndBody::of(&bytes, flags), bytes.len()), (Some(body), body.length()));
    }
}

#[test]
fn a_record_of_another_segment_is_none_of_this_one() {
    let mut bytes = Vec::new();
    let heading = Heading { sequence: 1, kind: Kind::Jump, flags: 0, channel: NO_CHANNEL };
    record::append(&mut bytes, Seal::new(1, 2), heading, |out| out.extend([0; 8]));
    assert!(matches!(Record::at(&bytes, 0, Seal::new(1, 2)), Found::Record(_)));
    assert!(matches!(Record::at(&bytes, 0, Seal::new(2, 2)), Found::Broken), "the number");
    assert!(matches!(Record::at(&bytes, 0, Seal::new(1, 3)), Found::Broken), "the salt");
    assert!(matches!(Record::at(&[0; 40], 7, Seal::new(1, 2)), Found::Nothing));
    assert!(matches!(Record::at(&bytes, bytes.len(), Seal::new(1, 2)), Found::Nothing));
}

#[test]
fn a_sealed_segment_is_known_by_its_end() {
    let (header, mut bytes) = segment(&[]);
    let name = |text| ChannelName::new(text).unwrap();
    let channels = vec![
        FooterChannel { name: name("a"), epoch: 7, highest: 3 },
        FooterChannel { name: name("ü"), epoch: 8, highest: 1 << 52 },
    ];
    let footer = Footer { mark: 77, set_aside: false, channels };
    assert_eq!(Trailer::of(&bytes), None);
    let begin = bytes.len();
    bytes.extend(footer.to_bytes(&header, 102));
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(checksum.to_le_bytes());
    let trailer = Trailer::of(&bytes).unwrap();
    assert_eq!((trailer.salt, trailer.checksum), (header.salt, checksum));
    assert_eq!(trailer.footer(&bytes, header.number), Some((begin, footer.clone())));
    let tail = usize::try_from(trailer.tail()).unwrap();
    assert_eq!(tail, bytes.len() - begin);
    assert_eq!(trailer.footer(&bytes[begin..], header.number), Some((0, footer)));
    assert_eq!(trailer.footer(&bytes, header.number + 1), None);
    bytes[begin + 30] ^= 1;
    assert_eq!(Trailer::of(&bytes).unwrap().footer(&bytes, header.number), None);
    assert!(bytes.len() > TRAILER);
}

/// The tables of `docs/log-format.md`: a field that moves makes every log unreadable.
#[test]
fn fields_stand_where_the_documentation_says() {
    let numbers = |bytes: &[u8], at: &[usize]| -> Vec<u64> {
        at.iter().map(|at| u64::from_le_bytes(bytes[*at..at + 8].try_into().unwrap())).collect()
    };
    let store = Store { generation: Epoch::from_bits(11), mark: 22, time: 33, copied: false };
    let store = store.to_bytes();
    assert_eq!(&store[..16], b"FANFLOG\n\x01\0\0\0\0\0\0\0");
    assert_eq!(numbers(&store, &[16, 24, 32, 40, 48]), [11, 22, 33, 0, 0]);
    assert_eq!(store[60..], crc32c::crc32c(&store[..60]).to_le_bytes());
    let (header, bytes) = segment(&[]);
    assert_eq!(&bytes[..16], b"FANFSEG\n\x01\0\0\0\0\0\0\0");
    assert_eq!(numbers(&bytes, &[16, 24, 32, 40, 48]), [7, 100, 9, 3, 5]);
    assert_eq!(bytes[56..60], header.salt.to_le_bytes());
    assert_eq!(bytes[60..64], crc32c::crc32c(&bytes[..60]).to_le_bytes());
    let record = &bytes[64..];
    assert_eq!(record[..4], 4_u32.to_le_bytes(), "the length of the name");
    let checked = [&7_u64.to_le_bytes(), &header.salt.to_le_bytes()[..], &record[..4]].concat();
    let checked = [&checked, &record[8..24], b"news"].concat();
    assert_eq!(record[4..8], crc32c::crc32c(&checked).to_le_bytes());
    assert_eq!(numbers(record, &[8]), [100]);
    assert_eq!(record[16..28], *b"\x01\0\0\0\0\0\0\0news");
    let commit = &record[28..];
    assert_eq!((commit[16], commit[17], commit.len()), (15, 1, Commit::LENGTH));
    assert_eq!(numbers(commit, &[24, 40, 48]), [100, 50, 4], "first, synced, mark");
    assert_eq!(commit[56..60], crc32c::crc32c(&record[..28]).to_le_bytes());
    assert_eq!(commit[60..64], 2_u32.to_le_bytes(), "earlier segments");
}

#[test]
fn a_store_is_read_as_it_was_written() {
    let generation = Epoch::from_bits(u64::MAX);
    let store = Store { generation, mark: 1 << 50, time: 12, copied: true };
    let mut bytes = store.to_bytes();
    assert_eq!((bytes.len(), Store::of(&bytes)), (64, Identity::Intact(store)));
    for bit in 0..64 * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Store::of(&flipped), Identity::Broken);
    }
    bytes[8] = 2;
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(Store::of(&bytes), Identity::Newer(2));
}

#[test]
fn what_cannot_be_measured_is_not_written() {
    let long: Arc<str> = "x".repeat(70_000).into();
    let key = AppendKey { publisher: Some(long), key: "k".into(), digest: [0; 16], expires_at: 1 };
    assert_eq!(KeyFields::of(&key), None);
    let key = AppendKey { publisher: None, key: "x".repeat(256).into(), ..key };
    assert_eq!(KeyFields::of(&key), None);
}

//! Steps of compression, on a message as those that it is for: a kilobyte of JSON in which names
//! come again and values do not.

use std::hint::black_box;

use anyhow::{Context, Result};
use bytes::Bytes;
use fanfare_core::frame::{Coding, Format, Frame};
use fanfare_core::publication::{Content, Data, Publication};
use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::native::chunk::Framing;
use fanfare_protocol::native::encode::encode;
use fanfare_protocol::native::packing::{Packing, Powers, pack};
use fanfare_protocol::websocket::{Decoder, Event, Inflater, Role, deflate_frame};
use zstd_safe::{CCtx, CParameter, compress_bound};

use crate::{Work, hub};

/// Bytes of the message.
const BYTES: usize = 1_000;

/// Deflates a WebSocket's frame.
pub(crate) fn deflate() -> Result<Work> {
    let frame = frame(Format::WebSocketV1)?;
    let mut deflater = Deflater::new();
    Ok(Box::new(move || {
        let deflated = deflate_frame(&mut deflater, frame.bytes());
        assert!(deflated.is_some());
        black_box(deflated);
    }))
}

/// Inflates the message of a client.
pub(crate) fn inflate() -> Result<Work> {
    let frame = frame(Format::WebSocketV1)?;
    let deflated = deflate_frame(&mut Deflater::new(), frame.bytes()).context("not deflated")?;
    let mut decoder = Decoder::new(Role::Client, 1 << 20).with_deflate();
    let mut inflater = Inflater::new();
    Ok(Box::new(move || {
        let Ok(Some(Event::Deflated { kind, data })) = decoder.decode(&mut deflated.as_slice())
        else {
            unreachable!("it is deflated");
        };
        let inflated = decoder.inflate(&mut inflater, kind, &data);
        assert!(inflated.is_ok());
        black_box(inflated.ok());
    }))
}

/// Packs an event in a coding.
pub(crate) fn pack_as(coding: Coding) -> Result<Work> {
    let frame = frame(Format::Sse)?;
    let mut deflater = Deflater::new();
    let mut context = CCtx::create();
    for parameter in [CParameter::ContentSizeFlag(false), CParameter::WindowLog(17)] {
        let set = context.set_parameter(parameter);
        set.map_err(|code| anyhow::anyhow!("zstd says {code}"))?;
    }
    Ok(Box::new(move || {
        let packed = pack(&frame, coding, &mut |plain, out| {
            if coding == Coding::Gzip {
                return deflater.append(out, plain);
            }
            let begin = out.len();
            out.resize(begin + compress_bound(plain.len()), 0);
            let written = context.compress2(out.get_mut(begin..)?, plain).ok()?;
            out.truncate(begin + written);
            Some(())
        });
        assert!(packed.bytes().len() < frame.bytes().len());
        black_box(packed);
    }))
}

/// Takes note of a gzipped event that goes to one of many readers.
pub(crate) fn pass() -> Result<Work> {
    let mut deflater = Deflater::new();
    let frame = frame(Format::Sse)?;
    let packed = pack(&frame, Coding::Gzip, &mut |plain, out| deflater.append(out, plain));
    let mut packing = Packing::of(Format::Sse.compressed(Coding::Gzip));
    let mut powers = Powers::default();
    Ok(Box::new(move || {
        packing.pass(&packed, packed.bytes(), Framing::Chunked, &mut powers);
        black_box(&packing);
    }))
}

fn frame(format: Format) -> Result<Frame> {
    let publication = Publication {
        content: Content::plain(Data::Text(Bytes::from(trades()))),
        ..hub::publication()?
    };
    Ok(encode(&publication, 6, format))
}

/// Trades as JSON, the same ones each time.
fn trades() -> String {
    let mut state = 7_u32;
    let mut below = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % bound
    };
    let mut text = String::from("{\"trades\":[");
    while text.len() < BYTES {
        let (name, price, cents) = (below(9_000) + 1_000, below(900) + 10, below(100));
        let (volume, side) = (below(100_000), if below(2) == 0 { "buy" } else { "sell" });
        text += &format!(
            "{{\"symbol\":\"T{name}\",\"price\":{price}.{cents:02},\"volume\":{volume},\"side\":\"{side}\"}},"
        );
    }
    text.truncate(BYTES - 2);
    text + "]}"
}

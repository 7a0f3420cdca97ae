//! Decoders of others for packed bodies, and what stands at the end of a member of gzip. The tests of
//! shards use them as well.

use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use zstd_safe::{DCtx, InBuffer, OutBuffer};

/// What miniz makes of the blocks of a member that has come so far, and how many bytes it took.
pub(crate) fn inflated(blocks: &[u8], room: usize) -> (Vec<u8>, usize) {
    let mut out = vec![0; room];
    let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
        | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::new(DecompressorOxide::new());
    let (_, taken, given) = decompress(&mut state, blocks, &mut out, 0, flags);
    out.truncate(given);
    (out, taken)
}

/// What the reference makes of frames that have come so far.
pub(crate) fn unpacked(frames: &[u8], room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room + 1);
    let mut context = DCtx::create();
    let mut input = InBuffer::around(frames);
    loop {
        let before = (input.pos, out.len());
        let at = out.len();
        let mut output = OutBuffer::around_pos(&mut out, at);
        context.decompress_stream(&mut output, &mut input).unwrap();
        if (input.pos, out.len()) == before {
            return out;
        }
    }
}

/// What a member of gzip that says this ends with.
pub(crate) fn trailer(said: &[u8]) -> [u8; 8] {
    let length = u32::try_from(said.len()).unwrap();
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc(said).to_le_bytes());
    trailer[4..].copy_from_slice(&length.to_le_bytes());
    trailer
}

/// The checksum bit by bit, as RFC 1952 section 8 says it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }
        })
    })
}

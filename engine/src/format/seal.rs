//! What stands around every block of a table: compression, and a checksum that holds at one place of one file only.
//!
//! ```text
//!   ┌──────────────────────────────────────────────┬─────────────┬──────────────┐
//!   │ payload, or                                  │ compression │ checksum u32 │
//!   │ uncompressed length u32 │ compressed payload │ u8: 0, 1, 2 │ masked       │
//!   └──────────────────────────────────────────────┴─────────────┴──────────────┘
//!   0 none      1 LZ4 (block format)      2 zstd, level 3      the checksum covers all before it (`checksum`)
//! ```
//!
//! A block that compression makes less than an eighth smaller is stored as it is: reading it costs nothing then.
//! The checksum is looked at before anything else, so that only bytes which were once written are ever decompressed.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Fault;
use super::checksum::Checksum;

/// Bytes behind the payload of every block.
pub(crate) const TRAILER_BYTES: usize = 5;

/// The longest block, uncompressed; the longest key and value stay far below.
pub(crate) const BLOCK_BYTES_MAX: usize = 32 * 1024 * 1024;

const LENGTH_BYTES: usize = 4;
const ZSTD_LEVEL: i32 = 3;

/// How the data blocks of a table are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4: fast, and about half the size for text.
    #[default]
    Lz4,
    /// zstd at level 3: smaller than LZ4, and several times slower.
    Zstd,
}

impl Compression {
    /// The number that stands for it on the disk.
    pub(crate) fn kind(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    /// The compression that a number stands for.
    pub(crate) fn of_kind(kind: u8) -> Result<Self, Fault> {
        match kind {
            0 => Ok(Self::None),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::Zstd),
            kind => Err(Fault::UnknownCompression { kind }),
        }
    }
}

/// Where a block stands in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Handle {
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its bytes in the file, trailer included.
    pub(crate) length_bytes: u32,
}

impl Handle {
    /// Where it ends; `None` beyond all numbers, which only invented bytes can claim.
    pub(crate) fn end(self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.length_bytes))
    }
}

/// Seals blocks. It keeps what a compressor needs from one block to the next.
pub(crate) struct Sealer {
    table_number: u64,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    scratch: Vec<u8>,
}

impl Sealer {
    /// A sealer of the blocks of one table.
    pub(crate) fn new(table_number: u64) -> Self {
        Self { table_number, zstd: None, scratch: Vec::new() }
    }

    /// Appends `payload` as the block at `offset`; returns where it stands.
    pub(crate) fn seal(
        &mut self,
        payload: &[u8],
        compression: Compression,
        offset: u64,
        buffer: &mut BytesMut,
    ) -> Handle {
        assert!(payload.len() <= BLOCK_BYTES_MAX, "a block of {} bytes is longer than any may be", payload.len());
        let begin = buffer.len();
        if self.compress(payload, compression) {
            buffer.put_u32_le(u32::try_from(payload.len()).expect("the longest block is far below 4 GiB"));
            buffer.put_slice(&self.scratch);
            buffer.put_u8(compression.kind());
        } else {
            buffer.put_slice(payload);
            buffer.put_u8(Compression::None.kind());
        }
        let mut checksum = Checksum::of_table(self.table_number, offset);
        checksum.update(&buffer[begin..]);
        buffer.put_u32_le(checksum.finish());
        let length_bytes = u32::try_from(buffer.len() - begin).expect("the longest block is far below 4 GiB");
        Handle { offset, length_bytes }
    }

    /// Compresses into `scratch`; false when that is not worth it.
    fn compress(&mut self, payload: &[u8], compression: Compression) -> bool {
        let longest = payload.len() - payload.len() / 8;
        self.scratch.clear();
        match compression {
            Compression::None => return false,
            Compression::Lz4 => {
                self.scratch.resize(lz4_flex::block::get_maximum_output_size(payload.len()), 0);
                let Ok(length) = lz4_flex::block::compress_into(payload, &mut self.scratch) else { return false };
                self.scratch.truncate(length);
            }
            Compression::Zstd => {
                let Some(zstd) = self.zstd_compressor() else { return false };
                let Ok(compressed) = zstd.compress(payload) else { return false };
                self.scratch = compressed;
            }
        }
        self.scratch.len() + LENGTH_BYTES < longest
    }

    fn zstd_compressor(&mut self) -> Option<&mut zstd::bulk::Compressor<'static>> {
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
        }
        self.zstd.as_mut()
    }
}

/// The payload of a sealed block, whose bytes are `sealed`. An uncompressed one shares their buffer.
pub(crate) fn open(table_number: u64, offset: u64, sealed: &Bytes) -> Result<Bytes, Fault> {
    let (body, kind) = check(table_number, offset, sealed)?;
    let body = sealed.slice_ref(body);
    match Compression::of_kind(kind)? {
        Compression::None => Ok(body),
        compression => decompress(&body, compression),
    }
}

/// What the checksum covers, taken apart, if it holds.
fn check(table_number: u64, offset: u64, sealed: &[u8]) -> Result<(&[u8], u8), Fault> {
    let Some(body_bytes) = sealed.len().checked_sub(TRAILER_BYTES) else {
        return Err(Fault::ShortBlock { available: sealed.len() as u64, needed: TRAILER_BYTES as u64 });
    };
    let (checked, mut stored) = sealed.split_at(body_bytes + 1);
    let mut checksum = Checksum::of_table(table_number, offset);
    checksum.update(checked);
    let (stored, computed) = (stored.get_u32_le(), checksum.finish());
    if stored != computed {
        return Err(Fault::BadChecksum { stored, computed });
    }
    Ok((&checked[..body_bytes], checked[body_bytes]))
}

fn decompress(mut body: &[u8], compression: Compression) -> Result<Bytes, Fault> {
    if body.len() < LENGTH_BYTES {
        return Err(Fault::MalformedBlock { what: "its uncompressed length" });
    }
    let length = body.get_u32_le() as usize;
    if length > BLOCK_BYTES_MAX {
        return Err(Fault::ImpossibleBlock { length: length as u64 });
    }
    let mut payload = vec![0; length];
    let filled = match compression {
        Compression::None => None,
        Compression::Lz4 => lz4_flex::block::decompress_into(body, &mut payload).ok(),
        Compression::Zstd => zstd::bulk::decompress_to_buffer(body, &mut payload[..]).ok(),
    };
    match filled {
        Some(filled) if filled == length => Ok(Bytes::from(payload)),
        _ => Err(Fault::MalformedBlock { what: "its compression" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(payload: &[u8], compression: Compression) -> Bytes {
        let mut buffer = BytesMut::new();
        let handle = Sealer::new(7).seal(payload, compression, 100, &mut buffer);
        assert_eq!((handle.offset, handle.length_bytes as usize), (100, buffer.len()));
        buffer.freeze()
    }

    #[test]
    fn a_block_comes_back_whatever_the_compression() {
        let payload = b"rain, rain, rain, rain, rain, rain, rain, rain, rain, rain, rain, rain".repeat(9);
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let bytes = sealed(&payload, compression);
            assert_eq!(bytes.len() < payload.len(), compression != Compression::None);
            assert_eq!(open(7, 100, &bytes).as_deref(), Ok(&payload[..]));
            assert_eq!(open(7, 100, &sealed(b"", compression)).as_deref(), Ok(&b""[..]));
        }
    }

    #[test]
    fn a_block_that_does_not_shrink_is_stored_as_it_is() {
        let payload: Vec<u8> = (0..=255).collect();
        for compression in [Compression::Lz4, Compression::Zstd] {
            assert_eq!(sealed(&payload, compression), sealed(&payload, Compression::None));
        }
    }

    #[test]
    fn a_block_elsewhere_flipped_or_cut_is_refused() {
        let bytes = sealed(&[b'x'; 300], Compression::Lz4);
        assert!(matches!(open(8, 100, &bytes), Err(Fault::BadChecksum { .. })));
        assert!(matches!(open(7, 101, &bytes), Err(Fault::BadChecksum { .. })));
        for index in 0..bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 0x10;
            assert!(matches!(open(7, 100, &Bytes::from(flipped)), Err(Fault::BadChecksum { .. })), "byte {index}");
            assert!(open(7, 100, &bytes.slice(..index)).is_err(), "cut at {index}");
        }
    }

    /// Bytes with a checksum that holds, whatever they say.
    fn checked(body: &[u8], kind: u8) -> Bytes {
        let mut buffer = BytesMut::from(body);
        buffer.put_u8(kind);
        let mut checksum = Checksum::of_table(7, 100);
        checksum.update(&buffer);
        buffer.put_u32_le(checksum.finish());
        buffer.freeze()
    }

    #[test]
    fn impossible_lengths_and_kinds_are_refused_before_memory_is_given() {
        let length = BLOCK_BYTES_MAX as u32 + 1;
        for kind in [1, 2] {
            assert_eq!(
                open(7, 100, &checked(&length.to_le_bytes(), kind)),
                Err(Fault::ImpossibleBlock { length: u64::from(length) })
            );
            assert!(matches!(open(7, 100, &checked(&[1, 0], kind)), Err(Fault::MalformedBlock { .. })));
            assert!(matches!(
                open(7, 100, &checked(&[9, 0, 0, 0, 0xff, 0xff], kind)),
                Err(Fault::MalformedBlock { .. })
            ));
        }
        assert_eq!(open(7, 100, &checked(b"rain", 3)), Err(Fault::UnknownCompression { kind: 3 }));
    }
}

//! A table file: where its parts are.
//!
//! ```text
//!   ┌──────────────┬───────────┬──────────────┬───────────┬─────┬────────────┬───────────┬────────────┬────────┐
//!   │ data block.. │ partition │ data block.. │ partition │ ... │ range      │ top index │ properties │ footer │
//!   │ (`block`)    │           │              │           │     │ tombstones │ (`index`) │            │        │
//!   └──────────────┴───────────┴──────────────┴───────────┴─────┴────────────┴───────────┴────────────┴────────┘
//!   everything but the footer is sealed (`seal`): compression byte and checksum behind each block
//!
//!   footer   top index u64+u32 │ properties u64+u32 │ range tombstones u64+u32 │ table number u64 │
//!            format version u32 │ checksum u32 │ "STORMSST"                                         60 bytes
//! ```
//!
//! A file is read from its end: the footer names the parts, the top index names the partitions, a partition names its data
//! blocks. Length, version, checksum and magic of the footer stay where they are in every later format, so that an older
//! program can tell a newer table from a damaged one.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Fault;
use super::checksum::Checksum;
use super::seal::Handle;

/// The last bytes of every table.
pub(crate) const MAGIC: [u8; 8] = *b"STORMSST";

/// The only format there is so far.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Bytes of the footer.
pub(crate) const FOOTER_BYTES: usize = 60;

const CHECKED_BYTES: usize = FOOTER_BYTES - 12;

/// What the end of the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The separators and places of the partitions.
    pub(crate) top: Handle,
    /// What the table says of itself.
    pub(crate) properties: Handle,
    /// The range tombstones; without length when there are none.
    pub(crate) tombstones: Handle,
    /// The table's number.
    pub(crate) number: u64,
    /// The format of the table.
    pub(crate) version: u32,
}

impl Footer {
    /// The bytes that the file ends with; `offset` is where they will stand.
    pub(crate) fn encode(&self, offset: u64) -> Bytes {
        let mut buffer = BytesMut::with_capacity(FOOTER_BYTES);
        for handle in [self.top, self.properties, self.tombstones] {
            buffer.put_u64_le(handle.offset);
            buffer.put_u32_le(handle.length_bytes);
        }
        buffer.put_u64_le(self.number);
        buffer.put_u32_le(self.version);
        let checksum = checksum(self.number, offset, &buffer);
        buffer.put_u32_le(checksum);
        buffer.put_slice(&MAGIC);
        buffer.freeze()
    }

    /// The footer of table `number`, which stands at `offset`.
    pub(crate) fn decode(number: u64, offset: u64, bytes: &[u8]) -> Result<Self, Fault> {
        let footer = Self::claimed(bytes)?;
        if !bytes.ends_with(&MAGIC) {
            return Err(Fault::WrongFooter);
        }
        let (checked, mut stored) = bytes.split_at(CHECKED_BYTES);
        let (stored, computed) = (stored.get_u32_le(), checksum(footer.number, offset, checked));
        if stored != computed {
            return Err(Fault::BadChecksum { stored, computed });
        }
        if footer.number != number {
            return Err(Fault::WrongTable { found: footer.number, expected: number });
        }
        Ok(footer)
    }

    /// What these bytes say when they are taken for a footer: for those who look at damaged files.
    pub(crate) fn claimed(mut bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() != FOOTER_BYTES {
            return Err(Fault::ShortBlock { available: bytes.len() as u64, needed: FOOTER_BYTES as u64 });
        }
        let mut handle = || Handle { offset: bytes.get_u64_le(), length_bytes: bytes.get_u32_le() };
        let (top, properties, tombstones) = (handle(), handle(), handle());
        Ok(Self { top, properties, tombstones, number: bytes.get_u64_le(), version: bytes.get_u32_le() })
    }
}

fn checksum(number: u64, offset: u64, checked: &[u8]) -> u32 {
    let mut checksum = Checksum::of_table(number, offset);
    checksum.update(checked);
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_belongs_to_one_place_of_one_file_and_every_flip_in_it_is_seen() {
        let handle = |offset, length_bytes| Handle { offset, length_bytes };
        let footer = Footer {
            top: handle(5, 6),
            properties: handle(11, 7),
            tombstones: handle(0, 0),
            number: 9,
            version: FORMAT_VERSION,
        };
        let bytes = footer.encode(700);
        assert_eq!(bytes.len(), FOOTER_BYTES);
        assert_eq!(Footer::decode(9, 700, &bytes), Ok(footer));
        assert_eq!(Footer::decode(8, 700, &bytes), Err(Fault::WrongTable { found: 9, expected: 8 }));
        assert!(matches!(Footer::decode(9, 701, &bytes), Err(Fault::BadChecksum { .. })));
        for index in 0..FOOTER_BYTES {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 0x20;
            assert!(Footer::decode(9, 700, &flipped).is_err(), "byte {index}");
            assert!(Footer::decode(9, 700, &bytes[..index]).is_err(), "cut at {index}");
        }
    }
}

//! Lengths as variable-length integers (LEB128, as in protobuf): seven bits a byte, lowest first, the top bit says
//! "more".
//!
//! ```text
//!   0 .. 127          0xxxxxxx
//!   128 .. 16383      1xxxxxxx 0xxxxxxx          and so on, at most 5 bytes for a u32, 10 for a u64
//! ```
//!
//! Logs hold numbers of 32 bits; tables hold numbers of 64, read at a position rather than off the front: that is what
//! searching a block does most.

use bytes::BufMut;

use super::Fault;

/// Bytes that `number` takes.
pub(crate) fn encoded_bytes(number: u32) -> usize {
    let bits = 32 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends `number`.
pub(crate) fn put(buffer: &mut impl BufMut, mut number: u32) {
    while number >= 0x80 {
        buffer.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.put_u8(number as u8);
}

/// Reads a number off the front of `bytes`. A number that does not fit a u32, or ends in the middle, is a fault.
pub(crate) fn take(bytes: &mut &[u8]) -> Result<u32, Fault> {
    let mut number = 0_u64;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return u32::try_from(number).map_err(|_| Fault::MalformedPayload);
        }
    }
    Err(Fault::MalformedPayload)
}

/// Appends `number`.
pub(crate) fn put_u64(buffer: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        buffer.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.put_u8(number as u8);
}

/// Reads the number at `position` and moves it behind; `None` when there is no whole number that fits a u64.
#[inline]
pub(crate) fn read_u64(bytes: &[u8], position: &mut usize) -> Option<u64> {
    let first = *bytes.get(*position)?;
    if first < 0x80 {
        *position += 1;
        return Some(u64::from(first));
    }
    read_long_u64(bytes, position)
}

/// The same for a number of 32 bits.
#[inline]
pub(crate) fn read_u32(bytes: &[u8], position: &mut usize) -> Option<u32> {
    u32::try_from(read_u64(bytes, position)?).ok()
}

#[inline]
fn read_long_u64(bytes: &[u8], position: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for (index, &byte) in bytes.get(*position..)?.iter().take(10).enumerate() {
        let low = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if index == 9 && low > 1 {
            return None;
        }
        number |= low << (7 * index);
        if byte & 0x80 == 0 {
            *position += index + 1;
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_long_number_comes_back_in_seven_bits_a_byte() {
        for bits in 0..64 {
            for number in [1_u64 << bits, (1_u64 << bits) - 1, u64::MAX >> bits] {
                let mut buffer = vec![0x55];
                put_u64(&mut buffer, number);
                let bits = 64 - (number | 1).leading_zeros() as usize;
                assert_eq!(buffer.len() - 1, bits.div_ceil(7), "{number}");
                let mut position = 1;
                assert_eq!(read_u64(&buffer, &mut position), Some(number));
                assert_eq!(position, buffer.len());
                assert_eq!(read_u64(&buffer[..buffer.len() - 1], &mut 1), None, "{number} cut short");
            }
        }
    }

    #[test]
    fn a_long_number_beyond_64_bits_is_refused() {
        assert_eq!(read_u64(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], &mut 0), None);
        assert_eq!(read_u64(&[0x80; 11], &mut 0), None);
        assert_eq!(read_u64(&[], &mut 0), None);
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x1f], &mut 0), None);
    }

    #[test]
    fn every_length_comes_back_and_takes_the_bytes_announced() {
        for number in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, u32::MAX] {
            let mut buffer = bytes::BytesMut::new();
            put(&mut buffer, number);
            assert_eq!(buffer.len(), encoded_bytes(number), "{number}");
            let mut rest: &[u8] = &buffer;
            assert_eq!(take(&mut rest), Ok(number));
            assert!(rest.is_empty());
            let mut cut = &buffer[..buffer.len() - 1];
            assert_eq!(take(&mut cut), Err(Fault::MalformedPayload), "{number} cut short");
        }
    }

    #[test]
    fn a_number_beyond_32_bits_is_refused() {
        assert_eq!(take(&mut [0xff, 0xff, 0xff, 0xff, 0x1f].as_slice()), Err(Fault::MalformedPayload));
        assert_eq!(take(&mut [0x80, 0x80, 0x80, 0x80, 0x80, 0x00].as_slice()), Err(Fault::MalformedPayload));
    }
}

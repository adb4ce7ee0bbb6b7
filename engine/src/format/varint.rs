//! Lengths as variable-length integers (LEB128, as in protobuf): seven bits a byte, lowest first, the top bit says
//! "more".
//!
//! ```text
//!   0 .. 127          0xxxxxxx
//!   128 .. 16383      1xxxxxxx 0xxxxxxx          and so on, at most 5 bytes for a u32
//! ```

use bytes::{BufMut, BytesMut};

use super::Fault;

/// Bytes that `number` takes.
pub(crate) fn encoded_bytes(number: u32) -> usize {
    let bits = 32 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends `number`.
pub(crate) fn put(buffer: &mut BytesMut, mut number: u32) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back_and_takes_the_bytes_announced() {
        for number in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, u32::MAX] {
            let mut buffer = BytesMut::new();
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

//! Tests of the framing: what is written comes back, and nothing else passes for it.

use super::*;
use crate::format::operation::{OperationRef, Operations, put_payload};

const PLACE: Place = Place { log_number: 3, offset: 60 };

fn payload() -> Bytes {
    let mut encoded = Vec::new();
    OperationRef::Put { key: b"\0\0key", value: b"value", expires_micros: 0 }.encode(&mut encoded);
    let mut buffer = BytesMut::new();
    put_payload(&mut buffer, 1, &encoded);
    buffer.freeze()
}

fn batch() -> Bytes {
    let mut buffer = BytesMut::new();
    encode(&mut buffer, PLACE, Kind::Batch, Sequence(9), 60, |buffer| buffer.put_slice(&payload()));
    buffer.freeze()
}

fn read(bytes: &Bytes, place: Place) -> Result<(Header, Body), Fault> {
    let mut head = [0; HEADER_BYTES];
    head.copy_from_slice(&bytes[..HEADER_BYTES]);
    let header = Header::read(&head);
    header.check_length(&head, (bytes.len() - HEADER_BYTES) as u64)?;
    let payload = bytes.slice(HEADER_BYTES..HEADER_BYTES + header.payload_bytes as usize);
    header.check_sum(&head, &payload, place)?;
    let body = header.body(&payload, place, 2)?;
    Ok((header, body))
}

#[test]
fn a_record_comes_back_where_it_was_written_and_nowhere_else() {
    let (header, body) = read(&batch(), PLACE).expect("a whole record");
    assert_eq!(body, Body::Batch(Operations::decode(&payload(), 2).expect("a payload")));
    assert_eq!((header.first_sequence, header.synced_offset), (Sequence(9), 60));
    assert!(header.is_plausible(PLACE, 100));
    for place in [Place { offset: 61, ..PLACE }, Place { log_number: 4, ..PLACE }] {
        assert!(matches!(read(&batch(), place), Err(Fault::BadChecksum { .. })), "{place:?}");
    }
}

#[test]
fn a_flip_of_any_bit_is_seen() {
    for bit in 0..batch().len() * 8 {
        let mut bytes = BytesMut::from(&batch()[..]);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fault = read(&bytes.freeze(), PLACE).expect_err("a flipped bit passed");
        assert!(fault.may_be_a_torn_write(), "bit {bit}: {fault}");
    }
}

#[test]
fn a_valid_checksum_over_nonsense_is_not_called_a_torn_write() {
    let mut buffer = BytesMut::new();
    encode(&mut buffer, PLACE, Kind::Batch, Sequence(9), 60, |buffer| buffer.put_slice(b"\xff"));
    let fault = read(&buffer.freeze(), PLACE).expect_err("nonsense");
    assert_eq!(fault, Fault::MalformedPayload);
    assert!(!fault.may_be_a_torn_write());

    let mut buffer = BytesMut::new();
    encode(&mut buffer, PLACE, Kind::Seal, Sequence(9), 59, |_| {});
    assert!(matches!(read(&buffer.freeze(), PLACE), Err(Fault::ImpossibleHeader { .. })));
}

//! A block with its compression and its checksum.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::sealed
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::sealed(bytes);
});

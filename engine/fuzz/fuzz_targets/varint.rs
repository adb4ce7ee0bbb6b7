//! Numbers of variable length.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::varint
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::varint(bytes);
});

//! The entries of a data block.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::block
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::block(bytes);
});

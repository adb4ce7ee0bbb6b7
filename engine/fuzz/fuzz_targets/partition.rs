//! Filter and index in one block.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::partition
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::partition(bytes);
});

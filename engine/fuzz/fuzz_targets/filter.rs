//! A Bloom filter.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::filter
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::filter(bytes);
});

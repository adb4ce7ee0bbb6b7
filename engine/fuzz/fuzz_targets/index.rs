//! Separators and handles of blocks.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::index
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::index(bytes);
});

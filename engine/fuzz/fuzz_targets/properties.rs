//! What a table says of itself.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::properties
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::properties(bytes);
});

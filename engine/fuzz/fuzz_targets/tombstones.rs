//! The range tombstones of a table.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::tombstones
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::tombstones(bytes);
});

//! A whole table file: opened, read, looked up, verified, surveyed.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::table
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::table(bytes);
});

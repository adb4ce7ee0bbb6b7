//! One record of a log.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::record
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::record(bytes);
});

//! A segment of the write-ahead log.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::log
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::log(bytes);
});

//! What a backup consists of.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::backup
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::backup(bytes);
});

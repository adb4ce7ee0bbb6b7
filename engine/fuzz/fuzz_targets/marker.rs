//! The marker of a data directory, or of a folder of backups.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::marker
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::marker(bytes);
});

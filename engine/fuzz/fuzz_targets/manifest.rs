//! A whole manifest.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::manifest
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::manifest(bytes);
});

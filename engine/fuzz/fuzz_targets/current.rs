//! The pointer to the manifest.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::current
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::current(bytes);
});

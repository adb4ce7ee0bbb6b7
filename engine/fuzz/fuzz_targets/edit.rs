//! One change of the manifest.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::edit
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::edit(bytes);
});

//! The end of a table file.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::footer
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::footer(bytes);
});

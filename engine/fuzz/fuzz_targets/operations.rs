//! The operations of a batch, in both formats of the log.
//!
//! ```text
//!   bytes ─▶ engine::fuzzing::operations
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    engine::fuzzing::operations(bytes);
});

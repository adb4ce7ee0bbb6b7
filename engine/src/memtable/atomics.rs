//! What the memtable shares between threads, in one place, so that a model checker can take its place.
//!
//! ```text
//!   feature     AtomicPtr, Mutex      Witness
//!   (none)      std                   nothing: no bytes, no instructions
//!   loom        loom                  a cell whose every unordered access the model reports
//! ```
//!
//! The switch below is the only one. A [`Witness`] stands beside plain bytes that one thread writes and others read after
//! they saw a published pointer: loom knows nothing of raw bytes, so the witness is read and written along with them.

#[cfg(feature = "loom")]
use modelled as chosen;
#[cfg(not(feature = "loom"))]
use real as chosen;

pub(super) use chosen::{AtomicPtr, Mutex, MutexGuard, Ordering, Witness};

#[cfg(not(feature = "loom"))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicPtr, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};

    /// Stands for bytes beside it.
    #[derive(Debug, Default)]
    pub(crate) struct Witness;

    impl Witness {
        pub(crate) fn new() -> Self {
            Self
        }

        /// The bytes beside it were written.
        #[inline(always)]
        pub(crate) fn written(&self) {}

        /// The bytes beside it are read.
        #[inline(always)]
        pub(crate) fn read(&self) {}
    }
}

#[cfg(feature = "loom")]
mod modelled {
    pub(crate) use loom::sync::atomic::{AtomicPtr, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// Stands for bytes beside it.
    #[derive(Debug, Default)]
    pub(crate) struct Witness(loom::cell::UnsafeCell<()>);

    impl Witness {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        /// The bytes beside it were written.
        pub(crate) fn written(&self) {
            self.0.with_mut(|_| ());
        }

        /// The bytes beside it are read.
        pub(crate) fn read(&self) {
            self.0.with(|_| ());
        }
    }
}

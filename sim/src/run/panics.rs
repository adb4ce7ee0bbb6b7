//! Panics of the code under test: a finding like any other, told with its place, and not written over a campaign's screen.
//!
//! ```text
//!   thread of a run ── watch(slot) ──▶ a panic anywhere in it ── hook ──▶ slot: "at wal/mod.rs:120: message"
//!   any other thread ────────────────▶ a panic ── hook ──▶ as before
//! ```
//!
//! A panic's payload has lost the place by the time that it is caught, and the hook that still knows it belongs to the
//! whole process. So the hook looks whether its thread is that of a run. With RUST_BACKTRACE set, the usual report is
//! written as well.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Where the first panic of a run is told.
#[derive(Debug, Clone, Default)]
pub(super) struct PanicSlot(Arc<Mutex<Option<String>>>);

thread_local! {
    static WATCHED: RefCell<Option<PanicSlot>> = const { RefCell::new(None) };
}

impl PanicSlot {
    /// From now on, panics of this thread are told here.
    pub(super) fn watch(self) {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
        WATCHED.set(Some(self));
    }

    /// What was told, if anything; otherwise the message of the panic that was caught.
    pub(super) fn told(&self, caught: &(dyn Any + Send)) -> String {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        format!("the code under test panicked {}", told.unwrap_or_else(|| format!("somewhere: {}", message(caught))))
    }
}

fn install() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let watched = WATCHED.with_borrow(Clone::clone);
        if let Some(slot) = &watched {
            slot.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| described(panic));
        }
        if watched.is_none() || std::env::var_os("RUST_BACKTRACE").is_some() {
            before(panic);
        }
    }));
}

fn described(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or("somewhere".to_string(), |at| format!("at {}:{}", at.file(), at.line()));
    format!("{place}: {}", message(panic.payload()))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_run_is_told_with_its_place_and_the_first_one_counts() {
        let slot = PanicSlot::default();
        let watched = slot.clone();
        let caught = std::thread::spawn(move || {
            watched.watch();
            drop(panic::catch_unwind(|| panic!("the log of {} is torn", "n3")));
            panic!("and then some");
        });
        let caught = caught.join().expect_err("it panics");
        let told = slot.told(&*caught);
        assert!(told.starts_with("the code under test panicked at ") && told.contains("run/panics.rs:"), "{told}");
        assert!(told.ends_with(": the log of n3 is torn"), "{told}");
    }
}

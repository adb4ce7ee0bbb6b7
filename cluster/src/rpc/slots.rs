//! A bound on work in progress: whoever gets no slot is refused before anything is begun, which is the only moment at which
//! "not applied" is certain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many at once.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// One of them, given back when dropped, also by a task that ends early.
#[derive(Debug)]
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Slots {
    pub(crate) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A slot, unless all are taken.
    pub(crate) fn take(&self) -> Option<Slot> {
        let slot = Slot(self.taken.clone());
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_was_dropped() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take(), slots.take());
        assert!(first.is_some() && second.is_some());
        assert!(slots.take().is_none() && slots.take().is_none());
        drop(first);
        assert!(slots.take().is_some());
    }
}

//! What a node counts. Counters only rise; a reader takes differences. They are shown by `stormglass status` and summed into
//! the laboratory's reports.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One node's counters.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $name: AtomicU64,)+
        }

        impl Metrics {
            /// Every counter with its name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)+]
            }
        }
    };
}

counters! {
    /// Client requests that were begun.
    client_requests,
    /// Copies of client requests that were dropped.
    client_duplicates,
    /// Client requests that were refused because too many were in progress.
    client_overloaded,
    /// Operations that ended in success.
    operations_ok,
    /// Operations that certainly were not applied.
    operations_not_applied,
    /// Operations whose outcome is unknown.
    operations_unknown,
    /// Requests of coordinators that this replica served.
    replica_requests,
    /// Copies of coordinators' puts that were dropped.
    replica_duplicates,
    /// Requests of coordinators that were refused because of their epoch.
    replica_epoch_refused,
    /// Requests of coordinators that were refused because too many were in progress.
    replica_overloaded,
    /// Reads that had to write the newest version back before they answered.
    read_write_backs,
    /// Replicas brought up to date after a read had answered.
    read_repairs_late,
    /// Frames that were no message.
    frames_malformed,
    /// Replies that nobody waited for any more.
    replies_late,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

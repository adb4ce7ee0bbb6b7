//! What happened in a run, counted: so that a run in which nothing happened cannot pass for a proof. Counters only rise; who
//! wants a part of a run takes the difference of two looks.

/// Counts over the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed to the network.
    pub messages_sent: u64,
    /// Frames put into an inbox, duplicates included.
    pub messages_delivered: u64,
    /// Frames that the network sent a second time.
    pub messages_duplicated: u64,
    /// Frames lost by a link's loss.
    pub dropped_loss: u64,
    /// Frames that met a partition, when sent or when they should have arrived.
    pub dropped_partition: u64,
    /// Frames to someone who was not running.
    pub dropped_down: u64,
    /// Frames that were under way when either end died.
    pub dropped_reset: u64,
    /// Frames that a rule of the network took.
    pub dropped_rule: u64,
    /// Frames whose checksum was wrong.
    pub dropped_corrupt: u64,
    /// Waits that ended: sleeps and disk operations.
    pub waits_over: u64,
    /// Sleeps that were waited out.
    pub timers_fired: u64,
    /// Disk operations begun, all seats and kinds.
    pub disk: DiskCounters,
    /// Processes started.
    pub starts: u64,
    /// Processes killed, their page cache surviving.
    pub kills: u64,
    /// Machines that lost power.
    pub power_losses: u64,
    /// Sectors whose unsynced bytes a power loss took.
    pub sectors_lost: u64,
    /// Sectors of which a power loss left a part.
    pub sectors_torn: u64,
    /// Changes of names that a power loss took.
    pub names_lost: u64,
    /// Tasks spawned.
    pub tasks_spawned: u64,
}

/// Disk operations, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Reads.
    pub reads: u64,
    /// Appends.
    pub appends: u64,
    /// Bytes that appends added.
    pub bytes_appended: u64,
    /// Syncs of files and folders.
    pub syncs: u64,
    /// Everything else: names, truncation, lengths, space, locks.
    pub metadata: u64,
    /// Operations that failed by an injected fault.
    pub faults_injected: u64,
}

impl DiskCounters {
    /// Operations of every kind.
    pub fn operations(&self) -> u64 {
        self.reads + self.appends + self.syncs + self.metadata
    }
}

/// Counts of one node or client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeatCounters {
    /// Frames it sent.
    pub messages_sent: u64,
    /// Frames that reached its inbox.
    pub messages_delivered: u64,
    /// Its disk operations.
    pub disk: DiskCounters,
}

//! What a simulated disk can be told to do, and what it reports of a power loss.
//!
//! ```text
//!   latencies      read 10 us │ append 5 us (into the page cache) │ sync median 80 us, p99 2 ms │ names 5 us
//!   slow           all of them times a factor; transfers at so many bytes a second
//!   faults         reads, appends, syncs fail at a rate │ reads come short or from elsewhere │ syncs lie │ a quota
//!   power loss     what was not synced: drawn at random │ all gone │ all kept
//! ```

use crate::world::latency::Latency;

/// How a disk behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSettings {
    /// How long a read takes.
    pub read: Latency,
    /// How long an append into the page cache takes.
    pub append: Latency,
    /// How long a sync of a file or a folder takes.
    pub sync: Latency,
    /// How long everything that concerns names, lengths and locks takes.
    pub metadata: Latency,
    /// All of these are multiplied by this; 1 is the disk's own speed.
    pub slow_factor: u64,
    /// Bytes that files may take up in all.
    pub quota_bytes: u64,
    /// Bytes a second that appends bring to the device; 0: as many as there are.
    pub append_bytes_per_second: u64,
    /// Bytes a second that reads get from the device; 0: as many as there are. Reads, appends and syncs wait in one queue.
    pub read_bytes_per_second: u64,
    /// Reads that fail with `InputOutput`, in parts per million.
    pub read_error_ppm: u32,
    /// Appends that fail with `InputOutput` after any part of their bytes, in parts per million.
    pub append_error_ppm: u32,
    /// Syncs of files that fail with `InputOutput` and lose what they should have written, in parts per million.
    pub sync_error_ppm: u32,
    /// Reads that return fewer bytes than the file has there, in parts per million. The seam promises that none does.
    pub short_read_ppm: u32,
    /// Reads that return the bytes of another place of the file, in parts per million.
    pub misdirected_read_ppm: u32,
    /// Syncs of files say Ok and do nothing.
    pub sync_lies: bool,
    /// Syncs of files whose name begins like this say Ok and do nothing.
    pub sync_lies_of: Option<&'static str>,
    /// Syncs of folders say Ok and do nothing.
    pub sync_dir_lies: bool,
    /// Mounted for reading only: whatever would change anything is refused.
    pub read_only: bool,
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self {
            read: Latency::fixed(10),
            append: Latency::fixed(5),
            sync: Latency::quantiles(80, 2_000),
            metadata: Latency::fixed(5),
            slow_factor: 1,
            quota_bytes: 1 << 40,
            append_bytes_per_second: 0,
            read_bytes_per_second: 0,
            read_error_ppm: 0,
            append_error_ppm: 0,
            sync_error_ppm: 0,
            short_read_ppm: 0,
            misdirected_read_ppm: 0,
            sync_lies: false,
            sync_lies_of: None,
            sync_dir_lies: false,
            read_only: false,
        }
    }
}

/// What a power loss does to what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Survival {
    /// Each sector and each name for itself: kept, lost or torn.
    #[default]
    Random,
    /// All of it is gone: files and names are as they were when last synced.
    Nothing,
    /// All of it had reached the medium.
    Everything,
}

/// What a power loss found unsynced, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PowerLoss {
    /// Files with bytes or lengths that were not synced.
    pub files_unsynced: u64,
    /// 512-byte sectors that hold unsynced bytes and kept all of them.
    pub sectors_kept: u64,
    /// Sectors whose unsynced bytes are gone.
    pub sectors_lost: u64,
    /// Sectors of which a part was written, perhaps with garbage.
    pub sectors_torn: u64,
    /// Files that ended shorter or longer than the process had left them.
    pub lengths_changed: u64,
    /// Unsynced creations, renames, links and removals that survived.
    pub names_kept: u64,
    /// Those that did not.
    pub names_lost: u64,
}

/// What a kill found under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Casualties {
    /// Tasks that existed.
    pub tasks: u64,
    /// Frames in the inbox that nobody had received.
    pub frames_unread: u64,
    /// Bytes in files that were not synced.
    pub bytes_unsynced: u64,
}

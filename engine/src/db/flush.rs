//! Writing memtables to tables, oldest first, and letting go of the log that held them.
//!
//! ```text
//!   frozen memtable ─▶ rewrite ─▶ table, synced ─▶ folder synced ─▶ manifest edit ─▶ view ─▶ old segments removed
//!                                                                  └ until here the log holds it all, and a crash
//!                                                                    leaves an orphan that the next opening removes
//! ```
//!
//! A failed flush is tried again from the beginning: its half-made table is removed, the memtable and the log stay. For
//! want of space writes are refused meanwhile; reads go on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::{Core, FileOf, Frozen};
use crate::compaction::{Input, Output, OutputPlan, Surroundings, rewrite};
use crate::error::Error;
use crate::merge::Fragments;
use crate::merge::retain::Readers;
use crate::shape::{Added, Edit};
use crate::table::{Table, TableOptions, table_name};
use crate::version::{OpenTable, TableRecord, VersionEdit};
use crate::wal;
use crate::world::{Access, Clock, Disk, DiskErrorKind, File, Instant, World};

/// How long a failed job waits before it is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Flushes whatever is frozen until the engine ends.
pub(super) async fn run<W: World>(core: Arc<Core<W>>) {
    let _working = core.working();
    while !core.is_stopping() {
        let oldest = core.view.load().frozen.last().cloned();
        // With the log or the manifest failed no table could be made to hold: each would be an orphan.
        let Some(frozen) = oldest.filter(|_| !core.is_poisoned()) else {
            core.done_bell.notify_waiters();
            core.flush_bell.notified().await;
            continue;
        };
        let flushed = flush(&core, &frozen).await;
        core.pressure.update(&core);
        match flushed {
            Ok(()) => {
                core.set_out_of_space(None);
                core.compaction_bell.notify_one();
                core.done_bell.notify_waiters();
            }
            Err(error) => {
                core.note_failure(&error);
                {
                    let mut trouble = core.trouble();
                    trouble.flushes_failed += 1;
                    trouble.flush_failure = Some(error);
                }
                core.done_bell.notify_waiters();
                core.rest(&core.flush_bell).await;
            }
        }
    }
    core.done_bell.notify_waiters();
}

async fn flush<W: World>(core: &Arc<Core<W>>, frozen: &Arc<Frozen>) -> Result<(), Error> {
    let horizon = core.registry.horizon(core.world.clock().now());
    let readers = Readers { snapshots: horizon.sequences, is_bottom: false, expired_until_micros: 0 };
    let fragments = Fragments::new(frozen.memtable.range_tombstones());
    let plan = core.output_plan(0, core.options.memtable_bytes as u64 * 2);
    let began = core.world.clock().now();
    let mut job = Job::new(core);
    let input = Input { cursor: frozen.memtable.cursor(), fragments: &fragments, readers: &readers, plan: &plan };
    let made = rewrite(core.world.disk(), input, &mut job).await;
    let (outputs, books) = match made {
        Ok(Some(made)) => made,
        Ok(None) => return job.undo().await,
        Err(error) => {
            job.undo().await?;
            return Err(error);
        }
    };
    let opened = match books.check(frozen.memtable.usage().entries, books.hash_in) {
        Ok(()) => open_outputs(core, outputs).await,
        Err(error) => Err(error),
    };
    let tables = match opened {
        Ok(tables) => tables,
        Err(error) => {
            job.undo().await?;
            return Err(error);
        }
    };
    install(core, frozen, &tables).await?;
    core.counters.flushes.add(0, &books);
    core.pressure.flushed(books.bytes_out, core.world.clock().now().saturating_since(began));
    remove_segments(core, frozen.log.number).await;
    Ok(())
}

/// Syncs the outputs' names and opens them.
pub(super) async fn open_outputs<W: World>(
    core: &Core<W>,
    outputs: Vec<Output>,
) -> Result<Vec<Arc<OpenTable<FileOf<W>>>>, Error> {
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let disk = core.world.disk();
    disk.sync_dir(&core.directory).await?;
    let mut tables = Vec::with_capacity(outputs.len());
    for Output { path, properties } in outputs {
        let file = disk.open(&path, Access::Read).await?;
        let table = Table::open(file, path, properties.number, Arc::clone(&core.cache)).await?;
        assert_eq!(*table.properties(), properties, "a table says other things than were written");
        tables.push(Arc::new(OpenTable::new(table)));
    }
    Ok(tables)
}

async fn install<W: World>(
    core: &Core<W>,
    frozen: &Arc<Frozen>,
    tables: &[Arc<OpenTable<FileOf<W>>>],
) -> Result<(), Error> {
    let placed = if tables.is_empty() { Edit::none() } else { Edit::flush(tables.to_vec()) };
    let edit = VersionEdit {
        tables: recorded(&placed),
        log: Some(frozen.log),
        next_table: Some(core.next_table.load(Ordering::Relaxed)),
        last_sequence: Some(frozen.last),
        ..VersionEdit::default()
    };
    let mut manifest = core.manifest.lock().await;
    core.commit_edit(&mut manifest, &edit).await?;
    core.install(|view| {
        let removed = view.frozen.pop().expect("what is flushed is frozen");
        assert!(Arc::ptr_eq(&removed, frozen), "memtables are flushed in order");
        view.change_tables(&placed);
    });
    Ok(())
}

/// An edit as the manifest holds it.
pub(super) fn recorded<F: File>(edit: &Edit<Arc<OpenTable<F>>>) -> Edit<TableRecord> {
    let added = edit.added.iter().map(|added| Added {
        level: added.level,
        place: added.place,
        tables: added.tables.iter().map(|table| table.record()).collect(),
    });
    Edit { removed: edit.removed.clone(), added: added.collect() }
}

/// Removes the segments of the log that recovery does not need, but for what change streams are promised. Failing is no
/// harm: the next opening removes them.
pub(super) async fn remove_segments<W: World>(core: &Core<W>, first_needed: u32) {
    let Ok(entries) = core.world.disk().list(&core.directory).await else { return };
    let segments = || entries.iter().filter_map(|entry| Some((wal::segment_number(&entry.name)?, entry)));
    let obsolete: Vec<_> = segments().filter(|(number, _)| *number < first_needed).collect();
    let (mut kept_bytes, mut kept) = (0, 0);
    for (_, entry) in obsolete.iter().rev() {
        kept_bytes += entry.length_bytes;
        if kept_bytes > core.options.change_retention_bytes {
            break;
        }
        kept += 1;
    }
    let (gone, kept) = obsolete.split_at(obsolete.len() - kept);
    let oldest_kept = kept.first().map_or(first_needed, |(number, _)| *number);
    let disk = core.world.disk();
    let (mut removed, mut removed_bytes) = (0, 0);
    for (index, (_, entry)) in gone.iter().enumerate() {
        // The oldest first, and durably so: a gap in the middle could pass for a log that ends there, if the manifest's
        // last edit and the beginning of the segment behind the gap were both damaged.
        if index > 0 && disk.sync_dir(&core.directory).await.is_err() {
            break;
        }
        match disk.remove(&core.directory.join(&entry.name)).await {
            Ok(()) => (removed, removed_bytes) = (removed + 1, removed_bytes + entry.length_bytes),
            Err(error) if error.kind == DiskErrorKind::NotFound => {}
            Err(_) => break,
        }
    }
    core.counters.oldest_segment.store(u64::from(oldest_kept), Ordering::Relaxed);
    core.counters.wal_segments.fetch_sub(removed, Ordering::Relaxed);
    core.counters.wal_bytes.fetch_sub(removed_bytes, Ordering::Relaxed);
}

/// A rewrite under way: the files that it has begun, which go when it fails.
pub(super) struct Job<'a, W: World> {
    core: &'a Arc<Core<W>>,
    begun: Vec<PathBuf>,
}

impl<'a, W: World> Job<'a, W> {
    pub(super) fn new(core: &'a Arc<Core<W>>) -> Self {
        Self { core, begun: Vec::new() }
    }

    /// Removes what was begun. What cannot be removed is an orphan, which the next opening removes.
    pub(super) async fn undo(self) -> Result<(), Error> {
        for path in self.begun {
            let _ = self.core.world.disk().remove(&path).await;
        }
        Ok(())
    }
}

impl<W: World> Surroundings for Job<'_, W> {
    fn next_table(&mut self) -> (u64, PathBuf) {
        let number = self.core.next_table.fetch_add(1, Ordering::Relaxed);
        let path = self.core.directory.join(table_name(number));
        self.begun.push(path.clone());
        (number, path)
    }

    fn is_stopped(&self) -> bool {
        self.core.is_stopping()
    }

    fn now(&self) -> Instant {
        self.core.world.clock().now()
    }
}

impl<W: World> Core<W> {
    /// How tables of a level are built.
    pub(super) fn output_plan(&self, level: usize, table_bytes: u64) -> OutputPlan {
        let table = TableOptions {
            block_bytes: self.options.block_bytes,
            compression: self.options.compression,
            filter_millibits_per_key: self.filter_millibits(level),
        };
        let created_micros = self.world.clock().wall().micros;
        OutputPlan { table, table_bytes, cut_at: Vec::new(), created_micros }
    }

    /// Makes an edit hold; a failure poisons the engine, for nobody knows then what the manifest says.
    pub(super) async fn commit_edit(
        &self,
        manifest: &mut Option<crate::version::ManifestState<W::Disk>>,
        edit: &VersionEdit,
    ) -> Result<(), Error> {
        if let Some(cause) = &self.trouble().poisoned {
            return Err(Error::Poisoned { cause: Arc::clone(cause) });
        }
        let manifest = manifest.as_mut().ok_or(Error::ReadOnly)?;
        let committed = manifest.commit(edit).await;
        self.counters.manifest_bytes_written.store(manifest.bytes_written(), Ordering::Relaxed);
        committed.map_err(|cause| Error::Poisoned { cause: self.poison(cause) })
    }
}

//! Opening: from what is on the disk to an engine that serves.
//!
//! ```text
//!   claim ─▶ CURRENT ─▶ manifest ─▶ tables, each held against it ─▶ log, into a memtable          nothing changed so far
//!         ─▶ log repaired ─▶ new segment ─▶ new manifest, CURRENT switched                        now it is ours
//!         ─▶ orphans removed: tables and manifests that nothing names, segments that are in tables
//! ```
//!
//! Everything is looked at before anything is removed: what is missing, damaged or of a newer program refuses the opening
//! with every byte where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use super::commit::{Committer, Queue, insert};
use super::core::{Core, FileOf, Trouble, View};
use super::counters::Counters;
use super::latency::Latency;
use super::options::Options;
use super::pressure::Pressure;
use super::snapshot::Registry;
use super::{directory, flush, keyspace};
use crate::cache::BlockCache;
use crate::error::Error;
use crate::format::Fault;
use crate::format::Sequence;
use crate::format::segment::Start;
use crate::memtable::Memtable;
use crate::shape::{self, Edit};
use crate::table::{Table, table_name, table_number};
use crate::version::{
    self, CURRENT, CURRENT_TEMPORARY, ManifestContent, ManifestState, OpenTable, TableRecord, TableShape, VersionState,
    placing_all,
};
use crate::wal::{self, LogStart, Recovery, Writer};
use crate::world::{Access, Directory, Disk, World};

/// Encoded bytes of writes that may wait for the committer; whoever comes later waits outside, in order.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// The shortest manifest that is replaced by the next.
const MANIFEST_BYTES_MIN: u64 = 1024 * 1024;

/// How often an opening for reading looks again when files go while it looks.
const READ_ONLY_TRIES: u32 = 10;

/// What was found on the disk, unchanged so far.
struct Found<W: World> {
    entries: Directory,
    content: Option<ManifestContent>,
    state: VersionState,
    shape: TableShape<FileOf<W>>,
    cache: Arc<BlockCache>,
    memtable: Arc<Memtable>,
    log: wal::Log,
}

/// Opens a data directory for reading and writing.
pub(super) async fn open<W: World>(world: W, directory: &Path, options: Options) -> Result<Arc<Core<W>>, Error> {
    options.check()?;
    let disk = world.disk();
    let lock = directory::claim(disk, directory, options.create_if_missing).await?;
    let found = look::<W>(&world, directory, &options).await?;
    let mut recovery = wal::repair(disk, directory, &found.log).await?;
    recovery.tables = found.state.shape.tables();
    let writer = Writer::begin(disk.clone(), directory.to_path_buf(), options.segment_bytes, &found.log).await?;
    let manifest = begin_manifest::<W>(&world, directory, &found, writer.began(), &options).await?;
    remove_orphans(disk, directory, &found.entries, &manifest.state).await?;
    directory::finish(disk, directory).await?;

    let next_table = manifest.state.next_table;
    let first_segment = manifest.state.log.map_or(1, |log| log.number);
    let mut counters = writer.counters();
    // Segments before the log's beginning are kept for change streams, or about to be removed.
    let number_of = |name: &str| wal::segment_number(name).filter(|number| *number < first_segment);
    for entry in found.entries.iter().filter(|entry| number_of(&entry.name).is_some()) {
        counters.segments += 1;
        counters.bytes += entry.length_bytes;
    }
    let committer = Committer::new(writer, Arc::clone(&found.memtable));
    let core = assemble(world, directory, options, found, recovery, Some(committer));
    *core.manifest.lock().await = Some(manifest);
    core.next_table.store(next_table, std::sync::atomic::Ordering::Relaxed);
    *core.lock.lock().expect("nobody else holds a lock that was just made") = Some(lock);
    core.counters.wal_segments.store(counters.segments, std::sync::atomic::Ordering::Relaxed);
    core.counters.wal_bytes.store(counters.bytes, std::sync::atomic::Ordering::Relaxed);
    core.counters.wal_syncs.store(counters.syncs, std::sync::atomic::Ordering::Relaxed);
    flush::remove_segments(&core, first_segment).await;
    Ok(core)
}

/// Opens a data directory for reading only, also beside an engine that has it open. Nothing on the disk is changed.
pub(super) async fn open_read_only<W: World>(
    world: W,
    directory: &Path,
    options: Options,
) -> Result<Arc<Core<W>>, Error> {
    options.check()?;
    directory::check(world.disk(), directory).await?;
    let mut tries = 1;
    let found = loop {
        match look::<W>(&world, directory, &options).await {
            // An engine at work beside us replaces files: what went while we looked is not missing from the next look.
            Err(error) if tries < READ_ONLY_TRIES && is_something_gone(&error) => tries += 1,
            looked => break looked?,
        }
    };
    let mut recovery = found.log.recovery();
    recovery.tables = found.state.shape.tables();
    Ok(assemble(world, directory, options, found, recovery, None))
}

/// Whether a file was not where another one said.
fn is_something_gone(error: &Error) -> bool {
    match error {
        Error::Corrupt { fault, .. } => matches!(fault, Fault::FileMissing | Fault::SegmentMissing { .. }),
        Error::Disk(error) => error.kind == crate::world::DiskErrorKind::NotFound,
        _ => false,
    }
}

/// Reads everything and changes nothing.
async fn look<W: World>(world: &W, directory: &Path, options: &Options) -> Result<Found<W>, Error> {
    let disk = world.disk();
    let entries = disk.list(directory).await?;
    let content = version::read_current(disk, directory).await?;
    let state = match &content {
        Some(content) => VersionState::of(content, &directory.join(version::manifest_name(content.number)))?,
        None => state_without_manifest(directory, &entries)?,
    };
    let cache = Arc::new(BlockCache::new(options.cache_policy, options.memory_bytes));
    let mut placing = Edit::none();
    for added in placing_all(&state.shape).added {
        let mut tables = Vec::with_capacity(added.tables.len());
        for record in &added.tables {
            let table = open_table::<W>(disk, directory, &entries, record, &cache).await;
            tables.push(table.map_err(|error| blame(directory, &content, error))?);
        }
        placing.added.push(shape::Added { level: added.level, place: added.place, tables });
    }
    let mut shape = TableShape::new();
    shape::apply(&mut shape, &placing).expect("tables that say what the manifest says fit where it fitted them");
    let memtable = Arc::new(Memtable::new(options.memtable_bytes));
    let mut has_nameless = false;
    let log = wal::read_log(disk, directory, &entries, state.log, |sequence, operation| {
        let number = keyspace::number_of(operation.key());
        has_nameless |= number != 0 && !state.keyspaces.contains_key(&number);
        insert(&memtable, sequence, &operation);
    })
    .await
    .map_err(|error| blame(directory, &content, error))?;
    match content.as_ref().and_then(|content| relied_on(directory, content)) {
        Some(error) if has_nameless => return Err(error),
        _ => {}
    }
    Ok(Found { entries, content, state, shape, cache, memtable, log })
}

/// What a manifest's torn end is when something shows that it had been synced.
fn relied_on(directory: &Path, content: &ManifestContent) -> Option<Error> {
    let (offset, fault) = content.torn.clone()?;
    let (file, length) = (directory.join(version::manifest_name(content.number)), content.length - offset);
    let advice = "other files rely on an edit that stood here, so this was synced; restore the directory from a backup, or let \
                  the other replicas fill a new one";
    Some(Error::Corrupt { file, offset, length, fault, advice })
}

/// A file that is missing where the manifest is torn was removed on the word of what is torn.
fn blame(directory: &Path, content: &Option<ManifestContent>, error: Error) -> Error {
    let is_missing = matches!(error, Error::Corrupt { fault: Fault::FileMissing | Fault::SegmentMissing { .. }, .. });
    let torn = content.as_ref().filter(|_| is_missing).and_then(|content| relied_on(directory, content));
    torn.unwrap_or(error)
}

/// A directory without `CURRENT` is new, or of the first format: it has a log and no tables.
fn state_without_manifest(directory: &Path, entries: &Directory) -> Result<VersionState, Error> {
    if entries.iter().any(|entry| table_number(&entry.name).is_some()) {
        let advice = "the pointer to the manifest is gone, and the table beside it shows that there was one; restore CURRENT \
                      from a backup: it names the manifest that holds";
        let (file, fault) = (directory.join(CURRENT), Fault::FileMissing);
        return Err(Error::Corrupt { file, offset: 0, length: 0, fault, advice });
    }
    Ok(VersionState { next_table: 1, ..VersionState::default() })
}

/// Opens a table and holds it against what the manifest says of it.
async fn open_table<W: World>(
    disk: &W::Disk,
    directory: &Path,
    entries: &Directory,
    record: &TableRecord,
    cache: &Arc<BlockCache>,
) -> Result<Arc<OpenTable<FileOf<W>>>, Error> {
    let number = record.facts.number;
    let name = table_name(number);
    let path = directory.join(&name);
    let corrupt = |fault, length| {
        let advice =
            "nothing was changed; restore this table from a backup, or let the other replicas fill a new directory";
        Error::Corrupt { file: path.clone(), offset: 0, length, fault, advice }
    };
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
        return Err(corrupt(Fault::FileMissing, record.facts.bytes));
    };
    if entry.length_bytes != record.facts.bytes {
        return Err(corrupt(Fault::NotTheTable { what: "its length" }, entry.length_bytes));
    }
    let file = disk.open(&path, Access::Read).await?;
    let table = Table::open(file, path.clone(), number, Arc::clone(cache)).await?;
    if table.properties().tally.set_hash != record.set_hash {
        return Err(corrupt(Fault::NotTheTable { what: "the set-hash of its entries" }, entry.length_bytes));
    }
    let table = OpenTable::new(table);
    if table.facts != record.facts {
        return Err(corrupt(Fault::NotTheTable { what: "its properties" }, entry.length_bytes));
    }
    Ok(Arc::new(table))
}

/// Begins the manifest of this opening.
async fn begin_manifest<W: World>(
    world: &W,
    directory: &Path,
    found: &Found<W>,
    began: LogStart,
    options: &Options,
) -> Result<ManifestState<W::Disk>, Error> {
    let Found { entries, content, state, .. } = found;
    let mut state = state.clone();
    if state.log.is_none() {
        let first =
            entries.iter().find_map(|entry| wal::segment_number(&entry.name)).filter(|_| found.log.segments > 0);
        let beginning = |number| LogStart { number, previous: Start::FIRST, next_sequence: Sequence(1) };
        state.log = Some(first.map_or(began, beginning));
    }
    let last_table = entries.iter().filter_map(|entry| table_number(&entry.name)).max().unwrap_or(0);
    state.next_table = state.next_table.max(last_table + 1);
    let named = entries.iter().filter_map(|entry| version::manifest_number(&entry.name)).max().unwrap_or(0);
    let number = named.max(content.as_ref().map_or(0, |content| content.number)) + 1;
    let rotate_bytes_min = MANIFEST_BYTES_MIN.min(options.memtable_bytes as u64);
    let (disk, directory) = (world.disk().clone(), directory.to_path_buf());
    Ok(ManifestState::begin(disk, directory, number, state, rotate_bytes_min).await?)
}

/// Removes what nothing names: half-made and replaced tables, manifests of earlier openings.
async fn remove_orphans<D: Disk>(
    disk: &D,
    directory: &Path,
    entries: &Directory,
    state: &VersionState,
) -> Result<(), Error> {
    for entry in entries {
        let is_orphan = match table_number(&entry.name) {
            Some(number) => state.shape.table(number).is_none(),
            None => version::manifest_number(&entry.name).is_some() || entry.name == CURRENT_TEMPORARY,
        };
        if is_orphan {
            disk.remove(&directory.join(&entry.name)).await.or_else(|error| match error.kind {
                crate::world::DiskErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
        }
    }
    Ok(())
}

/// Puts the engine together. Nothing runs yet.
fn assemble<W: World>(
    world: W,
    directory: &Path,
    options: Options,
    found: Found<W>,
    recovery: Recovery,
    committer: Option<Committer<W>>,
) -> Arc<Core<W>> {
    let Found { state, shape, cache, memtable, .. } = found;
    let published = recovery.sequence;
    let tables = || shape.newest_first().flat_map(|(_, run)| run.iter());
    let covering = tables().filter(|table| table.covers_ranges()).cloned().collect();
    let counters = Counters::default();
    let pinned: usize = tables().map(|table| table.table.pinned_bytes()).sum();
    counters.pinned_bytes.store(pinned as u64, std::sync::atomic::Ordering::Relaxed);
    let keyspaces: BTreeMap<String, u16> =
        state.keyspaces.iter().map(|(number, name)| (name.clone(), *number)).collect();
    let numbers: BTreeSet<u16> = keyspaces.values().copied().collect();
    assert_eq!(numbers.len(), keyspaces.len(), "two keyspaces of one name");
    let core = Arc::new(Core {
        directory: directory.to_path_buf(),
        registry: Arc::new(Registry::new(options.snapshot_age_max)),
        options,
        recovery,
        read_only: committer.is_none(),
        view: ArcSwap::from_pointee(View { memtable, frozen: Vec::new(), shape: Arc::new(shape), covering }),
        installing: Mutex::new(()),
        published: AtomicU64::new(published.0),
        cache,
        counters,
        get_latency: Latency::new(),
        write_latency: Latency::new(),
        scan_latency: Latency::new(),
        pressure: Pressure::new(),
        queue: Mutex::new(Queue::new(committer)),
        queue_room: Arc::new(Semaphore::new(QUEUE_BYTES)),
        manifest: tokio::sync::Mutex::new(None),
        next_table: AtomicU64::new(state.next_table),
        keyspaces: Mutex::new(keyspaces),
        trouble: Mutex::new(Trouble::default()),
        is_troubled: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        flush_bell: Notify::new(),
        compaction_bell: Notify::new(),
        done_bell: Notify::new(),
        rest_bell: Notify::new(),
        schedule: Mutex::default(),
        lock: Mutex::new(None),
        world,
    });
    core.share_out_memory();
    core
}

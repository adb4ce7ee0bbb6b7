//! Writers on a slow disk: no write waits long for anything but its own calls, and memory stays bounded.
//!
//! ```text
//!   8 writers ──▶ engine, memtables of 256 KiB ──▶ metered disk ──▶ simulated disk, 2 or 20 MiB/s
//!                                                    └ own time of the log: its bytes at the disk's speed, and its syncs
//!   latency of a write - own time of the log meanwhile < 50 ms       memtables < 8 x 256 KiB
//! ```
//!
//! An append of the log that waits behind the tables that flushes and compactions write is not the write's own time: the
//! meter counts the bytes of the log, not the wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cluster::world::NodeId;
use engine::world::{Access, Clock, Directory, Disk, DiskError, File, Rng, Space, TaskHandle, Tasks, World};
use engine::{Db, Durability, Options};
use sim::world::{DiskSettings, Laboratory, NodeSettings, run_sealed};

const WRITERS: u64 = 8;
const MEMTABLE_BYTES: usize = 256 * 1024;

/// The longest that a write may wait for others.
const STALL_MICROS_MAX: u64 = 50_000;

/// Adds up what the log's own calls take.
#[derive(Debug, Clone)]
struct Meter {
    micros: Arc<AtomicU64>,
    bytes_per_second: u64,
}

impl Meter {
    fn micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }

    fn add(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// A world whose disk is metered.
#[derive(Clone)]
struct Metered<W: World> {
    inner: W,
    disk: MeteredDisk<W>,
}

impl<W: World> World for Metered<W> {
    type Clock = W::Clock;
    type Disk = MeteredDisk<W>;
    type Tasks = W::Tasks;

    fn clock(&self) -> &W::Clock {
        self.inner.clock()
    }

    fn disk(&self) -> &MeteredDisk<W> {
        &self.disk
    }

    fn tasks(&self) -> &W::Tasks {
        self.inner.tasks()
    }

    fn rng(&self, label: &str) -> Rng {
        self.inner.rng(label)
    }
}

#[derive(Clone)]
struct MeteredDisk<W: World> {
    world: W,
    meter: Meter,
}

impl<W: World> MeteredDisk<W> {
    fn file(&self, file: <W::Disk as Disk>::File, path: &Path) -> MeteredFile<W> {
        MeteredFile { file, path: path.to_path_buf(), clock: self.world.clock().clone(), meter: self.meter.clone() }
    }
}

impl<W: World> Disk for MeteredDisk<W> {
    type File = MeteredFile<W>;
    type Lock = <W::Disk as Disk>::Lock;

    async fn create(&self, path: &Path) -> Result<MeteredFile<W>, DiskError> {
        Ok(self.file(self.world.disk().create(path).await?, path))
    }

    async fn open(&self, path: &Path, access: Access) -> Result<MeteredFile<W>, DiskError> {
        Ok(self.file(self.world.disk().open(path, access).await?, path))
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.world.disk().rename(from, to).await
    }

    async fn link(&self, existing: &Path, link: &Path) -> Result<(), DiskError> {
        self.world.disk().link(existing, link).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.world.disk().remove(path).await
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.world.disk().create_dir(path).await
    }

    async fn list(&self, path: &Path) -> Result<Directory, DiskError> {
        self.world.disk().list(path).await
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.world.disk().sync_dir(path).await
    }

    async fn space(&self, path: &Path) -> Result<Space, DiskError> {
        self.world.disk().space(path).await
    }

    async fn lock(&self, path: &Path) -> Result<Self::Lock, DiskError> {
        self.world.disk().lock(path).await
    }
}

struct MeteredFile<W: World> {
    file: <W::Disk as Disk>::File,
    path: PathBuf,
    clock: W::Clock,
    meter: Meter,
}

impl<W: World> MeteredFile<W> {
    fn is_log(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "log")
            && self.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wal-"))
    }
}

impl<W: World> File for MeteredFile<W> {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        self.file.read_at(offset, length).await
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        let bytes: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let appended = self.file.append(chunks).await;
        if self.is_log() {
            self.meter.add(bytes * 1_000_000 / self.meter.bytes_per_second);
        }
        appended
    }

    async fn len(&self) -> Result<u64, DiskError> {
        self.file.len().await
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.file.truncate(length).await
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let began = self.clock.now();
        let synced = self.file.sync().await;
        if self.is_log() {
            self.meter.add(self.clock.now().saturating_since(began).as_micros() as u64);
        }
        synced
    }
}

/// What the writers of one run met.
struct Met {
    /// Of each write: its latency but for the log's own time, ascending.
    stalls_micros: Vec<u64>,
    memtable_bytes_most: u64,
    flushes: u64,
    compactions: u64,
}

fn write_for(seconds: u64, bytes_per_second: u64) -> Met {
    run_sealed(1, async move |laboratory: Laboratory| {
        let disk = DiskSettings { append_bytes_per_second: bytes_per_second, ..DiskSettings::default() };
        let node = laboratory.node(NodeId(1), NodeSettings { disk, ..NodeSettings::default() });
        let process = node.start(move |world| async move {
            let meter = Meter { micros: Arc::default(), bytes_per_second };
            let disk = MeteredDisk { world: world.clone(), meter: meter.clone() };
            write(Metered { inner: world, disk }, meter, seconds).await
        });
        process.join().await.expect("nobody kills it")
    })
    .value
}

async fn write<W: World>(world: Metered<W>, meter: Meter, seconds: u64) -> Met {
    let options = Options {
        durability: Durability::None,
        memtable_bytes: MEMTABLE_BYTES,
        memory_bytes: 8 << 20,
        ..Options::default()
    };
    let (db, _) = Db::open(world.clone(), Path::new("/node"), options).await.expect("an empty disk");
    let until = world.clock().now() + Duration::from_secs(seconds);
    let memtable_bytes_most = Arc::new(AtomicU64::new(0));
    let writer = |number: u64| {
        let (db, clock, meter, most) = (db.clone(), world.clock().clone(), meter.clone(), memtable_bytes_most.clone());
        let mut rng = world.rng(&format!("writer {number}"));
        world.tasks().spawn("writer", async move {
            let mut stalls = Vec::new();
            while clock.now() < until {
                let key = format!("key {:06}", rng.below(20_000));
                let value: Vec<u8> = (0..1024).map(|_| rng.below(256) as u8).collect();
                let (began, own_before) = (clock.now(), meter.micros());
                db.put(key, value).await.expect("the disk is slow, not broken");
                let took = clock.now().saturating_since(began).as_micros() as u64;
                stalls.push(took.saturating_sub(meter.micros() - own_before));
                most.fetch_max(db.statistics().memtable_bytes, Ordering::Relaxed);
            }
            stalls
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(writer).collect();
    let mut stalls_micros = Vec::new();
    for writer in writers {
        stalls_micros.extend(writer.join().await.expect("nobody cancels a writer"));
    }
    stalls_micros.sort_unstable();
    let (statistics, memtable_bytes_most) = (db.statistics(), memtable_bytes_most.load(Ordering::Relaxed));
    let (flushes, compactions) = (statistics.flushes.jobs, statistics.compactions.jobs);
    Met { stalls_micros, memtable_bytes_most, flushes, compactions }
}

fn judge(bytes_per_second: u64, seconds: u64) {
    let Met { stalls_micros, memtable_bytes_most, flushes, compactions } = write_for(seconds, bytes_per_second);
    let at = |thousandth: usize| stalls_micros[(stalls_micros.len() - 1) * thousandth / 1_000];
    let (p50, p99, most) = (at(500), at(990), at(1_000));
    println!(
        "{} MiB/s: {} writes, {flushes} flushes, {compactions} compactions; beside their own calls they took p50 {p50} us, \
         p99 {p99} us, at most {most} us; memtables took {memtable_bytes_most} bytes at most",
        bytes_per_second >> 20,
        stalls_micros.len()
    );
    assert!(flushes > 10 && compactions > 0, "{flushes} flushes and {compactions} compactions are no load");
    assert!(most < STALL_MICROS_MAX, "a write waited for {most} us");
    assert!(memtable_bytes_most < 8 * MEMTABLE_BYTES as u64, "memtables took {memtable_bytes_most} bytes");
}

#[test]
fn no_write_stalls_on_a_disk_of_2_mib_a_second() {
    judge(2 << 20, 20);
}

#[test]
fn no_write_stalls_on_a_disk_of_20_mib_a_second() {
    judge(20 << 20, 4);
}

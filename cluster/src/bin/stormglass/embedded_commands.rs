//! get, put, delete and scan on a directory, without a server; explain, statistics, flush and compact on one of any owner.
//! Each opens the engine, does one thing, and closes it so that the next one has nothing to recover.

use std::path::Path;
use std::process::ExitCode;

use cluster::embedded::{Embedded, key_in_partition};
use engine::world::real::RealWorld;
use engine::world::{Clock, WallTime, World};
use engine::{Db, Options};
use serde_json::json;

use crate::arguments::{Delete, Get, Put, Scan};
use crate::client_commands::{print_row, range_of, value_to_put};
use crate::engine_arguments::EngineArguments;
use crate::operator_arguments::{ExplainKey, Maintain, Statistics};
use crate::output::{Failed, checked, print, ratio, readable, size};

async fn open(data: &Path, engine: &EngineArguments, create: bool) -> Result<Embedded<RealWorld>, Failed> {
    Ok(Embedded::open(RealWorld::new(), data, engine.options(create)).await?)
}

pub(crate) async fn get(data: &Path, get: &Get, json: bool) -> Result<ExitCode, Failed> {
    check_key(&get.key)?;
    let database = open(data, &get.target.engine, false).await?;
    let value = database.get(get.key.as_bytes()).await?;
    database.close().await?;
    if json {
        print(&json!({ "key": get.key, "value": value.as_deref().map(readable) }).to_string());
        return Ok(if value.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    let value = value.ok_or_else(|| Failed::check(format!("{} has no value", get.key)))?;
    print(&readable(&value));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn put(data: &Path, put: &Put, json: bool) -> Result<ExitCode, Failed> {
    check_key(&put.key)?;
    let value = value_to_put(put)?;
    cluster::limits::check_value(&value).map_err(|error| Failed::usage(error.to_string()))?;
    let database = open(data, &put.target.engine, true).await?;
    match put.ttl {
        None => database.put(put.key.as_bytes(), value).await?,
        Some(ttl) => {
            let now = RealWorld::new().clock().wall().micros;
            let micros = now.saturating_add(u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX));
            database.put_until(put.key.as_bytes(), value, WallTime { micros }).await?;
        }
    }
    database.close().await?;
    written(&put.key, json)
}

pub(crate) async fn delete(data: &Path, delete: &Delete, json: bool) -> Result<ExitCode, Failed> {
    check_key(&delete.key)?;
    let database = open(data, &delete.target.engine, false).await?;
    database.delete(delete.key.as_bytes()).await?;
    database.close().await?;
    written(&delete.key, json)
}

pub(crate) async fn scan(data: &Path, scan: &Scan, json: bool) -> Result<ExitCode, Failed> {
    let database = open(data, &scan.target.engine, false).await?;
    let (from, until) = range_of(scan);
    if scan.reverse {
        scan_back(&database, &from, until.to_vec(), scan.limit, json).await?;
        database.close().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut from = Some(from);
    let mut left = scan.limit;
    while let Some(start) = from.take().filter(|_| left > 0) {
        let (rows, next) = database.scan(&start, &until, left.min(cluster::limits::MAX_SCAN_ROWS)).await?;
        left -= rows.len();
        for (key, value) in rows {
            print_row(&key, &value, json);
        }
        from = next;
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn scan_back(
    database: &Embedded<RealWorld>,
    from: &[u8],
    mut until: Vec<u8>,
    limit: usize,
    json: bool,
) -> Result<(), Failed> {
    let mut left = limit;
    while left > 0 {
        let rows = database.scan_back(from, &until, left.min(cluster::limits::MAX_SCAN_ROWS)).await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        until = last.to_vec();
        left -= rows.len();
        for (key, value) in rows {
            print_row(&key, &value, json);
        }
        if until.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Failed> {
    cluster::limits::check_key(key.as_bytes()).map_err(|error| Failed::usage(error.to_string()))
}

fn written(key: &str, json: bool) -> Result<ExitCode, Failed> {
    print(&if json { json!({ "key": key }).to_string() } else { "ok".to_string() });
    Ok(ExitCode::SUCCESS)
}

/// Opens a directory of whatever owner for reading, beside whoever has it open.
async fn look(data: &Path, engine: &EngineArguments) -> Result<Db<RealWorld>, Failed> {
    let (db, _) = Db::open_read_only(RealWorld::new(), data, engine.options(false)).await?;
    Ok(db)
}

pub(crate) async fn explain(explain: &ExplainKey, json: bool) -> Result<ExitCode, Failed> {
    check_key(&explain.key)?;
    let db = look(&explain.data, &explain.engine).await?;
    let explained = db.explain(&key_in_partition(explain.partition, explain.key.as_bytes())).await?;
    db.close().await?;
    print(&if json {
        serde_json::to_string(&explained).expect("an explanation is plain values")
    } else {
        explained.to_string()
    });
    Ok(if explained.found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) async fn flush(flush: &Maintain, json: bool) -> Result<ExitCode, Failed> {
    // Only what was asked for: nothing is merged on the way.
    let options = Options { compaction_jobs: 0, ..flush.engine.options(false) };
    let (db, _) = Db::open(RealWorld::new(), &flush.data, options).await?;
    db.flush().await?;
    tidied(&db, json).await
}

pub(crate) async fn compact(compact: &Maintain, json: bool) -> Result<ExitCode, Failed> {
    let (db, _) = Db::open(RealWorld::new(), &compact.data, compact.engine.options(false)).await?;
    db.compact().await?;
    tidied(&db, json).await
}

/// Closes, and tells what was written for it.
async fn tidied(db: &Db<RealWorld>, json: bool) -> Result<ExitCode, Failed> {
    db.close().await?;
    let statistics = db.statistics();
    let (flushed, merged) = (statistics.flushes, statistics.compactions);
    let tables: u64 = statistics.levels.iter().map(|level| level.tables).sum();
    print(&if json {
        json!({ "flushes": flushed, "compactions": merged, "tables": tables, "table_bytes": statistics.table_bytes() })
            .to_string()
    } else {
        format!(
            "{} flushed; {} merged into {}, {} entries dropped; {tables} tables, {}",
            size(flushed.bytes_out),
            size(merged.bytes_in),
            size(merged.bytes_out),
            flushed.entries_dropped + merged.entries_dropped,
            size(statistics.table_bytes())
        )
    });
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn statistics(wanted: &Statistics, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let db = look(&wanted.data, &wanted.engine).await?;
    let counted = if wanted.count { Some(read_everything(&db).await?) } else { None };
    let statistics = db.statistics();
    db.close().await?;
    let strategy = wanted.engine.options(false).strategy;
    let tree = match engine::inspect::tree(world.disk(), &wanted.data, &strategy, wanted.count, readable).await {
        Ok(tree) => Some(tree),
        // A directory of the first format has a log and nothing else.
        Err(engine::Error::NotThis { .. }) => None,
        Err(error) => return Err(checked(error)),
    };
    let living = tree.as_ref().and_then(|tree| tree.living);
    let (log_segments, log_bytes) = tree.as_ref().map_or((0, 0), |tree| (tree.log_segments, tree.log_bytes));
    let space = living.and_then(|living| ratio(statistics.table_bytes(), living.bytes));
    if json {
        print(
            &json!({
                "statistics": statistics, "tree": tree, "space_amplification": space, "rows": counted,
            })
            .to_string(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!(
        "sequence {}; in memory: {} keys, {} versions, {}",
        statistics.sequence,
        statistics.memtable_keys,
        statistics.memtable_entries,
        size(statistics.memtable_bytes)
    ));
    print(&format!("log: {log_segments} segments, {}", size(log_bytes)));
    print(&format!("{:>5}{:>6}{:>8}{:>12}{:>12}{:>12}", "level", "runs", "tables", "size", "entries", "tombstones"));
    for level in &statistics.levels {
        let engine::LevelStatistics { level, runs, tables, bytes, entries, tombstones } = *level;
        print(&format!("{level:>5}{runs:>6}{tables:>8}{:>12}{entries:>12}{tombstones:>12}", size(bytes)));
    }
    print(&format!(
        "tables: {}; their indexes in memory: {}",
        size(statistics.table_bytes()),
        size(statistics.pinned_bytes)
    ));
    if let Some(rows) = counted {
        show_reading(&statistics, rows);
    }
    if let (Some(living), Some(space)) = (living, space) {
        let (keys, bytes) = (living.keys, size(living.bytes));
        print(&format!("alive in tables: {keys} keys, {bytes}; {space} bytes in tables a live byte"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads every key in order, and up to ten thousand of them once more one by one; returns how many there are.
async fn read_everything(db: &Db<RealWorld>) -> Result<u64, Failed> {
    const SAMPLED: u64 = 10_000;
    let (mut rows, mut sample) = (0, Vec::new());
    let mut every = 1;
    let mut iteration = db.iterate(engine::all_keys(), engine::Direction::Forward, &db.snapshot())?;
    while let Some((key, _)) = iteration.next().await? {
        if rows % every == 0 {
            sample.push(key);
            if sample.len() as u64 == 2 * SAMPLED {
                every *= 2;
                let mut number = 0;
                sample.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
            }
        }
        rows += 1;
    }
    drop(iteration);
    for key in sample {
        db.get(&key).await?;
    }
    Ok(rows)
}

fn show_reading(statistics: &engine::Statistics, rows: u64) {
    let (reads, cache) = (&statistics.reads, &statistics.cache);
    print(&format!("read in order: {rows} keys; then {} of them one by one", statistics.gets));
    print(&format!(
        "blocks: {} looked into, {} from the cache; {} read in {} calls",
        reads.blocks,
        reads.blocks_cached,
        size(reads.bytes_read),
        reads.disk_reads
    ));
    let (asked, no, wrong) = (reads.filters_asked, reads.filters_negative, reads.filters_false_positive);
    print(&format!("filters: {asked} asked, {no} said no, {wrong} said perhaps in vain"));
    print(&format!("cache: {} of {}", size(cache.resident_bytes), size(cache.capacity_bytes)));
}

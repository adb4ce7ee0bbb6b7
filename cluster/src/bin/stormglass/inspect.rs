//! `stormglass inspect wal|table|manifest|tree`: what is on the disk, with damage pointed at. The log, for example:
//!
//! ```text
//!   data/n1/wal-00000000000000000001.log, 246 bytes
//!       offset    sequence  operation  value bytes      synced  key
//!           16           1  start                            0  (no segment before it)
//!          136           2  put                 35         136  data/23/user1
//!   CORRUPT in data/n1/wal-00000000000000000001.log at offset 136, 110 bytes: ...
//! ```
//!
//! The columns are the engine's; the names of the keys are the cluster's, who knows what they are made of. The size is that of
//! the stored row: the value, its stamp and its framing.

use std::path::Path;
use std::process::ExitCode;

use cluster::replica::readable_key;
use engine::inspect::{ManifestLine, TableLine, WalLine};
use engine::world::World;
use engine::world::real::RealWorld;
use serde_json::json;

use crate::operator_arguments::{TableDump, TreeDump};
use crate::output::{Failed, checked, print};

/// A line of a dump, for people or for programs.
fn show<L: std::fmt::Display + serde::Serialize>(line: &L, json: bool) {
    print(&if json { serde_json::to_string(line).expect("a line is plain values") } else { line.to_string() });
}

/// The end of a dump.
fn conclude<S: std::fmt::Display + serde::Serialize>(summary: &S, is_whole: bool, json: bool) -> ExitCode {
    print(&if json { json!({ "line": "summary", "summary": summary }).to_string() } else { summary.to_string() });
    if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

pub(crate) async fn wal(path: &Path, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let show = |line: WalLine| show(&line, json);
    let summary = engine::inspect::wal(world.disk(), path, readable_key, show).await?;
    if summary.segments == 0 {
        return Err(Failed::usage(format!("{}: this folder holds no write-ahead log", path.display())));
    }
    Ok(conclude(&summary, summary.corruptions == 0, json))
}

pub(crate) async fn table(wanted: &TableDump, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let show = |line: TableLine| show(&line, json);
    let summary = engine::inspect::table(world.disk(), &wanted.path, wanted.keys, readable_key, show).await?;
    Ok(conclude(&summary, summary.damages == 0, json))
}

pub(crate) async fn manifest(path: &Path, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let show = |line: ManifestLine| show(&line, json);
    let summary = engine::inspect::manifest(world.disk(), path, readable_key, show).await.map_err(checked)?;
    Ok(conclude(&summary, summary.corruptions == 0, json))
}

pub(crate) async fn tree(wanted: &TreeDump, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let TreeDump { path, strategy, count, .. } = wanted;
    let tree = engine::inspect::tree(world.disk(), path, strategy, *count, readable_key).await.map_err(checked)?;
    show(&tree, json);
    if wanted.tables && !json {
        tree.tables().for_each(|table| print(&table));
    }
    Ok(ExitCode::SUCCESS)
}

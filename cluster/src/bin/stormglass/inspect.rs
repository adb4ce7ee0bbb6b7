//! `stormglass inspect wal`: the log, record by record, with damage pointed at.
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
use engine::inspect::WalLine;
use engine::world::World;
use engine::world::real::RealWorld;
use serde_json::json;

use crate::output::{Failed, print};

pub(crate) async fn wal(path: &Path, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let show = |line: WalLine| {
        print(&if json { serde_json::to_string(&line).expect("a line is plain values") } else { line.to_string() });
    };
    let summary = engine::inspect::wal(world.disk(), path, readable_key, show).await?;
    if summary.segments == 0 {
        return Err(Failed::usage(format!("{}: this folder holds no write-ahead log", path.display())));
    }
    print(&if json { json!({ "line": "summary", "summary": summary }).to_string() } else { summary.to_string() });
    Ok(if summary.corruptions == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

//! `stormglass inspect wal`: the log, record by record, with damage pointed at.
//!
//! ```text
//!   offset  sequence  operation  key             value
//!      112         1  put        data/23/user1   16 bytes
//!   !! corrupt at offset 176, 64 bytes: ...
//! ```

use std::path::Path;
use std::process::ExitCode;

use engine::inspect::{RowKind, Verdict, WalLine, WalSummary};
use engine::world::World;
use engine::world::real::RealWorld;
use serde_json::json;

use crate::output::{Failed, print};

pub(crate) async fn wal(path: &Path, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let show = |line: WalLine| {
        print(&if json { serde_json::to_string(&line).expect("a line is plain values") } else { words(&line) });
    };
    let summary = engine::inspect::wal(world.disk(), path, show).await?;
    if summary.segments == 0 {
        return Err(Failed::usage(format!("{}: this folder holds no write-ahead log", path.display())));
    }
    if json {
        print(&json!({ "line": "summary", "summary": summary }).to_string());
    } else {
        print(&summary_words(&summary));
    }
    Ok(if summary.corruptions == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn words(line: &WalLine) -> String {
    match line {
        WalLine::Segment { file, length_bytes } => format!(
            "{} ({length_bytes} bytes)\n{:>10}  {:>10}  {:9}  key and value size",
            file.display(),
            "offset",
            "sequence",
            "operation"
        ),
        WalLine::Row(row) => {
            let operation = match row.operation {
                RowKind::Start => "start",
                RowKind::Put => "put",
                RowKind::Delete => "delete",
                RowKind::Seal => "seal",
            };
            let value = row.value_bytes.map_or(String::new(), |bytes| format!("  {bytes} bytes"));
            format!("{:>10}  {:>10}  {operation:9}  {}{value}", row.offset, row.sequence.to_string(), row.key)
        }
        WalLine::Damage { offset, length_bytes, what, verdict, advice, .. } => {
            let kind = match verdict {
                Verdict::TornTail => "torn tail",
                Verdict::Corrupt => "CORRUPT",
            };
            format!("!! {kind} at offset {offset}, {length_bytes} bytes: {what}\n   {advice}")
        }
    }
}

fn summary_words(summary: &WalSummary) -> String {
    let end = match summary {
        WalSummary { corruptions: 1.., .. } => "damaged: opening refuses",
        WalSummary { torn_tail: true, .. } => "the end is torn, as a crash leaves it",
        WalSummary { closed_cleanly: true, .. } => "closed cleanly",
        _ => "not closed, and whole to its end",
    };
    let sequence = |sequence: &Option<engine::Sequence>| sequence.map_or("-".to_string(), |number| number.to_string());
    format!(
        "{} segments, {} bytes, {} batches: {} puts, {} deletes, sequences {} to {}; {end}",
        summary.segments,
        summary.bytes,
        summary.batches,
        summary.puts,
        summary.deletes,
        sequence(&summary.first_sequence),
        sequence(&summary.last_sequence),
    )
}

//! Why a read costs what it costs: the read itself, source by source, with what each one took.
//!
//! ```text
//!   memtable                 not here
//!   level 0, table 12        filter: no
//!   level 1, table 9         filter: perhaps; 2 blocks, 1 from the cache, 4,106 bytes read; found, sequence 71
//! ```

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::core::{Core, View};
use super::keyspace::{InternalKey, Keyspace};
use super::read::{self, Lookup};
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::Sequence;
use crate::world::{Clock, World};

/// One source that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainStep {
    /// Memtable, or level and table.
    pub source: String,
    /// What asking it touched.
    pub cost: ReadCost,
    /// What came of it.
    pub outcome: String,
}

/// What a point read did, and why it cost what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether the key has a value.
    pub found: bool,
    /// The version that decided, be it a value or a tombstone.
    pub sequence: Option<Sequence>,
    /// Bytes of the value.
    pub value_bytes: Option<u64>,
    /// The sources in the order in which they were asked.
    pub steps: Vec<ExplainStep>,
    /// All of them together.
    pub cost: ReadCost,
    /// How long the read took.
    pub micros: u64,
    /// The up to three reasons that cost most, the dearest first.
    pub reasons: Vec<String>,
}

/// Reads a key and tells about it.
pub(super) async fn explain<W: World>(core: &Core<W>, keyspace: Keyspace, key: &[u8]) -> Result<Explanation, Error> {
    let began = core.world.clock().now();
    let (view, published) = {
        let (view, published) = core.read_view();
        (Arc::clone(&view), published)
    };
    let internal = InternalKey::new(keyspace, key);
    let lookup = Lookup::new(internal.as_slice(), published);
    let (steps, version) = steps(&view, lookup).await?;
    let micros = u64::try_from(core.world.clock().now().saturating_since(began).as_micros()).unwrap_or(u64::MAX);
    let mut cost = ReadCost::default();
    steps.iter().for_each(|step| cost.add(&step.cost));
    let sequence = version.as_ref().map(|version| version.sequence);
    let value = version.and_then(|version| read::value_of(version, || core.world.clock().wall()));
    let value_bytes = value.as_ref().map(|(value, _)| value.len() as u64);
    let reasons = reasons(&cost, view.frozen.len() as u64, view.shape.runs(0).len() as u64);
    Ok(Explanation { found: value.is_some(), sequence, value_bytes, steps, cost, micros, reasons })
}

async fn steps<W: World>(
    view: &View<W>,
    lookup: Lookup<'_>,
) -> Result<(Vec<ExplainStep>, Option<crate::format::entry::Version>), Error> {
    let mut steps = Vec::new();
    let memtables = std::iter::once(&view.memtable).chain(view.frozen.iter().map(|frozen| &frozen.memtable));
    for (index, memtable) in memtables.enumerate() {
        let found = read::newest_in_memtable(memtable, lookup);
        let source = if index == 0 { "memtable".to_string() } else { format!("frozen memtable {index}") };
        let cost = ReadCost { memtables: 1, ..ReadCost::default() };
        steps.push(ExplainStep { source, cost, outcome: outcome(&found, &cost) });
        if found.is_some() {
            return Ok((steps, found));
        }
    }
    for (level, run) in view.shape.newest_first() {
        let Some(table) = run.find(lookup.key) else { continue };
        let mut cost = ReadCost::default();
        let point = read::get_in_table(table, lookup, &mut cost).await?;
        let found = read::first(read::covering_in_table(table, lookup), point);
        let source = format!("level {level}, table {}", table.facts.number);
        steps.push(ExplainStep { source, cost, outcome: outcome(&found, &cost) });
        if found.is_some() {
            return Ok((steps, found));
        }
    }
    Ok((steps, None))
}

fn outcome(found: &Option<crate::format::entry::Version>, cost: &ReadCost) -> String {
    match found {
        Some(version) if version.value.is_some() => format!("found, sequence {}", version.sequence),
        Some(version) => format!("deleted at sequence {}", version.sequence),
        None if cost.filters_negative > 0 => "the filter says no".to_string(),
        None if cost.filters_false_positive > 0 => "the filter said perhaps, in vain".to_string(),
        None => "not here".to_string(),
    }
}

/// What cost most: waiting for the disk counts a hundred times what a look into memory does.
fn reasons(cost: &ReadCost, frozen: u64, level0_runs: u64) -> Vec<String> {
    let filters_passed = cost.filters_asked - cost.filters_negative;
    let mut weighed = vec![
        (
            cost.disk_reads * 100,
            format!(
                "{} reads from files, {} bytes: these blocks were not in the cache",
                cost.disk_reads, cost.bytes_read
            ),
        ),
        (
            cost.filters_false_positive * 60,
            format!(
                "{} filters said perhaps of a table without the key: more bits a key help",
                cost.filters_false_positive
            ),
        ),
        (
            level0_runs.saturating_sub(1) * 4,
            format!("{level0_runs} runs in level 0 may each hold the key: compaction is behind, or just about to run"),
        ),
        (
            cost.tables.saturating_sub(1) * 3,
            format!(
                "{} tables hold this part of the key range, {filters_passed} of them were looked into",
                cost.tables
            ),
        ),
        (frozen * 2, format!("{frozen} memtables wait to be written to tables")),
        (cost.blocks_cached, format!("{} blocks from the cache, {} bytes", cost.blocks_cached, cost.bytes_cached)),
        (1, "the memtable was asked first, as it always is".to_string()),
    ];
    weighed.retain(|(weight, _)| *weight > 0);
    weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighed.into_iter().take(3).map(|(_, reason)| reason).collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match (self.value_bytes, self.sequence) {
            (Some(bytes), Some(sequence)) => format!("a value of {bytes} bytes, written at sequence {sequence}"),
            (None, Some(sequence)) => format!("no value: deleted or expired, last written at sequence {sequence}"),
            _ => "no value: no source has heard of the key".to_string(),
        };
        writeln!(formatter, "{found}; {} us", self.micros)?;
        for ExplainStep { source, cost, outcome } in &self.steps {
            let mut touched = String::new();
            if cost.filters_asked > 0 {
                touched += "filter asked; ";
            }
            if cost.blocks > 0 {
                let (blocks, cached, bytes) = (cost.blocks, cost.blocks_cached, cost.bytes_read);
                touched += &format!("{blocks} blocks, {cached} from the cache, {bytes} bytes read; ");
            }
            writeln!(formatter, "  {source:<24}{touched}{outcome}")?;
        }
        let ReadCost { memtables, tables, filters_asked, filters_negative, blocks, blocks_cached, bytes_read, .. } =
            self.cost;
        writeln!(
            formatter,
            "touched {memtables} memtables, {tables} tables, {filters_asked} filters ({filters_negative} said no), {blocks} blocks \
             ({blocks_cached} cached), {bytes_read} bytes read"
        )?;
        for (index, reason) in self.reasons.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "reason {}: {reason}", index + 1)?;
        }
        Ok(())
    }
}

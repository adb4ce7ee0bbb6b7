//! Whether each node's files are what its engine believes them to be: everything `stormglass verify` looks at.
//!
//! ```text
//!   image of n1's disk ──▶ a machine of its own ──▶ engine::verify ──▶ every checksum, order, filter, sum, manifest and log
//! ```
//!
//! Clients see damage only when they happen to read it, and a merge may have written it long before. The images are taken
//! at rest and looked at after the run, so that looking is no event of it.

use std::path::Path;

use cluster::world::NodeId;
use engine::verify::{Report, verify};
use engine::world::World;

use super::{Anomaly, AnomalyKind, Findings};
use crate::world::{DiskImage, DiskSettings, SoloMachine, SoloWorld};

/// A node's data at rest.
#[derive(Debug, Clone)]
pub struct NodeAtRest {
    /// Whose.
    pub node: NodeId,
    /// Its disk.
    pub image: DiskImage,
}

/// Verifies the data directories at `directory` of these nodes, as they were at `at_micros`. Examined are the blocks of
/// tables, edits of manifests and writes in logs that were read.
pub fn check(nodes: &[NodeAtRest], directory: &Path, at_micros: u64) -> Findings {
    let mut findings = Findings::default();
    for NodeAtRest { node, image } in nodes {
        let machine = SoloMachine::found(image, &image.everything(), DiskSettings::default(), 0);
        let looked = machine.run(0, async |world: SoloWorld| verify(world.disk(), directory, |_, _| ()).await);
        let explanation = match looked {
            Ok(report) => {
                findings.examined += report.blocks + report.edits + report.log_writes;
                let Some(problem) = sentence(&report) else { continue };
                format!("{node}: {problem}")
            }
            Err(error) => format!("{node} cannot be verified: {error}"),
        };
        findings.anomalies.push(Anomaly {
            kind: AnomalyKind::UnsoundFiles,
            key: node.to_string(),
            operations: Vec::new(),
            at_micros,
            behind_micros: None,
            explanation,
        });
    }
    findings
}

/// The first problem, and how many there are.
fn sentence(report: &Report) -> Option<String> {
    let first = report.problems.first()?;
    let place = format!("{} at offset {}, {} bytes", first.file.display(), first.offset, first.length_bytes);
    let others = match report.problems.len() - 1 {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    Some(format!("{place}: {}{others}", first.what))
}

#[cfg(test)]
mod tests {
    use engine::{Db, Options};

    use super::*;

    /// A machine whose engine has flushed one write and logged another.
    fn machine() -> SoloMachine {
        let machine = SoloMachine::new(DiskSettings::default(), 1);
        machine.run(1, async |world: SoloWorld| {
            let (db, _) = Db::open(world, Path::new("/data"), Options::default()).await.expect("it opens");
            db.put(b"storm", b"glass").await.expect("it is kept");
            db.flush().await.expect("it is flushed");
            db.put(b"rain", b"bow").await.expect("it is kept");
            db.close().await.expect("it closes");
        });
        machine
    }

    fn judge(machine: &SoloMachine) -> Findings {
        check(&[NodeAtRest { node: NodeId(1), image: machine.image() }], Path::new("/data"), 5)
    }

    #[test]
    fn files_that_an_engine_wrote_are_sound() {
        let findings = judge(&machine());
        assert_eq!(findings.anomalies, []);
        assert!(findings.examined >= 3, "a block, an edit, a write: {}", findings.examined);
    }

    #[test]
    fn one_flipped_bit_in_a_table_is_found_and_placed() {
        let machine = machine();
        let files = machine.files_in(Path::new("/data"));
        let (table, _, _) =
            files.iter().find(|(path, _, _)| path.extension().is_some_and(|end| end == "sst")).expect("a table");
        assert!(machine.rot(table, 3, 4));
        let findings = judge(&machine);
        let [anomaly] = &findings.anomalies[..] else { panic!("{findings:?}") };
        assert!(anomaly.explanation.starts_with("n1: /data/table-"), "{}", anomaly.explanation);
    }
}

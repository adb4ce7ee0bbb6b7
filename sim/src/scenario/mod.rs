//! Scenario files: a cluster, a workload, faults and expectations, as YAML that a person writes and a seed replays.
//!
//! ```text
//!   YAML text ──load──▶ tree ──tree──▶ raw::Scenario ──validate──▶ Plan ──schedule, seed──▶ [ScheduledFault]
//!             syntax,          shape,                units, names,       times and `any` drawn
//!             double keys      unknown keys          contradictions
//!      ▲──────────────────────────────write────────────────────────▶ (from a plan to a text that loads to it)
//! ```
//!
//! After [`parse`] nothing checks again. Errors name file, line, field and what to write instead, all at once (`errors`).
//!
//! Which keys there are, with their defaults, is at the head of `raw`; what they mean is said at the fields of [`Plan`]. A
//! fault that still goes on when the workload ends is healed then, whatever its `for` says.
//!
//! What it does not do: run anything. The laboratory takes a plan and a schedule and carries them out.

mod budget;
mod contradiction;
mod errors;
mod expectation;
mod fault;
mod library;
mod link;
mod load;
mod path;
mod plan;
mod raw;
mod schedule;
mod tree;
mod trigger;
mod units;
mod validate;
mod workload;
mod write;
mod write_fault;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

pub use budget::{Budget, Damage};
pub(crate) use budget::{damage, note};
pub use contradiction::Contradiction;
pub use errors::{Flaw, PROBLEMS_SHOWN_MAX, Problem, Problems, ScenarioError};
pub use expectation::{Comparison, Expectation, Operator, Selection, Unit};
pub use fault::{Action, Again, FaultPlan, MessageVerdict, NodeChoice, Power, Times, Victims, WayVerdict};
pub use library::{LibraryEntry, library};
pub use link::{Latency, Member};
pub use path::FieldPath;
pub use plan::{ClockPlan, ClusterPlan, DiskPlan, Durability, LinkPlan, NetworkPlan, Plan, Recoveries, Survival};
pub use schedule::{Injection, Recrash, ScheduledFault, Turn, Victim, schedule};
pub use trigger::{Event, Happening, Trigger};
pub use units::{TIME_MICROS_MAX, TimeRange, WHOLE_PPM, share_text, time_signed_text, time_text};
pub use validate::with_operations;
pub use workload::{Coordinators, KeyDistribution, ListedOperation, PerKind, Window, WorkloadPlan, near_node};
pub use write::write;
pub use write_fault::fault_text;

use tree::Note;

/// No scenario file is longer: thirty times what a person writes, and little enough that the YAML reader, whose time grows
/// with the square of the depth of maps in maps, is done with the worst of them in a second or two.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Reads a scenario file and makes its plan.
pub fn load(path: &Path) -> Result<Plan, ScenarioError> {
    let file = path.display().to_string();
    match fs::read(path) {
        Err(source) => Err(ScenarioError::Unreadable { file, source }),
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => parse(&file, &text),
            Err(_) => Err(refused(&file, vec![(None, FieldPath::root(), Flaw::NotText)], 0)),
        },
    }
}

/// Makes the plan of a scenario's text; `file` is what errors and reports call it.
pub fn parse(file: &str, text: &str) -> Result<Plan, ScenarioError> {
    if text.len() > FILE_BYTES_MAX {
        let flaw = Flaw::TooBig { bytes: text.len(), bytes_max: FILE_BYTES_MAX };
        return Err(refused(file, vec![(None, FieldPath::root(), flaw)], 0));
    }
    parse_of_any_length(file, text)
}

/// Whether a plan that was made from another by hand is one that a file could have: none of its parts contradict.
pub fn is_valid(plan: &Plan) -> bool {
    parse_of_any_length(&plan.file, &write(plan, &[])).is_ok_and(|loaded| loaded == *plan)
}

fn parse_of_any_length(file: &str, text: &str) -> Result<Plan, ScenarioError> {
    let tree = load::tree(text).map_err(|placed| refused(file, vec![*placed], 0))?;
    let raw = tree::read(&tree).map_err(|notes| refused_notes(file, text, notes))?;
    validate::plan(file, &raw).map_err(|notes| refused_notes(file, text, notes))
}

/// Finds the lines of what is shown: each costs a reading of the text, so the number is bounded.
fn refused_notes(file: &str, text: &str, mut notes: Vec<Note>) -> ScenarioError {
    let hidden_count = notes.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    notes.truncate(PROBLEMS_SHOWN_MAX);
    let placed = notes.into_iter().map(|(path, flaw)| (load::line_of(text, &path), path, flaw)).collect();
    refused(file, placed, hidden_count)
}

fn refused(file: &str, placed: Vec<load::PlacedFlaw>, hidden_count: usize) -> ScenarioError {
    let mut problems: Vec<Problem> =
        placed.into_iter().map(|(line, path, flaw)| Problem { line, path, flaw }).collect();
    problems.sort_by_key(|problem| problem.line);
    ScenarioError::Refused(Problems { file: file.to_string(), problems, hidden_count })
}
